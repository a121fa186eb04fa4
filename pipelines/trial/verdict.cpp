#include "pipelines/trial/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipelines/config/tables.h"
#include "pipelines/config/test_reader.h"
#include "pipelines/config/test_tables.h"
#include "pipelines/expr/lua_sandbox.h"
#include "pipelines/trial/difference.h"
#include "pipelines/trial/shown_options.h"

namespace musher {

namespace {
using Lines = std::vector<std::string>;

const std::vector<Option>& options_of(const PipelineConfig& pipeline, std::string_view step,
                                      std::string_view kind) {
    static const std::vector<Option> kNone;
    for (const StepConfig* one : all_steps(pipeline)) {
        if (one->id == step || (step.empty() && one->kind == kind)) return one->entry->spec.options;
    }
    return kNone;
}

/// A map of a component's options, among others, as a test writes it.
Json expected_options(const Value& written, const std::vector<Option>& table) {
    Json expected = written.to_json(true);
    for (const Value::Entry& entry : written.entries) {
        const Option* option = find_option(table, entry.key);
        if (option) expected[entry.key] = expected_option(*option, entry.value);
    }
    return expected;
}

/// All that can be said of a receipt.
Json full_receipt(const Deed& deed) {
    Json all = deed.outputs;
    all.update(deed.options);
    all["step"] = deed.step;
    all["sink"] = deed.kind;
    if (deed.content) {
        all["content"] = *deed.content;
    } else if (deed.took_body) {
        all["content"] = fmt::format("({} bytes, no text)", size_in(deed.outputs, "bytes"));
    }
    return all;
}

Json brief_deed(const Deed& deed) {
    Json brief = deed.written;
    brief["step"] = deed.step;
    if (deed.sink && deed.step == deed.kind) brief.erase("step");
    if (deed.sink) brief["sink"] = deed.kind;
    if (!deed.sink && deed.step != deed.kind) brief["kind"] = deed.kind;
    if (deed.content && !deed.content->empty()) brief["content"] = *deed.content;
    return brief;
}

/// A list element's lines, behind its dash.
void add_item(const Json& item, Lines& lines) {
    for (std::string& line : value_lines(Json::array({item}))) lines.push_back(std::move(line));
}

class Judge {
  public:
    Judge(const PipelineConfig& pipeline, const TestCase& test, const Observed& seen)
        : pipeline_(pipeline), test_(test), seen_(seen) {
        std::vector<Problem> unsaid;  // `check` has said them
        expect_ = decode(expect_table(), test.expect, "expect", unsaid);
    }
    std::vector<Miss> run();

  private:
    Position place(std::string_view name) const;
    void compare(std::string_view name, const Json& expected, const Json& actual,
                 const std::string& because = {});
    void outcome();
    void error();
    void receipts();
    void step(const Value::Entry& entry);
    void that(const Value& expression);

