#include "pipelines/config/test_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pipelines/config/problems.h"
#include "pipelines/config/tables.h"
#include "pipelines/config/test_tables.h"

namespace musher {

namespace {
using Names = std::vector<std::string_view>;

void add_steps(const std::vector<StepConfig>& steps, std::vector<const StepConfig*>& all) {
    for (const StepConfig& step : steps) {
        all.push_back(&step);
        for (const StepBranch& branch : step.branches) add_steps(branch.steps, all);
    }
}

bool contains(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// Whether a component may have fields that its table does not name.
bool has_free_fields(const StepConfig& step) {
    const auto& fields = step.entry->spec.fields;
    const Value* stdout_mode = step.options.find("stdout");
    const bool parsed = stdout_mode && stdout_mode->text == "json";
    return parsed || fields.empty() ||
           std::any_of(fields.begin(), fields.end(), [](const Field& f) { return f.name == "*"; });
}

class TestReader {
  public:
    TestReader(const PipelineConfig& config, const Reading& reading)
        : config_(config), problems_(reading.problems), steps_(all_steps(config)) {}

    TestCase read(const Value& item);

  private:
    void read_given(const Value& given, const Options& decoded, TestCase& test);
    void check_event(const Value& event);
    void read_answers(const Value& map, TestCase& test);
    void read_answer(const StepConfig& step, const Value& item, bool listed, TestCase& test);
    void check_returns(const StepConfig& step, const Value& returns);
    void check_expect(const Value& expect);
    void check_receipt(const Value& receipt);
    void check_steps(const Value& steps);
    void check_that(const Value& that);
    const StepConfig* find_step(std::string_view id, const Position& at);
    bool wants(Value::Kind kind, const Value* value, std::string_view name, const char* form);
    void refuse(const Position& at, std::string message, std::string hint) {
        add_error(problems_, at, "bad_test", std::move(message), std::move(hint));
    }

    const PipelineConfig& config_;
    std::vector<Problem>& problems_;
    std::vector<const StepConfig*> steps_;
    std::map<std::string, Position> names_;
};

TestCase TestReader::read(const Value& item) {
    std::vector<Option> table = test_table();
    if (item.find("golden")) {
        for (Option& option : table) option.required = option.name == "name";
    }
    const Options decoded = decode(table, item, "a test", problems_);
    TestCase test;
    test.at = item.at;
    test.name = decoded.text("name");
    test.golden = decoded.text("golden");
    if (const Value* golden = item.find("golden")) test.golden_at = golden->at;
    if (const Value* name = item.find("name"); name && !name->faulty) {
        const auto [first, fresh] = names_.emplace(test.name, name->at);
        if (!fresh) {
            add_error(problems_, name->at, "duplicate_test",
                      fmt::format("two tests are named `{}`", test.name),
                      fmt::format("the first is in line {}", first->second.line));
        }
    }
    const Value* given = item.find("given");
    if (given && given->is(Value::Kind::map)) read_given(*given, decoded.section("given"), test);
    const Value* answers = item.find("simulate");
    if (wants(Value::Kind::map, answers, "simulate", "write STEP: { fails: …, times: 2 }")) {
        read_answers(*answers, test);
    }
    const Value* expect = item.find("expect");
    if (expect && expect->is(Value::Kind::map)) {
        test.expect = *expect;
        check_expect(*expect);
    }
    test.expect.kind = Value::Kind::map;
    return test;
}

/// True when it is there and can be looked into.
bool TestReader::wants(Value::Kind kind, const Value* value, std::string_view name,
                       const char* form) {
    if (!value || value->faulty || value->is(Value::Kind::null)) return false;
    if (value->is(kind)) return true;
    add_error(problems_, value->at, "bad_type",
              fmt::format("`{}` wants {}, found {}", name,
                          kind == Value::Kind::map ? "a map" : "a list", describe_found(*value)),
              form);
    return false;
}

const StepConfig* TestReader::find_step(std::string_view id, const Position& at) {
    Names ids;
    for (const StepConfig* step : steps_) {
        if (step->id == id) return step;
        ids.push_back(step->id);
    }
    add_error(problems_, at, "unknown_step", fmt::format("the pipeline has no step `{}`", id),
              suggest(id, ids));
    return nullptr;
}

void TestReader::read_given(const Value& given, const Options& decoded, TestCase& test) {
    const Value* event = given.find("event");
    if (wants(Value::Kind::map, event, "event", "write { name: a.pdf }")) {
        test.event = event->to_json(true);
        check_event(*event);
    }
    for (const auto& [name, into] : {std::pair{"vars", &test.vars}, {"env", &test.environment}}) {
        const Value* map = given.find(name);
        if (wants(Value::Kind::map, map, name, "write { NAME: VALUE }")) *into = map->to_json(true);
    }
    test.file = decoded.text("file");
    if (decoded.has("content")) test.content = decoded.text("content");
    if (given.find("file") && given.find("content")) {
        refuse(given.find("content")->at, "a job has one file: `file` or `content`", "");
    }
    const Value* at = given.find("at");
    if (!at || at->faulty || !decoded.has("at")) return;
    const Result<std::int64_t> time = parse_time(decoded.text("at"));
    if (time) test.at_ms = *time;
    if (!time) refuse(at->at, "`at`: " + time.error().message, time.error().hint);
}

void TestReader::check_event(const Value& event) {
    if (!config_.source) return;
    Names known{"id"};
    for (const Field& field : config_.source->spec.fields) known.push_back(field.name);
    if (contains(known, "*")) return;
    for (const Value::Entry& entry : event.entries) {
        if (contains(known, entry.key)) continue;
        add_error(problems_, entry.at, "unknown_field",
                  fmt::format("events of `{}` have no field `{}`", config_.source_kind, entry.key),
                  suggest(entry.key, known));
    }
}

void TestReader::read_answers(const Value& map, TestCase& test) {
    for (const Value::Entry& entry : map.entries) {
        const StepConfig* step = find_step(entry.key, entry.at);
        if (!step) continue;
        if (is_control(step->entry->spec)) {
            refuse(entry.at, fmt::format("`{}` only runs other steps", entry.key),
                   "say what the steps inside it answer");
            continue;
        }
        const bool listed = entry.value.is(Value::Kind::list);
        for (const Value& item : entry.value.items) read_answer(*step, item, true, test);
        if (!listed) read_answer(*step, entry.value, false, test);
        auto& answers = test.answers[step->id];
        if (!answers.empty() && listed) {  // the last one goes on, unless it says how often
            const Value* times = entry.value.items.back().find("times");
            if (!times) answers.back().times = 0;
        }
    }
}

void TestReader::read_answer(const StepConfig& step, const Value& item, bool listed,
                             TestCase& test) {
    const Options decoded = decode(answer_table(), item, "an answer", problems_);
    TestAnswer& answer = test.answers[step.id].emplace_back();
    answer.times = decoded.has("times") ? static_cast<int>(decoded.integer("times")) : listed;
    answer.takes = decoded.duration("takes");
    answer.real = decoded.flag("real");
    if (decoded.has("content")) answer.content = decoded.text("content");
    const Value* returns = item.find("returns");
    if (wants(Value::Kind::map, returns, "returns", "write { FIELD: VALUE }")) {
        answer.returns = returns->to_json(true);
        check_returns(step, *returns);
    }
    if (decoded.has("fails")) {
        answer.failure = Error(errc_from_name(decoded.text("code")), decoded.text("fails"));
        if (returns) refuse(returns->at, "a step that fails returns nothing", "");
    } else if (const Value* code = item.find("code")) {
        refuse(code->at, "`code` goes with `fails`", "write fails: \"what is said\"");
    }
    if (answer.real && step.kind != "exec") {
        refuse(item.find("real")->at, "only exec can be told to be `real`",
               "set, log, checksum and filters always are; everything else is simulated");
    }
}

void TestReader::check_returns(const StepConfig& step, const Value& returns) {
    if (has_free_fields(step)) return;
    Names known;
    for (const Field& field : step.entry->spec.fields) known.push_back(field.name);
    if (step.sink) known.insert(known.end(), {"target", "bytes", "sha256"});
    for (const Value::Entry& entry : returns.entries) {
        if (contains(known, entry.key)) continue;
        add_error(problems_, entry.at, "unknown_field",
                  fmt::format("`{}` has no field `{}`", step.kind, entry.key),
                  suggest(entry.key, known));
    }
}

void TestReader::check_expect(const Value& expect) {
    const Value* receipts = expect.find("receipts");
    if (wants(Value::Kind::list, receipts, "receipts", "write - { sink: directory, name: a.xz }")) {
        for (const Value& receipt : receipts->items) check_receipt(receipt);
    }
    const Value* steps = expect.find("steps");
    if (wants(Value::Kind::map, steps, "steps", "write STEP: { ran: 1 }")) check_steps(*steps);
    if (const Value* that = expect.find("that")) check_that(*that);
    const Value* failed = expect.find("failed_step");
    if (failed && failed->is(Value::Kind::string)) find_step(failed->text, failed->at);
}

void TestReader::check_receipt(const Value& receipt) {
    const char* form = "write { sink: directory, name: a.xz }";
    if (!wants(Value::Kind::map, &receipt, "receipts", form)) {
        if (receipt.is(Value::Kind::null)) refuse(receipt.at, "a receipt says nothing", form);
        return;
    }
    const Value* id = receipt.find("step");
    const Value* kind = receipt.find("sink");
    if (!id && !kind) return refuse(receipt.at, "a receipt names its `step` or `sink`", form);
    if (id && !find_step(id->text, id->at)) return;
    Names kinds;
    Names known{"step", "sink", "target", "bytes", "sha256", "content"};
    for (const StepConfig* step : steps_) {
        if (!step->sink) continue;
        kinds.push_back(step->kind);
        if ((id && step->id != id->text) || (kind && step->kind != kind->text)) continue;
        for (const Option& option : step->entry->spec.options) known.push_back(option.name);
        for (const Field& field : step->entry->spec.fields) known.push_back(field.name);
    }
    if (kind && !contains(kinds, kind->text)) {
        return add_error(problems_, kind->at, "unknown_step",
                         fmt::format("the pipeline has no sink `{}`", kind->text),
                         suggest(kind->text, kinds));
    }
    if (known.size() == 6) return refuse(id->at, "`" + id->text + "` is no sink", "see `steps`");
    for (const Value::Entry& entry : receipt.entries) {
        if (contains(known, entry.key) || contains(known, "*")) continue;
        add_error(
            problems_, entry.at, "unknown_field",
            fmt::format("a receipt of `{}` has no field `{}`", (kind ? kind : id)->text, entry.key),
            suggest(entry.key, known));
    }
}

void TestReader::check_steps(const Value& steps) {
    for (const Value::Entry& entry : steps.entries) {
        const StepConfig* step = find_step(entry.key, entry.at);
        decode(expected_step_table(), entry.value, "a step", problems_);
        const Value* options = entry.value.find("options");
        if (!step || !wants(Value::Kind::map, options, "options", "write { OPTION: VALUE }")) {
            continue;
        }
        if (is_control(step->entry->spec)) {
            refuse(options->at, fmt::format("`{}` only runs other steps", entry.key),
                   "say how often it `ran`, or its `outputs`");
            continue;
        }
        Names known;
        for (const Option& option : step->entry->spec.options) known.push_back(option.name);
        for (const Value::Entry& option : options->entries) {
            if (contains(known, option.key)) continue;
            add_error(problems_, option.at, "unknown_key",
                      fmt::format("{} has no option `{}`", step->kind, option.key),
                      suggest(option.key, known));
        }
    }
}

void TestReader::check_that(const Value& that) {
    const char* form = "write that: event.size > 0, or a list of such";
    for (const Value& item : that.items) {
        if (item.is(Value::Kind::list) || item.is(Value::Kind::map)) {
            refuse(item.at, "`that` wants expressions, found " + describe_found(item), form);
        }
    }
    if (that.is(Value::Kind::map)) {
        refuse(that.at, "`that` wants expressions, found " + describe_found(that), form);
    }
}
}  // namespace

std::vector<const StepConfig*> all_steps(const PipelineConfig& config) {
    std::vector<const StepConfig*> all;
    add_steps(config.steps, all);
    add_steps(config.on_failure, all);
    return all;
}

bool is_control(const Spec& spec) {
    return std::any_of(spec.options.begin(), spec.options.end(), [](const Option& option) {
        return option.type == OptionType::steps || option.type == OptionType::cases ||
               option.type == OptionType::branches;
    });
}

std::vector<TestCase> read_tests(const Value& list, const PipelineConfig& config,
                                 const Reading& reading) {
    std::vector<TestCase> tests;
    TestReader reader(config, reading);
    for (const Value& item : list.items) tests.push_back(reader.read(item));
    return tests;
}

}  // namespace musher
