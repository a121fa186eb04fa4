// Option tables: the one description of a component, from which decoding, `check`, `describe`,
// REFERENCE.md, the JSON Schema and completion are made.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/component/control.h"
#include "reactor/component/options.h"
#include "reactor/component/value.h"

namespace musher {

enum class OptionType {
    boolean,
    integer,
    text,            // a string; ${…} allowed where the option is templated
    path,            // a string; relative ones start at the folder of the file that holds them
    duration,        // decoded to milliseconds
    duration_range,  // "1s..5m" or "5s" → {"from": ms, "to": ms}
    size,            // decoded to bytes
    choice,          // one of `choices`
    text_list,       // a list of strings, or one string
    text_map,        // string → scalar
    any,             // whatever YAML can say, to JSON
    expression,      // a bare Lua expression, kept as text
    expression_map,  // name → bare Lua expression
    secret,          // a string that must come from !env or !file
    connection,      // the name of an entry under `connections:`; `choices` are its possible kinds
    steps,           // a list of steps
    cases,           // a list of {when, steps}
    branches,        // a list of lists of steps
    section,         // a map with a table of its own: `options`
};

/// What a path is to the folders that pipelines watch; `check` looks for circles with it.
enum class Folder {
    none,
    watched,  // every file that comes into it becomes an event
    written,  // files are put into it
    aside,    // originals are moved there, unseen by their source; relative to the one watched;
              // `choices` are words that are no path
};

struct Option {
    std::string_view name;
    OptionType type = OptionType::text;
    std::string_view help;
    std::string_view fallback = {};  // as it would stand in YAML, lists as JSON; empty: none
    bool required = false;
    bool templated = false;  // ${…} is rendered for every job
    std::vector<std::string_view> choices = {};
    std::int64_t least = INT64_MIN;  // bounds of integers, sizes and durations
    std::int64_t most = INT64_MAX;   // (durations: milliseconds)
    Folder folder = Folder::none;
    std::string_view one_of = {};  // of the options with the same word here, exactly one is given
    std::vector<Option> options = {};  // of a section; these are neither templated nor expressions
    std::string_view scalar = {};      // of a section: the option meant by a bare value
};

/// One field that a component adds: to `event` (sources) or to `steps.ID` (steps, sinks).
struct Field {
    std::string_view name;
    std::string_view help;
    /// What `check` evaluates expressions on; {}: fields that nobody can foretell. The name `*`
    /// stands for such fields beside the named ones.
    Json sample;
};

enum class ComponentKind { source, step, sink };
enum class Repeats { never, idempotent, after_crash };

using Faults = std::vector<Error>;

struct Spec {
    ComponentKind kind;
    std::string_view name;
    std::string_view summary;      // one line, no full stop
    std::string_view description;  // paragraphs
    std::vector<Option> options;
    std::vector<Field> fields;
    std::string_view example;          // a whole pipeline file that passes `check`
    Repeats repeats = Repeats::never;  // sinks: what a crash between effect and receipt does
    std::string_view scalar = {};      // the option meant by a bare value, as in `log: "text"`
    /// What no table can say (a cron line, one of two options): null, or a function that gives all
    /// faults of the options as written, which may still hold ${…} where they are templated, and
    /// null where the table found a fault. Each names the option to blame in backticks, where there
    /// is one (`headers.X` for one of a map); what names a faulty option is not reported again.
    Faults (*check)(const Options& options) = nullptr;
    Control control = Control::none;
    /// Of a step: it asks a server, and one that is away holds the pipeline as a broken sink does.
    bool asks_server = false;
};

/// Whether its value is steps, or lists of them.
bool holds_steps(const Option& option);
/// "from 0 to 9", "at least 100ms", …; "" for an option without bounds.
std::string range_text(const Option& option);
std::string_view type_name(OptionType type);  // "a duration", for messages
std::string_view type_word(OptionType type);  // "duration", as REFERENCE.md prints it

/// For checks of text that may hold ${…}: what stands before the first and behind the last of
/// them; the whole text without one.
std::vector<std::string> literal_ends(const std::string& text);
/// Adds the error, if there is one.
void collect(Faults& faults, Result<void> result);

/// `value` as the map that a component or section wants: a bare value is its `scalar` option,
/// nothing is an empty map.
Value with_shorthand(const Value& value, std::string_view scalar);

/// Checks a map (or nothing, for an empty one) against a table and converts it. Every fault is
/// appended to `problems`; the result is complete only if none was added. A missing required
/// option is reported where the map begins. Strings with ${…} in templated options stay text.
/// What came from !env or !file becomes a secret of its option.
/// `what` names the component or section in messages: "hotfolder".
Options decode(const std::vector<Option>& table, const Value& map, std::string_view what,
               std::vector<Problem>& problems);

/// One value by its type, for options whose text was rendered at run time; a relative path starts
/// at the folder of `at.file`. Messages do not repeat the text of secrets.
Result<Json> convert_text(const Option& option, const std::string& text, const Position& at = {});

}  // namespace musher
