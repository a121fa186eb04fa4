#include "pipelines/config/describe.h"

#include <fmt/format.h>

#include "pipelines/config/catalogue.h"
#include "pipelines/config/connections.h"
#include "pipelines/config/json_schema.h"
#include "pipelines/config/tables.h"
#include "pipelines/config/test_tables.h"
#include "pipelines/expr/functions.h"

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

/// Text inside a table's cell.
std::string cell(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '|') escaped += '\\';
        escaped += c;
    }
    return escaped;
}

/// The help, and what no help repeats: choices, bounds, companions.
std::string meaning(const std::vector<Option>& table, const Option& option) {
    std::string text(option.help);
    if (!option.choices.empty() && option.type == OptionType::choice) {
        text += fmt::format(" ({})", fmt::join(option.choices, ", "));
    }
    if (const std::string range = range_text(option); !range.empty()) text += "; " + range;
    if (!option.one_of.empty()) {
        std::vector<std::string_view> names;
        for (const Option& other : table) {
            if (other.one_of == option.one_of) names.push_back(other.name);
        }
        text += fmt::format("; exactly one of {}", fmt::join(names, ", "));
    }
    if (option.templated) text += "; may hold ${…}";
    return cell(text);
}

std::string option_rows(const std::vector<Option>& options) {
    std::string text = "| option | type | default | |\n|---|---|---|---|\n";
    for (const Option& option : options) {
        const std::string fallback =
            option.required
                ? "required"
                : (option.fallback.empty() ? "" : fmt::format("`{}`", cell(option.fallback)));
        text += fmt::format("| `{}` | {} | {} | {} |\n", option.name, type_word(option.type),
                            fallback, meaning(options, option));
    }
    return text;
}

/// A heading and a table for each section of `options`, and for theirs; a blank line before each.
std::string section_tables(const std::vector<Option>& options, const std::string& heading,
                           const std::string& above) {
    std::string text;
    for (const Option& option : options) {
        if (option.type != OptionType::section || option.options.empty()) continue;
        const std::string path = above + std::string(option.name);
        text += fmt::format("\n{} `{}`\n\n", heading, path) + option_rows(option.options);
        text += section_tables(option.options, heading, path + ".");
    }
    return text;
}

std::string connection_tables() {
    std::string text =
        "\n### `connections`\n\nEach has a name, and one kind with its options: `NAME: { KIND: { … "
        "} }`. "
        "A bare value is the url: `NAME: { KIND: URL }`.\n";
    for (const ConnectionKind& kind : connection_kinds()) {
        text += fmt::format("\n#### `{}`\n\n{}.\n\n", kind.name, kind.summary);
        text += option_rows(kind.options);
    }
    return text;
}

constexpr std::string_view kValues = R"(## Values

| type | |
|---|---|
| true or false | `true` and `false`, nothing else; `yes`, `no`, `on` and quoted words are text |
| duration | a number and its unit: `250ms` `2s` `5m` `1h` `7d` |
| durations | from and to: `1s..5m` |
| size | bytes, or with a unit: `512` `64KiB` `10MiB` `2GiB` |
| text | anything but a list or a map |
| texts | a text, or a list of them |
| path | a relative one begins at the folder of the file that names it; `~` is not expanded |
| secret | `!env NAME` or `!file PATH` of a private file, never the secret itself |
| connection | a name under `connections` of musher.yml |
| expression | Lua, alone: `event.size > 10*MiB` |
| steps | a list of `- NAME: { options }` |

A secret's file, or a key file, is private when nobody but its owner may read or write it (0600,
0400); where root owns it, as it does credentials of systemd, its group may read it too (0440,
0640). `!file` gives other options, a query or a message, from any file; a pipe is refused.

An option that may hold ${…} is rendered for every job: each `${expression}` in its text is
replaced, and a text that is one `${…}` and nothing else keeps the type of its value. `$${` is a
plain `${`. Every other option of a source, a step or `limits` may hold ${…} on `env` and `vars`,
which is replaced when the file is read.