    const PipelineConfig& pipeline_;
    const TestCase& test_;
    const Observed& seen_;
    Options expect_;
    std::vector<Miss> misses_;
};

Position Judge::place(std::string_view name) const {
    const Value* value = test_.expect.find(name);
    if (value) return value->at;
    return test_.expect.at.line > 0 ? test_.expect.at : test_.at;
}

void Judge::compare(std::string_view name, const Json& expected, const Json& actual,
                    const std::string& because) {
    if (matches(expected, actual)) return;
    const std::string key(name);
    std::string message = fmt::format("`{}` differs", name);
    if (!because.empty()) message += ": " + because;
    misses_.push_back(Miss{
        place(name), std::move(message),
        line_difference(value_lines(Json{{key, expected}}), value_lines(Json{{key, actual}}))});
}

std::vector<Miss> Judge::run() {
    // Without `expect` the golden file says all of it.
    if (test_.expect.entries.empty() && !test_.golden.empty()) return {};
    outcome();
    if (expect_.has("attempts")) compare("attempts", expect_.json("attempts"), seen_.attempts);
    for (const auto& [name, actual] :
         {std::pair{"key", &seen_.key}, {"dedupe", &seen_.dedupe}, {"file", &seen_.file}}) {
        if (expect_.has(name)) compare(name, expect_.json(name), *actual);
    }
    error();
    if (test_.expect.find("receipts")) receipts();
    const Value* steps = test_.expect.find("steps");
    for (const Value::Entry& entry : steps ? steps->entries : std::vector<Value::Entry>()) {
        step(entry);
    }
    if (const Value* expressions = test_.expect.find("that")) {
        for (const Value& one : expressions->items) that(one);
        if (!expressions->is(Value::Kind::list)) that(*expressions);
    }
    return std::move(misses_);
}

void Judge::outcome() {
    std::string because = seen_.reason;
    if (seen_.outcome == "dead") because = text_in(seen_.error, "message");
    compare("outcome", expect_.json("outcome"), seen_.outcome, because);
}

void Judge::error() {
    if (expect_.has("failed_step")) {
        compare("failed_step", expect_.json("failed_step"), text_in(seen_.error, "step"));
    }
    if (!expect_.has("error")) return;
    const std::string actual =
        seen_.error.is_object() ? error_from_json(seen_.error).text() : std::string();
    const std::string wanted = expect_.text("error");
    if (!matches("*" + wanted + "*", actual)) compare("error", wanted, actual);
}

void Judge::receipts() {
    const Value& written = *test_.expect.find("receipts");
    std::vector<Json> expected;
    for (const Value& item : written.items) {
        const Json json = item.to_json(true);
        expected.push_back(expected_options(
            item, options_of(pipeline_, text_in(json, "step"), text_in(json, "sink"))));
    }
    std::vector<const Deed*> actual;
    for (const Deed& deed : seen_.record->deeds()) {
        if (deed.sink) actual.push_back(&deed);
    }
    std::vector<std::vector<bool>> match(expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        for (const Deed* deed : actual)
            match[i].push_back(matches(expected[i], full_receipt(*deed)));
    }
    const auto pairs =
        align(static_cast<int>(expected.size()), static_cast<int>(actual.size()), match);
    Lines left;
    Lines right;
    int missing = 0;
    int more = 0;
    std::vector<std::size_t> lonely;  // expected ones that may stand for the next lonely other
    for (const auto& [i, j] : pairs) {
        if (i >= 0) add_item(expected[static_cast<std::size_t>(i)], left);
        if (i >= 0 && j < 0) lonely.push_back(static_cast<std::size_t>(i));
        missing += i >= 0 && j < 0;
        more += i < 0;
        if (j < 0) continue;
        const Deed& deed = *actual[static_cast<std::size_t>(j)];
        if (i < 0 && lonely.empty()) {
            add_item(brief_deed(deed), right);
            continue;
        }
        const std::size_t partner = i >= 0 ? static_cast<std::size_t>(i) : lonely.front();
        if (i < 0) lonely.erase(lonely.begin());
        if (i >= 0) lonely.clear();
        add_item(narrowed(expected[partner], full_receipt(deed)), right);
    }
    if (missing + more == 0) return;
    misses_.push_back(
        Miss{written.at,
             fmt::format("`receipts` differ: {} expected, {} came", expected.size(), actual.size()),
             line_difference(left, right)});
}

void Judge::step(const Value::Entry& entry) {
    const Deed* last = nullptr;
    int ran = 0;
    for (const Deed& deed : seen_.record->deeds()) {
        if (deed.step != entry.key) continue;
        last = &deed;
        ++ran;
    }
    const auto control = seen_.record->controls().find(entry.key);
    const bool controls = control != seen_.record->controls().end();
    if (controls) ran = control->second.times;
    Json expected = entry.value.to_json(true);
    if (expected.is_null()) expected = Json{{"ran", ran > 0 ? ran : 1}};
    if (const Value* options = entry.value.find("options")) {
        expected["options"] = expected_options(*options, options_of(pipeline_, entry.key, ""));
    }
    Json actual{{"ran", ran}};
    if (last) actual["options"] = last->options;
    if (last) actual["outputs"] = last->outputs;
    if (controls) actual["outputs"] = control->second.outputs;
    if (matches(expected, actual)) return;
    misses_.push_back(
        Miss{entry.at,
             ran > 0 ? fmt::format("the step `{}` did something else", entry.key)
                     : fmt::format("the step `{}` did not run", entry.key),
             line_difference(value_lines(expected), value_lines(narrowed(expected, actual)))});
}

void Judge::that(const Value& expression) {
    const auto refuse = [&](const Error& error) {
        misses_.push_back(Miss{expression.at, error.message, {}});
    };
    const auto sandbox = LuaSandbox::create();
    if (!sandbox) return refuse(sandbox.error());
    const auto compiled = Expression::compile(*sandbox, expression.text, expression.content());
    if (!compiled) return refuse(compiled.error());
    const Result<bool> holds = compiled->test(seen_.bindings);
    if (!holds) return refuse(holds.error());
    if (!*holds) {
        misses_.push_back(Miss{expression.at, fmt::format("`{}` is false", expression.text), {}});
    }
}
}  // namespace

std::vector<Miss> judge(const PipelineConfig& pipeline, const TestCase& test,
                        const Observed& seen) {
    return Judge(pipeline, test, seen).run();
}

Json brief_receipts(const Observed& seen) {
    Json all = Json::array();
    for (const Deed& deed : seen.record->deeds()) {
        if (deed.sink) all.push_back(brief_deed(deed));
    }
    return all;
}

std::string golden_text(const Observed& seen) {
    Lines lines{std::string(kGoldenStart) + seen.outcome};
    if (seen.attempts > 1) lines.push_back(fmt::format("attempts: {}", seen.attempts));
    if (!seen.key.empty()) lines.push_back("key: " + value_lines(Json(seen.key)).front());
    if (!seen.file.empty()) lines.push_back("file: " + seen.file);
    if (seen.error.is_object()) {
        const Json error{{"error", error_from_json(seen.error).text()}};
        for (std::string& line : value_lines(error)) lines.push_back(std::move(line));
    }
    Json deeds = Json::array();
    for (const Deed& deed : seen.record->deeds()) {
        if (deed.sink || deed.simulated) deeds.push_back(brief_deed(deed));
    }
    const Json did{{"did", std::move(deeds)}};
    for (std::string& line : value_lines(did)) lines.push_back(std::move(line));
    return fmt::format("{}\n", fmt::join(lines, "\n"));
}

std::vector<Miss> judge_golden(const TestCase& test, const std::string& golden,
                               const Observed& seen) {
    const std::string actual = golden_text(seen);
    if (actual == golden) return {};
    return {Miss{test.golden_at, "the golden file differs (musher test --update rewrites it)",
                 line_difference(text_lines(golden), text_lines(actual))}};
}

}  // namespace musher
