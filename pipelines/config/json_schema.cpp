#include "pipelines/config/json_schema.h"

#include "pipelines/config/catalogue.h"
#include "pipelines/config/connections.h"
#include "pipelines/config/tables.h"
#include "pipelines/config/test_tables.h"

namespace musher {

Json default_of(const Option& option) {
    const bool typed = option.type == OptionType::boolean || option.type == OptionType::integer ||
                       option.fallback.starts_with('[') || option.fallback.starts_with('{');
    return typed ? parse_json(option.fallback).value() : Json(option.fallback);
}

namespace {
constexpr const char* kDraft = "https://json-schema.org/draft/2020-12/schema";

Json ref(const char* name) { return Json{{"$ref", std::string("#/$defs/") + name}}; }

Json any_of(Json a, Json b) { return Json{{"anyOf", Json::array({std::move(a), std::move(b)})}}; }

/// The forms of values that many options share.
Json shared_forms() {
    return Json{
        {"text", {{"type", Json::array({"string", "number", "boolean"})}}},
        {"texts", any_of(ref("text"), {{"type", "array"}, {"items", ref("text")}})},
        {"template", {{"type", "string"}, {"pattern", R"(\$\{)"}}},
        {"duration", any_of({{"const", 0}},
                            {{"type", "string"}, {"pattern", R"(^(0|[0-9]+(ms|s|m|h|d))$|\$\{)"}})},
        {"durations",
         {{"type", "string"},
          {"pattern", R"(^[0-9]+(ms|s|m|h|d)?(\.\.[0-9]+(ms|s|m|h|d)?)?$|\$\{)"}}},
        {"size", any_of({{"type", "integer"}, {"minimum", 0}},
                        {{"type", "string"}, {"pattern", R"(^[0-9]+(KiB|MiB|GiB|TiB|B)?$|\$\{)"}})},
    };
}

Json table_schema(const std::vector<Option>& table);

Json integer_schema(const Option& option) {
    Json schema{{"type", "integer"}};
    if (option.least != INT64_MIN) schema["minimum"] = option.least;
    if (option.most != INT64_MAX) schema["maximum"] = option.most;
    return any_of(std::move(schema), ref("template"));
}

/// Steps, cases of steps, lists of steps.
Json nested_schema(OptionType type) {
    if (type == OptionType::steps) return ref("steps");
    const bool cases = type == OptionType::cases;
    return Json{{"type", "array"}, {"items", cases ? table_schema(case_table()) : ref("steps")}};
}

Json value_schema(const Option& option) {
    switch (option.type) {
        case OptionType::boolean:
            return any_of({{"type", "boolean"}}, ref("template"));
        case OptionType::integer:
            return integer_schema(option);
        case OptionType::duration:
            return ref("duration");
        case OptionType::duration_range:
            return ref("durations");
        case OptionType::size:
            return ref("size");
        case OptionType::choice:
            return any_of({{"enum", option.choices}}, ref("template"));
        case OptionType::text_list:
            return ref("texts");
        case OptionType::text_map:
        case OptionType::expression_map:
            return Json{{"type", "object"}, {"additionalProperties", ref("text")}};
        case OptionType::secret:
            return Json{{"type", "string"}};
        case OptionType::steps:
        case OptionType::cases:
        case OptionType::branches:
            return nested_schema(option.type);
        case OptionType::section: {
            Json schema = table_schema(option.options);
            return option.scalar.empty() ? schema : any_of(std::move(schema), ref("text"));
        }
        case OptionType::any:
            return Json::object();
        case OptionType::text:
        case OptionType::path:
        case OptionType::expression:
        case OptionType::connection:
            return ref("text");
    }
    return Json::object();
}

/// Of options that exclude each other, exactly one.
void require_alternatives(const std::vector<Option>& table, Json& schema) {
    std::map<std::string_view, Json> groups;
    for (const Option& option : table) {
        if (option.one_of.empty()) continue;
        groups.try_emplace(option.one_of, Json::array())
            .first->second.push_back(Json{{"required", Json::array({option.name})}});
    }
    for (auto& [word, alternatives] : groups) {
        schema["allOf"].push_back(Json{{"oneOf", std::move(alternatives)}});
    }
}

bool wants_options(const std::vector<Option>& table) {
    return std::any_of(table.begin(), table.end(), [](const Option& option) {
        return option.required || !option.one_of.empty();
    });
}

Json table_schema(const std::vector<Option>& table) {
    Json schema{{"type", "object"}, {"additionalProperties", false}};
    Json& properties = schema["properties"] = Json::object();
    if (!wants_options(table)) schema["type"] = Json::array({"object", "null"});
    for (const Option& option : table) {
        Json& property = properties[std::string(option.name)] = value_schema(option);
        property["description"] = option.help;
        if (!option.fallback.empty()) property["default"] = default_of(option);
        if (option.required) schema["required"].push_back(option.name);
    }
    require_alternatives(table, schema);
    return schema;
}

/// What a bare value means, where `NAME: VALUE` says all that must be said; else nullptr.
const Option* bare_value(const Spec& spec) {
    const auto meant = std::find_if(spec.options.begin(), spec.options.end(),
                                    [&](const Option& one) { return one.name == spec.scalar; });
    if (meant == spec.options.end()) return nullptr;
    const bool more =
        std::any_of(spec.options.begin(), spec.options.end(), [&](const auto& option) {
            const bool other = option.required && option.name != spec.scalar;
            return other || (!option.one_of.empty() && option.one_of != meant->one_of);
        });
    return more ? nullptr : &*meant;
}

/// Exactly one of these components; `beside` may stand in the same map. A name alone, where a
/// component wants no options.
Json component_schema(const std::vector<const Spec*>& specs, const std::vector<Option>& beside) {
    Json map = table_schema(beside);
    map["type"] = "object";
    Json alone = Json::array();
    for (const Spec* spec : specs) {
        Json options = table_schema(spec->options);
        if (const Option* bare = bare_value(*spec)) {
            const bool list = bare->type == OptionType::text_list;
            options = any_of(std::move(options), ref(list ? "texts" : "text"));
        }
        options["description"] = spec->summary;
        map["properties"][std::string(spec->name)] = std::move(options);
        map["oneOf"].push_back(Json{{"required", Json::array({spec->name})}});
        if (!wants_options(spec->options)) alone.push_back(spec->name);
    }
    return any_of(std::move(map), {{"enum", std::move(alone)}});
}

Json connections_schema() {
    Json one{{"type", "object"},
             {"additionalProperties", false},
             {"minProperties", 1},
             {"maxProperties", 1}};
    for (const ConnectionKind& kind : connection_kinds()) {
        Json options = any_of(table_schema(kind.options), ref("text"));
        options["description"] = kind.summary;
        one["properties"][std::string(kind.name)] = std::move(options);
    }
    return Json{{"type", Json::array({"object", "null"})}, {"additionalProperties", one}};
}

void put(Json& schema, const char* key, Json property) {
    property["description"] = schema["properties"][key]["description"];
    schema["properties"][key] = std::move(property);
}

/// `tests:`, whose maps by step and field no table describes.
Json tests_schema() {
    Json test = table_schema(test_table());
    const Json answer = table_schema(answer_table());
    Json& expect = test["properties"]["expect"]["properties"];
    put(test, "simulate",
        {{"type", Json::array({"object", "null"})},
         {"additionalProperties", any_of(answer, {{"type", "array"}, {"items", answer}})}});
    expect["steps"]["type"] = "object";
    expect["steps"]["additionalProperties"] = table_schema(expected_step_table());
    expect["receipts"]["type"] = "array";
    expect["receipts"]["items"] = Json{{"type", "object"}};
    test["anyOf"] = Json::array(
        {{{"required", Json::array({"expect"})}}, {{"required", Json::array({"golden"})}}});
    test["required"] = Json::array({"name"});
    return Json{{"type", "array"}, {"items", std::move(test)}};
}

Json file_schema(const std::vector<Option>& table, const char* title) {
    Json schema = table_schema(table);
    schema["$schema"] = kDraft;
    schema["title"] = title;
    schema["$defs"] = shared_forms();
    put(schema, "version", {{"const", 1}});
    return schema;
}
}  // namespace

Json pipeline_schema() {
    const Catalogue& catalogue = full_catalogue();
    std::vector<const Spec*> sources;
    std::vector<const Spec*> steps;
    for (const SourceEntry& entry : catalogue.sources) sources.push_back(&entry.spec);
    for (const StepEntry& entry : catalogue.steps) steps.push_back(&entry.spec);
    for (const StepEntry& entry : catalogue.sinks) steps.push_back(&entry.spec);
    Json schema = file_schema(pipeline_table(), "A musher pipeline");
    put(schema, "source", component_schema(sources, {}));
    put(schema, "tests", tests_schema());
    schema["$defs"]["steps"] =
        Json{{"type", "array"}, {"items", component_schema(steps, step_table())}};
    return schema;
}

Json musher_schema() {
    Json schema = file_schema(daemon_table(), "musher.yml");
    put(schema, "connections", connections_schema());
    const Json names{{"type", Json::array({"object", "null"})}};
    put(schema, "environment", names);
    put(schema, "vars", names);
    return schema;
}

}  // namespace musher