Editors check and complete with pipeline.schema.json and musher.schema.json, beside this file. The
first line of a file names one of them: `# yaml-language-server: $schema=PATH`. The tags to allow
are `!env scalar` and `!file scalar`.

)";

constexpr std::string_view kTests =
    R"(`musher test` runs each on the interpreter that runs the pipeline in earnest, with the queue
in memory. Sources are simulated, and so are sinks and whatever else reaches outside (exec, sql,
…): they note what they were asked, and answer what `simulate` says or the samples of their
fields. set, log, checksum and filters do what they always do. Nothing is read or written outside
a temporary folder but the file that a test names: secrets and keys are made up. The clock goes by
itself to the next thing that is waited for.

In what is expected `*` stands for anything in a text, and a map names only what matters of it;
`receipts` lists all that the sinks took. Relative paths are shown as the file writes them. Of
steps that run others `steps` knows how often they `ran` and their `outputs`.

```yaml
version: 1
pipeline: invoices
source: { hotfolder: { path: /srv/in, match: "*.pdf" } }
steps:
  - xz_compress: { level: 6 }
  - directory: { to: "/srv/archive/${event.date}", name: "${event.name}.xz" }
on_failure:
  - http_post: { url: "https://alert.example", json: { text: "${job.error}" } }
limits: { attempts: 3, backoff: 1h }
tests:
  - name: a pdf is kept by day
    given: { event: { name: a.pdf }, at: 2026-03-29T23:30:00Z }
    expect:
      file: done
      receipts: [ { sink: directory, to: /srv/archive/2026-03-29, name: a.pdf.xz } ]
  - name: a folder that comes back
    simulate: { directory: { fails: no such folder, times: 2 } }
    expect: { attempts: 3 }
  - name: somebody hears of a failure
    simulate: { directory: { fails: no such folder } }
    expect:
      outcome: dead
      receipts: [ { sink: http_post, json: { text: "no such folder*" } } ]
```

)";

constexpr std::pair<std::string_view, std::string_view> kNames[] = {
    {"event",
     "id, source (the pipeline), key, time, date (in `timezone`), and the source's fields"},
    {"job",
     "id, pipeline, attempt; in on_failure, and in a rescue: error (a text) and failed.error "
     "(code, message, hint, context), with the dead one's id as failed.job, or failed.step"},
    {"steps.ID",
     "what an earlier step gave: its fields; of a sink also step, sink, target, bytes, "
     "sha256 and time"},
    {"body",
     "size; sha256 behind a checksum, a filter or http_get into it, until exec replaces it"},
    {"env", "`environment` of musher.yml"},
    {"vars", "`vars` of musher.yml"},
    {"now", "the time of the evaluation, as event.time"},
    {"item", "in a for_each its element, by this name or another of `as`"},
};

std::string component_pages() {
    constexpr std::pair<ComponentKind, std::string_view> kKinds[] = {
        {ComponentKind::source, "Sources"},
        {ComponentKind::step, "Steps"},
        {ComponentKind::sink, "Sinks"}};
    std::string text;
    for (const auto& [kind, heading] : kKinds) {
        text += fmt::format("## {}\n\n", heading);
        for (const Spec* spec : all_specs()) {
            if (spec->kind == kind) text += describe(*spec);
        }
    }
    return text;
}

/// What a pipeline file says under `tests`.
std::string test_tables() {
    std::string text = "### `tests`\n\n" + std::string(kTests);
    text += option_rows(test_table()) + section_tables(test_table(), "####", "tests.");
    text += "\n#### `tests.simulate.STEP`\n\n" + option_rows(answer_table());
    text += "\n#### `tests.expect.steps.STEP`\n\n" + option_rows(expected_step_table());
    return text + "\n";
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
    constexpr std::string_view kKinds[] = {"source", "step", "sink"};
    return kKinds[static_cast<std::size_t>(kind)];
}

