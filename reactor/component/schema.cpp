#include "reactor/component/schema.h"

#include <fmt/format.h>

#include "reactor/base/text.h"
#include "reactor/component/option_value.h"

namespace musher {

namespace {
struct TypeText {
    OptionType type;
    std::string_view word;
    std::string_view name;
};
constexpr TypeText kTypes[] = {
    {OptionType::boolean, "true or false", "true or false"},
    {OptionType::integer, "number", "a whole number"},
    {OptionType::text, "text", "text"},
    {OptionType::path, "path", "a path"},
    {OptionType::duration, "duration", "a duration"},
    {OptionType::duration_range, "durations", "a range of durations"},
    {OptionType::size, "size", "a size"},
    {OptionType::choice, "choice", "one of its choices"},
    {OptionType::text_list, "texts", "text or a list of texts"},
    {OptionType::text_map, "map of texts", "a map of names to texts"},
    {OptionType::any, "any", "any value"},
    {OptionType::expression, "expression", "an expression"},
    {OptionType::expression_map, "map of expressions", "a map of names to expressions"},
    {OptionType::secret, "secret", "a secret"},
    {OptionType::connection, "connection", "the name of a connection"},
    {OptionType::steps, "steps", "a list of steps"},
    {OptionType::cases, "cases", "a list of { when, steps }"},
    {OptionType::branches, "lists of steps", "a list of lists of steps"},
    {OptionType::section, "map", "a map of options"},
};
constexpr bool in_order() {
    for (std::size_t i = 0; i < std::size(kTypes); ++i) {
        if (static_cast<std::size_t>(kTypes[i].type) != i) return false;
    }
    return std::size(kTypes) == static_cast<std::size_t>(OptionType::section) + 1;
}
static_assert(in_order());

void report(std::vector<Problem>& problems, const Position& at, const char* code,
            std::string message, std::string hint) {
    problems.push_back(
        Problem{at, Problem::Severity::error, code, std::move(message), std::move(hint)});
}

void report_unknown(const std::vector<Option>& table, const Value::Entry& entry,
                    std::string_view what, std::vector<Problem>& problems) {
    std::vector<std::string_view> names;
    for (const Option& option : table) names.push_back(option.name);
    const auto meant = nearest(entry.key, names);
    report(problems, entry.at, "unknown_key", fmt::format("{} has no option `{}`", what, entry.key),
           meant           ? fmt::format("did you mean `{}`?", *meant)
           : names.empty() ? "it takes no options"
                           : fmt::format("it has: {}", fmt::join(names, ", ")));
}

/// Tables write a default as it would stand in YAML; lists and maps of them are JSON.
Value fallback_value(const Option& option, const Position& at) {
    Value value;
    value.kind = Value::Kind::string;
    value.at = at;
    value.text = option.fallback;
    if (!option.fallback.starts_with('[') && !option.fallback.starts_with('{')) return value;
    const Result<Json> parsed = parse_json(option.fallback);
    MUSHER_CHECK(parsed.has_value());
    value.kind = parsed->is_array() ? Value::Kind::list : Value::Kind::map;
    for (const auto& [key, item] : parsed->items()) {
        Value child;
        child.kind = Value::Kind::string;
        child.at = at;
        child.text = item.is_string() ? item.get<std::string>() : item.dump();
        if (parsed->is_array()) {
            value.items.push_back(std::move(child));
        } else {
            value.entries.push_back(Value::Entry{key, at, std::move(child)});
        }
    }
    return value;
}

/// `one_of`: the second one given is at fault, or the map that has none.
void check_alternatives(const std::vector<Option>& table, const Value& map, std::string_view what,
                        std::vector<Problem>& problems) {
    struct Group {
        std::vector<std::string_view> names;
        int given = 0;
    };
    std::map<std::string_view, Group> groups;
    for (const Option& option : table) {
        if (option.one_of.empty()) continue;
        groups[option.one_of].names.push_back(option.name);
    }
    for (const Value::Entry& entry : map.entries) {
        for (auto& [word, group] : groups) {
            const auto& names = group.names;
            if (std::find(names.begin(), names.end(), entry.key) == names.end()) continue;
            if (++group.given != 2) continue;
            report(problems, entry.at, "conflicting_options",
                   fmt::format("{} takes only one of {}", what, fmt::join(names, ", ")), "");
        }
    }
    for (const auto& [word, group] : groups) {
        if (group.given > 0) continue;
        report(problems, map.at, "missing_option",
               fmt::format("{} needs one of {}", what, fmt::join(group.names, ", ")), "");
    }
}

Json decode_absent(const Option& option, const Value& map, std::string_view what,
                   std::vector<Problem>& problems) {
    if (option.required) {
        report(problems, map.at, "missing_option",
               fmt::format("{} needs the option `{}`", what, option.name),
               fmt::format("{}: {}", option.name, option.help));
        return nullptr;
    }
    std::vector<Problem> faults;
    if (option.type == OptionType::section) {
        // A section that is left out has its defaults; nothing in it is missed.
        Value none;
        none.at = map.at;
        return decode(option.options, none, option.name, faults).values();
    }
    if (option.fallback.empty()) return nullptr;
    Json value = read_option({option, true, faults}, fallback_value(option, map.at));
    MUSHER_CHECK(faults.empty());
    return value;
}

void note_secrets(std::string_view name, const Value& value, Options& into) {
    if (value.secret) into.add_secret(name, value.text);
    for (const Value& item : value.items) note_secrets(name, item, into);
    for (const Value::Entry& entry : value.entries) note_secrets(name, entry.value, into);
}
}  // namespace

std::string_view type_name(OptionType type) { return kTypes[static_cast<std::size_t>(type)].name; }
std::string_view type_word(OptionType type) { return kTypes[static_cast<std::size_t>(type)].word; }

bool holds_steps(const Option& option) {
    return option.type == OptionType::steps || option.type == OptionType::cases ||
           option.type == OptionType::branches;
}

std::string range_text(const Option& option) {
    const auto shown = [&](std::int64_t bound) {
        if (option.type == OptionType::duration) return format_duration(milliseconds(bound));
        if (option.type == OptionType::size) return format_size(static_cast<std::uint64_t>(bound));
        return std::to_string(bound);
    };
    const bool open_below = option.least == INT64_MIN;
    const bool open_above = option.most == INT64_MAX;
    if (open_below && open_above) return {};
    if (open_below) return "at most " + shown(option.most);
    if (open_above) return "at least " + shown(option.least);
    return "from " + shown(option.least) + " to " + shown(option.most);
}

Value with_shorthand(const Value& value, std::string_view scalar) {
    if (value.is(Value::Kind::map) || value.faulty) return value;
    Value map;
    map.kind = Value::Kind::map;
    map.at = value.at;
    if (value.is(Value::Kind::null)) return map;
    if (scalar.empty()) return value;
    map.entries.push_back(Value::Entry{std::string(scalar), value.at, value});
    return map;
}

Options decode(const std::vector<Option>& table, const Value& map, std::string_view what,
               std::vector<Problem>& problems) {
    Json decoded = Json::object();
    const bool readable = map.is(Value::Kind::map) || map.is(Value::Kind::null);
    if (!readable && !map.faulty) {
        report(problems, map.at, "bad_type",
               fmt::format("{} wants a map of options, found {}", what, describe_found(map)), "");
    }
    const bool silent = !readable || map.faulty;
    if (!silent) check_alternatives(table, map, what, problems);
    for (const Value::Entry& entry : map.entries) {
        const auto known = std::find_if(table.begin(), table.end(), [&](const Option& option) {
            return option.name == entry.key;
        });
        if (known == table.end()) {
            report_unknown(table, entry, what, problems);
        } else {
            decoded[entry.key] = read_option({*known, false, problems}, entry.value);
        }
    }
    for (const Option& option : table) {
        if (decoded.contains(option.name)) continue;
        std::vector<Problem> unsaid;
        decoded[std::string(option.name)] =
            decode_absent(option, map, what, silent ? unsaid : problems);
    }
    Options options(std::move(decoded));
    for (const Value::Entry& entry : map.entries) note_secrets(entry.key, entry.value, options);
    return options;
}

Result<Json> convert_text(const Option& option, const std::string& text, const Position& at) {
    Value value;
    value.kind = Value::Kind::string;
    value.at = at;
    value.text = text;
    value.secret = option.type == OptionType::secret;
    std::vector<Problem> problems;
    Json converted = read_option({option, true, problems}, value);
    if (problems.empty()) return converted;
    return fail(Errc::usage, std::move(problems.front().message), std::move(problems.front().hint));
}

std::vector<std::string> literal_ends(const std::string& text) {
    const std::size_t first = text.find("${");
    if (first == std::string::npos) return {text};
    const std::size_t last = text.rfind('}');
    const std::size_t behind = last == std::string::npos || last < first ? text.size() : last + 1;
    return {text.substr(0, first), text.substr(behind)};
}

void collect(Faults& faults, Result<void> result) {
    if (!result) faults.push_back(std::move(result).error());
}

}  // namespace musher
