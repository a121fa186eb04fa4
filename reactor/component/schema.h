// Option tables: the one description of a component, from which decoding, `check`, `describe`,
// REFERENCE.md, the JSON Schema and completion are made.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/base/clock.h"
#include "reactor/component/value.h"

namespace musher {

enum class OptionType {
    boolean,
    integer,
    text,         // a string; ${…} allowed where the option is templated
    path,         // a string; relative ones are resolved against the pipeline file's folder
    duration,     // decoded to milliseconds
    duration_range,  // "1s..5m" → {"from": ms, "to": ms}
    size,         // decoded to bytes
    choice,       // one of `choices`
    text_list,    // a list of strings, or one string
    text_map,     // string → scalar
    any,          // whatever YAML can say, to JSON
    expression,   // a bare Lua expression, kept as text
    expression_map,  // name → bare Lua expression
    secret,       // a string that must come from !env or !file
    connection,   // the name of an entry under `connections:`
    steps,        // a list of steps
};

struct Option {
    std::string_view name;
    OptionType type = OptionType::text;
    std::string_view help;
    std::string_view fallback = {};  // as it would stand in YAML; empty: none
    bool required = false;
    bool templated = false;               // ${…} is rendered for every job
    std::vector<std::string_view> choices = {};
    std::int64_t least = INT64_MIN;       // bounds of integers, sizes and durations
    std::int64_t most = INT64_MAX;
};

/// One field that a component adds: to `event` (sources) or to `steps.ID` (steps, sinks).
struct Field {
    std::string_view name;
    std::string_view help;
    Json sample;  // what `check` evaluates expressions on
};

enum class ComponentKind { source, step, sink };
enum class Repeats { never, idempotent, after_crash };

struct Spec {
    ComponentKind kind;
    std::string_view name;
    std::string_view summary;      // one line, no full stop
    std::string_view description;  // paragraphs
    std::vector<Option> options;
    std::vector<Field> fields;
    std::string_view example;      // a whole pipeline file that passes `check`
    Repeats repeats = Repeats::never;  // sinks: what a crash between effect and receipt does
    std::string_view scalar = {};  // the option meant by a bare value, as in `log: "text"`
};

std::string_view type_name(OptionType type);  // as REFERENCE.md prints it

/// Decoded options: canonical JSON (durations in ms, sizes in bytes), every default filled in.
/// Getters abort on a name or type that the table does not have: that is a programmer's error.
class Options {
  public:
    Options() = default;
    explicit Options(Json values) : values_(std::move(values)) {}

    bool has(std::string_view name) const;  // set, or has a default
    bool flag(std::string_view name) const;
    std::int64_t integer(std::string_view name) const;
    std::string text(std::string_view name) const;  // "" when absent
    milliseconds duration(std::string_view name) const;
    std::vector<std::string> list(std::string_view name) const;
    const Json& json(std::string_view name) const;  // null when absent

    const Json& values() const { return values_; }

  private:
    const Json& at(std::string_view name) const;
    Json values_ = Json::object();
};

/// Checks a map against a table and converts it. Every fault is appended to `problems`; the
/// result is complete only if none was added. Strings with ${…} in templated options stay text.
/// `at` is where a missing required option is reported.
Options decode(const std::vector<Option>& table, const Value& map, std::string_view what,
               std::vector<Problem>& problems);

/// One value by its type, for options whose text was rendered at run time.
Result<Json> convert_text(const Option& option, const std::string& text);

}  // namespace musher
