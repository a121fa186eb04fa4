#include "pipelines/config/describe.h"

#include <fmt/format.h>

#include "pipelines/config/catalogue.h"
#include "pipelines/config/tables.h"

namespace musher {

namespace {

std::string repeats_text(Repeats repeats) {
    switch (repeats) {
        case Repeats::never:
            return "";
        case Repeats::idempotent:
            return "A repeat after a crash has no further effect.\n\n";
        case Repeats::after_crash:
            return "After a crash between the effect and its receipt the effect is repeated, with "
                   "the same job id.\n\n";
    }
    return "";
}

std::string option_rows(const std::vector<Option>& options) {
    std::string text = "| option | type | default | |\n|---|---|---|---|\n";
    for (const Option& option : options) {
        std::string help(option.help);
        if (!option.choices.empty() && option.type == OptionType::choice) {
            help += fmt::format(" ({})", fmt::join(option.choices, ", "));
        }
        if (option.templated) help += "; may hold ${…}";
        const std::string fallback =
            option.required ? "required"
                            : (option.fallback.empty() ? "" : fmt::format("`{}`", option.fallback));
        text += fmt::format("| `{}` | {} | {} | {} |\n", option.name, type_word(option.type),
                            fallback, help);
    }
    return text;
}

/// A heading and a table for each section of `options`, and for theirs.
std::string section_tables(const std::vector<Option>& options, const std::string& above) {
    std::string text;
    for (const Option& option : options) {
        if (option.type != OptionType::section || option.options.empty()) continue;
        const std::string path = above + std::string(option.name);
        text += fmt::format("\n### `{}`\n\n", path) + option_rows(option.options);
        text += section_tables(option.options, path + ".");
    }
    return text;
}

Json options_schema(const std::vector<Option>& options);

Json option_schema(const Option& option) {
    Json schema{{"description", option.help}};
    const bool open = option.templated;
    switch (option.type) {
        case OptionType::boolean:
            schema["type"] = "boolean";
            break;
        case OptionType::integer:
            schema["type"] = open ? Json::array({"integer", "string"}) : Json("integer");
            break;
        case OptionType::text_list:
            schema["type"] = Json::array({"string", "array"});
            break;
        case OptionType::text_map:
        case OptionType::expression_map:
            schema["type"] = "object";
            break;
        case OptionType::size:
        case OptionType::duration:
            schema["type"] = Json::array({"string", "integer"});
            break;
        case OptionType::choice:
            if (open) {
                schema["type"] = "string";
            } else {
                schema["enum"] = option.choices;
            }
            break;
        case OptionType::section: {
            Json help = schema;
            schema = options_schema(option.options);
            schema.update(help);
            if (option.options.empty() || !option.scalar.empty()) schema.erase("type");
            break;
        }
        case OptionType::steps:
            schema["$ref"] = "#/$defs/steps";
            break;
        default:
            break;  // texts may also be numbers or tags: anything
    }
    return schema;
}

Json options_schema(const std::vector<Option>& options) {
    Json schema{{"type", Json::array({"object", "null"})},
                {"additionalProperties", false},
                {"properties", Json::object()}};
    Json required = Json::array();
    for (const Option& option : options) {
        schema["properties"][std::string(option.name)] = option_schema(option);
        if (option.required) required.push_back(option.name);
    }
    if (!required.empty()) {
        schema["required"] = required;
        schema["type"] = "object";
    }
    return schema;
}

Json spec_schema(const Spec& spec) {
    Json schema = options_schema(spec.options);
    if (!spec.scalar.empty()) {
        const Json bare{{"type", Json::array({"string", "number", "boolean"})}};
        schema = Json{{"anyOf", Json::array({schema, bare})}};
    }
    schema["description"] = spec.summary;
    return schema;
}

}  // namespace

std::vector<const Spec*> all_specs() {
    std::vector<const Spec*> all;
    const Catalogue& catalogue = full_catalogue();
    for (const SourceEntry& entry : catalogue.sources) all.push_back(&entry.spec);
    for (const StepEntry& entry : catalogue.steps) all.push_back(&entry.spec);
    for (const StepEntry& entry : catalogue.sinks) all.push_back(&entry.spec);
    return all;
}

std::string_view kind_name(ComponentKind kind) {
    constexpr std::string_view kNames[] = {"source", "step", "sink"};
    return kNames[static_cast<std::size_t>(kind)];
}

std::string describe(const Spec& spec) {
    std::string text = fmt::format("### {} `{}`\n\n{}.\n\n", kind_name(spec.kind), spec.name,
                                   spec.summary);
    if (!spec.description.empty()) text += fmt::format("{}\n\n", spec.description);
    text += repeats_text(spec.repeats);
    if (!spec.options.empty()) text += option_rows(spec.options) + "\n";
    if (!spec.fields.empty()) {
        text += fmt::format("| {} | |\n|---|---|\n", spec.kind == ComponentKind::source
                                                         ? "field of `event`"
                                                         : "field of `steps.ID`");
        for (const Field& field : spec.fields) {
            text += fmt::format("| `{}` | {} |\n", field.name, field.help);
        }
        text += "\n";
    }
    if (!spec.example.empty()) text += fmt::format("```yaml\n{}```\n\n", spec.example);
    return text;
}

std::string reference() {
    std::string text =
        "# Reference\n\nMade from the option tables by `musher describe --reference`.\n\n"
        "## A pipeline file\n\n" +
        option_rows(pipeline_table()) + section_tables(pipeline_table(), "") +
        "\n### Beside a step's name\n\n" + option_rows(step_table()) + "\n";
    const ComponentKind kinds[] = {ComponentKind::source, ComponentKind::step,
                                   ComponentKind::sink};
    for (const ComponentKind kind : kinds) {
        text += fmt::format("## {}s\n\n", kind == ComponentKind::source ? "Source"
                                          : kind == ComponentKind::step ? "Step"
                                                                        : "Sink");
        for (const Spec* spec : all_specs()) {
            if (spec->kind == kind) text += describe(*spec);
        }
    }
    text += "## musher.yml\n\n" + option_rows(daemon_table()) +
            section_tables(daemon_table(), "");
    return text;
}

Json pipeline_schema() {
    Json schema = options_schema(pipeline_table());
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    schema["title"] = "A musher pipeline";
    Json source{{"type", "object"}, {"minProperties", 1}, {"maxProperties", 1}};
    Json step{{"type", Json::array({"object", "string"})}, {"properties", Json::object()}};
    for (const Option& option : step_table()) {
        step["properties"][std::string(option.name)] = option_schema(option);
    }
    for (const Spec* spec : all_specs()) {
        Json& place = spec->kind == ComponentKind::source ? source : step;
        place["properties"][std::string(spec->name)] = spec_schema(*spec);
    }
    source["additionalProperties"] = false;
    step["additionalProperties"] = false;
    schema["properties"]["source"] = source;
    schema["$defs"] = Json{{"steps", {{"type", "array"}, {"items", step}}}};
    return schema;
}

}  // namespace musher