std::string describe(const Spec& spec) {
    std::string text =
        fmt::format("### {} `{}`\n\n{}.\n\n", kind_name(spec.kind), spec.name, spec.summary);
    if (!spec.description.empty()) text += fmt::format("{}\n\n", spec.description);
    text += repeats_text(spec.repeats);
    if (!spec.options.empty()) {
        text += option_rows(spec.options);
        text += section_tables(spec.options, "####", std::string(spec.name) + ".") + "\n";
    }
    if (!spec.scalar.empty()) {
        text += fmt::format("`{0}: VALUE` is short for `{0}: {{ {1}: VALUE }}`.\n\n", spec.name,
                            spec.scalar);
    }
    if (!spec.fields.empty()) {
        text += fmt::format("| {} | |\n|---|---|\n", spec.kind == ComponentKind::source
                                                         ? "field of `event`"
                                                         : "field of `steps.ID`");
        for (const Field& field : spec.fields) {
            text += fmt::format("| `{}` | {} |\n", field.name, cell(field.help));
        }
        text += "\n";
    }
    if (!spec.example.empty()) text += fmt::format("```yaml\n{}```\n\n", spec.example);
    return text;
}

namespace {
Json option_list(const std::vector<Option>& options) {
    Json list = Json::array();
    for (const Option& option : options) {
        Json& row = list.emplace_back(Json{{"name", option.name},
                                           {"type", type_word(option.type)},
                                           {"help", option.help},
                                           {"required", option.required},
                                           {"templated", option.templated}});
        if (!option.fallback.empty()) row["default"] = default_of(option);
        if (!option.choices.empty()) row["choices"] = option.choices;
        if (option.least != INT64_MIN) row["at_least"] = option.least;
        if (option.most != INT64_MAX) row["at_most"] = option.most;
        if (!option.one_of.empty()) row["one_of"] = option.one_of;
        if (!option.options.empty()) row["options"] = option_list(option.options);
    }
    return list;
}

/// As the contract words it.
Json repeats_word(Repeats repeats) {
    switch (repeats) {
        case Repeats::never:
            break;
        case Repeats::idempotent:
            return "idempotent";
        case Repeats::after_crash:
            return "after-crash";
    }
    return nullptr;
}
}  // namespace

Json describe_json(const Spec& spec) {
    Json fields = Json::array();
    for (const Field& field : spec.fields) {
        fields.push_back(
            Json{{"name", field.name}, {"help", field.help}, {"sample", field.sample}});
    }
    const bool sink = spec.kind == ComponentKind::sink;
    return Json{{"kind", kind_name(spec.kind)},
                {"name", spec.name},
                {"summary", spec.summary},
                {"description", spec.description},
                {"repeats", sink ? repeats_word(spec.repeats) : Json(nullptr)},
                {"options", option_list(spec.options)},
                {"scalar", spec.scalar.empty() ? Json(nullptr) : Json(spec.scalar)},
                {"fields", std::move(fields)},
                {"example", spec.example}};
}

std::string describe_expressions() {
    std::string text =
        "## Expressions\n\nOne value in Lua 5.4, without assignments, files or a way out: "
        "`event.size > 10*MiB and not ends_with(event.name, \".tmp\")`. Each may run for 50 ms. A "
        "field that is not there is an error; `get` and `has` ask for it.\n\n"
        "| it sees | |\n|---|---|\n";
    for (const auto& [name, help] : kNames) text += fmt::format("| `{}` | {} |\n", name, help);
    text += "\n| it calls | | for example | gives |\n|---|---|---|---|\n";
    for (const ExpressionFunction& function : kExpressionFunctions) {
        text += fmt::format("| `{}` | {} | `{}` | `{}` |\n", cell(function.call),
                            cell(function.help), cell(function.example), cell(function.result));
    }
    return text + "\n";
}

std::string reference() {
    std::string text =
        "# Reference\n\nMade from the option tables by `musher describe --reference`.\n\n"
        "## A pipeline file\n\n";
    text += option_rows(pipeline_table()) + section_tables(pipeline_table(), "###", "");
    text += "\n### Beside a step's name\n\n" + option_rows(step_table()) + "\n";
    text += test_tables();
    text += std::string(kValues) + describe_expressions() + component_pages();
    text += "## musher.yml\n\n" + option_rows(daemon_table());
    return text + section_tables(daemon_table(), "###", "") + connection_tables();
}

}  // namespace musher
