#include "pipelines/app/describe_verb.h"

#include <fmt/format.h>

#include "pipelines/app/manual.h"
#include "pipelines/config/catalogue.h"
#include "pipelines/config/describe.h"
#include "pipelines/config/json_schema.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
/// There is one reference, and a schema and a manual page for each of two kinds of files.
Result<void> check_document(const Call& call, const std::vector<std::string>& words) {
    const bool reference = call.has("reference");
    if (!reference && !call.has("manual") && !call.has("schema")) return {};
    if (words.empty() || (words == std::vector<std::string>{"musher.yml"} && !reference)) return {};
    return fail(Errc::not_found, "there is no such document of '" + words.back() + "'",
                "--schema and --manual are for a pipeline file, or with musher.yml for that one");
}

/// What is no list of components.
std::optional<Answer> describe_document(const Call& call, const std::vector<std::string>& words) {
    Answer answer;
    const bool daemon = words == std::vector<std::string>{"musher.yml"};
    if (call.has("reference")) {
        answer.text = reference();
    } else if (call.has("manual")) {
        answer.text = daemon ? configuration_page() : manual_page();
    } else if (call.has("schema")) {
        answer.json = daemon ? musher_schema() : pipeline_schema();
        answer.text = answer.json.dump(2) + "\n";
    } else if (words == std::vector<std::string>{"expressions"}) {
        answer.text = describe_expressions();
    } else {
        return std::nullopt;
    }
    if (answer.json.is_null()) answer.json = Json{{"text", answer.text}};
    return answer;
}

/// SQL for a database, instead of words for people.
Result<Answer> describe_sql(const Call& call, const std::vector<std::string>& words) {
    if (!call.has("sql")) return fail(Errc::usage, "--key goes with --sql TABLE");
    const std::string key = call.has("key") ? call.text("key") : "id";
    for (const SourceEntry& source : full_catalogue().sources) {
        if (words.empty() || !source.sql || source.spec.name != words.back()) continue;
        Answer answer;
        MUSHER_TRY(answer.text, source.sql(call.text("sql"), key));
        answer.json = Json{{"sql", answer.text}};
        return answer;
    }
    return fail(Errc::usage, "--sql is for a source that a table can feed",
                "as in: musher describe source postgres_notify --sql TABLE");
}
}  // namespace

Result<Answer> describe_verb(const Call& call) {
    const std::vector<std::string> words = call.list("WHAT");
    if (call.has("sql") || call.has("key")) return describe_sql(call, words);
    MUSHER_DO(check_document(call, words));
    if (auto document = describe_document(call, words)) return std::move(*document);
    Answer answer;
    std::vector<std::string_view> names;
    answer.json = Json::array();
    for (const Spec* spec : all_specs()) {
        names.push_back(spec->name);
        const bool kind_fits = words.empty() || kind_name(spec->kind) == words.front();
        const bool name_fits = words.size() == 1   ? spec->name == words.front()
                               : words.size() == 2 ? spec->name == words.back() && kind_fits
                                                   : false;
        if (words.empty() || (words.size() == 1 && kind_fits)) {
            answer.text +=
                fmt::format("{:<7} {:<14} {}\n", kind_name(spec->kind), spec->name, spec->summary);
        } else if (name_fits) {
            answer.text += describe(*spec);
        } else {
            continue;
        }
        answer.json.push_back(describe_json(*spec));
    }
    if (!answer.json.empty()) return answer;
    const auto meant = nearest(words.back(), names);
    return fail(Errc::not_found, "nothing is named '" + words.back() + "'",
                meant ? fmt::format("did you mean {}?", *meant) : "see musher describe");
}

}  // namespace musher
