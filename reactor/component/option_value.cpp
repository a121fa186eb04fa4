#include "reactor/component/option_value.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "reactor/base/private_file.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
using Kind = Value::Kind;

/// What a wrong value should have been, with an example where the form is musher's own.
std::string wanted(const Option& option) {
    switch (option.type) {
        case OptionType::duration:
            return "a duration such as 2s";
        case OptionType::duration_range:
            return "a range of durations such as 1s..5m";
        case OptionType::size:
            return "a size such as 10MiB";
        case OptionType::secret:
            return "a secret, from !env or !file";
        case OptionType::choice: {
            std::string all;
            for (std::size_t i = 0; i < option.choices.size(); ++i) {
                if (i > 0) all += i + 1 == option.choices.size() ? " or " : ", ";
                all += option.choices[i];
            }
            return all;
        }
        default:
            return std::string(type_name(option.type));
    }
}

/// "10MB" and "5 min" and the like: how musher writes it, if it can be told.
std::string size_hint(std::string_view text) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    std::string_view unit = text.substr(digits);
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    const char prefix = unit.empty() ? '\0' : static_cast<char>(unit.front() & ~0x20);
    const std::string_view rest = unit.empty() ? unit : unit.substr(1);
    const bool known = rest.empty() || rest == "B" || rest == "b" || rest == "iB" || rest == "ib";
    if (digits == 0 || !known || std::string_view("KMGT").find(prefix) == std::string_view::npos) {
        return "sizes are written 512, 64KiB, 10MiB or 2GiB";
    }
    const std::string right = fmt::format("{}{}iB", text.substr(0, digits), prefix);
    return right == text ? "it is too large" : "write " + right;
}

std::string duration_hint(const Value& value) {
    if (value.is(Kind::integer))
        return fmt::format("say the unit: {0}ms, {0}s or {0}m", value.text);
    return "durations are written 250ms, 2s, 5m, 1h or 7d";
}

std::string boolean_hint(std::string_view text) {
    constexpr std::string_view kYes[] = {"yes", "on", "y", "True", "TRUE", "Yes", "On", "1"};
    constexpr std::string_view kNo[] = {"no", "off", "n", "False", "FALSE", "No", "Off", "0"};
    if (text == "true" || text == "false") return "write it without quotes";
    if (std::find(std::begin(kYes), std::end(kYes), text) != std::end(kYes)) return "write true";
    if (std::find(std::begin(kNo), std::end(kNo), text) != std::end(kNo)) return "write false";
    return {};
}

class Reader {
  public:
    explicit Reader(const OptionReading& reading)
        : option_(reading.option), rendered_(reading.rendered), problems_(reading.problems) {}
    Json read(const Value& value);

  private:
    Json wrong(const Value& value, std::string hint = {});
    Json refuse(const Value& value, const char* code, std::string message, std::string hint = {});
    Json bounded(const Value& value, std::int64_t number);
    Json read_boolean(const Value& value);
    Json read_integer(const Value& value);
    Json read_text(const Value& value);
    Json read_path(const Value& value);
    Json read_secret(const Value& value);
    Json read_choice(const Value& value);
    Json read_duration(const Value& value);
    Json read_range(const Value& value);
    Json read_size(const Value& value);
    Json read_list(const Value& value);
    Json read_map(const Value& value);
    Json read_steps(const Value& value);

    /// Text from outside the file may stand for any scalar.
    bool from_text(const Value& value) const {
        return value.is(Kind::string) && (rendered_ || value.secret);
    }
    static bool holds_nul(const Value& value) { return value.text.find('\0') != value.text.npos; }
    static bool scalar(const Value& value) {
        return !value.is(Kind::list) && !value.is(Kind::map) && !value.is(Kind::null);
    }

    const Option& option_;
    bool rendered_;
    std::vector<Problem>& problems_;
};

Json Reader::refuse(const Value& value, const char* code, std::string message, std::string hint) {
    problems_.push_back(
        Problem{value.at, Problem::Severity::error, code, std::move(message), std::move(hint)});
    return nullptr;
}

Json Reader::wrong(const Value& value, std::string hint) {
    return refuse(value, "bad_type",
                  fmt::format("`{}` wants {}, found {}", option_.name, wanted(option_),
                              describe_found(value)),
                  std::move(hint));
}

Json Reader::bounded(const Value& value, std::int64_t number) {
    if (number >= option_.least && number <= option_.most) return number;
    return refuse(value, "out_of_range",
                  fmt::format("`{}` must be {}, found {}", option_.name, range_text(option_),
                              describe_found(value)));
}

Json Reader::read_boolean(const Value& value) {
    if (value.is(Kind::boolean)) return value.boolean;
    if (from_text(value) && (value.text == "true" || value.text == "false")) {
        return value.text == "true";
    }
    return wrong(value, value.secret ? "" : boolean_hint(value.text));
}

Json Reader::read_integer(const Value& value) {
    if (value.is(Kind::integer)) return bounded(value, value.integer);
    std::int64_t number = 0;
    const char* end = value.text.data() + value.text.size();
    const auto [rest, failed] = std::from_chars(value.text.data(), end, number);
    const bool whole = failed == std::errc() && rest == end;
    if (from_text(value) && whole) return bounded(value, number);
    return wrong(value, whole && !value.secret ? "write it without quotes" : "");
}

Json Reader::read_text(const Value& value) {
    if (!scalar(value)) return wrong(value);
    return value.text;
}

Json Reader::read_path(const Value& value) {
    if (!scalar(value)) return wrong(value);
    if (value.text.empty())
        return refuse(value, "bad_path", fmt::format("`{}` is empty", option_.name));
    if (holds_nul(value)) {
        return refuse(value, "bad_path", fmt::format("`{}` holds a NUL byte", option_.name),
                      "no path has one");
    }
    if (value.text == "~" || value.text.starts_with("~/")) {
        return refuse(value, "bad_path", "`~` is not expanded to a home directory",
                      "write the whole path");
    }
    const bool word = std::find(option_.choices.begin(), option_.choices.end(), value.text) !=
                      option_.choices.end();
    if (word || value.text.front() == '/' || option_.folder == Folder::aside || !value.at.file) {
        return value.text;
    }
    std::error_code failed;
    const std::filesystem::path folder = std::filesystem::path(*value.at.file).parent_path();
    return (std::filesystem::absolute(folder / value.text, failed)).lexically_normal().string();
}

/// Only options that are secrets by their type want their file private: a query or a message may
/// come from !file as well.
Json Reader::read_secret(const Value& value) {
    constexpr std::string_view kTag = "!file ";
    if (!value.origin.starts_with(kTag) || !value.at.file) return read_text(value);
    const std::filesystem::path folder = std::filesystem::path(*value.at.file).parent_path();
    const std::string path = (folder / value.origin.substr(kTag.size())).string();
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return read_text(value);  // it was read already
    const Result<void> closed = check_private(info, "the secret file " + path, path);
    if (closed) return read_text(value);
    return refuse(value, "exposed_secret",
                  fmt::format("`{}`: {}", option_.name, closed.error().message),
                  closed.error().hint);
}

Json Reader::read_choice(const Value& value) {
    if (!scalar(value)) return wrong(value);
    const auto& choices = option_.choices;
    if (std::find(choices.begin(), choices.end(), value.text) != choices.end()) return value.text;
    const auto meant = value.secret ? std::nullopt : nearest(value.text, choices);
    return refuse(value, "bad_choice",
                  fmt::format("`{}` must be {}, found {}", option_.name, wanted(option_),
                              describe_found(value)),
                  meant ? fmt::format("did you mean `{}`?", *meant) : "");
}

Json Reader::read_duration(const Value& value) {
    const auto parsed = parse_duration(value.text);
    if (!scalar(value) || !parsed) return wrong(value, value.secret ? "" : duration_hint(value));
    return bounded(value, std::chrono::duration_cast<milliseconds>(*parsed).count());
}

Json Reader::read_range(const Value& value) {
    const std::size_t dots = value.text.find("..");
    const std::string_view text = value.text;
    const auto from = parse_duration(text.substr(0, dots));
    const auto to = dots == std::string::npos ? from : parse_duration(text.substr(dots + 2));
    if (!scalar(value) || !from || !to)
        return wrong(value, value.secret ? "" : duration_hint(value));
    if (*from > *to) {
        return refuse(value, "out_of_range",
                      fmt::format("`{}` begins with the longer duration", option_.name),
                      fmt::format("write {}..{}", format_duration(*to), format_duration(*from)));
    }
    return Json{{"from", std::chrono::duration_cast<milliseconds>(*from).count()},
                {"to", std::chrono::duration_cast<milliseconds>(*to).count()}};
}

Json Reader::read_size(const Value& value) {
    const auto parsed = parse_size(value.text);
    if (!scalar(value) || !parsed) return wrong(value, value.secret ? "" : size_hint(value.text));
    return bounded(value, static_cast<std::int64_t>(*parsed));
}

Json Reader::read_list(const Value& value) {
    const auto refused = [this](const Value& item) {
        return refuse(item, "bad_text", fmt::format("`{}` holds a NUL byte", option_.name),
                      "no name and no argument has one");
    };
    if (scalar(value)) {
        return holds_nul(value) ? refused(value) : Json::array({value.text});
    }
    if (!value.is(Kind::list)) return wrong(value);
    Json list = Json::array();
    for (const Value& item : value.items) {
        if (item.faulty) continue;
        if (!scalar(item)) return wrong(item);
        if (holds_nul(item)) return refused(item);
        list.push_back(item.text);
    }
    return list;
}

Json Reader::read_map(const Value& value) {
    if (!value.is(Kind::map)) return wrong(value);
    Json map = Json::object();
    for (const Value::Entry& entry : value.entries) {
        if (entry.value.faulty) continue;
        if (scalar(entry.value)) {
            map[entry.key] = entry.value.text;
            continue;
        }
        const bool formulas = option_.type == OptionType::expression_map;
        refuse(entry.value, "bad_type",
               fmt::format("`{}.{}` wants {}, found {}", option_.name, entry.key,
                           formulas ? "an expression" : "text", describe_found(entry.value)));
    }
    return map;
}

/// Only the outer shape: what the steps say is for the reader of pipeline files to judge.
Json Reader::read_steps(const Value& value) {
    if (!value.is(Kind::list)) return wrong(value, "begin each one with `- `");
    return value.to_json(true);
}

Json Reader::read(const Value& value) {
    // A section has its shape even so: its readers ask for what is in it.
    if (value.faulty && option_.type != OptionType::section) return nullptr;
    const bool has_template = option_.templated && !rendered_ && value.is(Kind::string) &&
                              !value.secret && value.text.find("${") != std::string::npos;
    if (has_template && option_.type != OptionType::text_list &&
        option_.type != OptionType::text_map) {
        return value.text;
    }
    switch (option_.type) {
        case OptionType::boolean:
            return read_boolean(value);
        case OptionType::integer:
            return read_integer(value);
        case OptionType::duration:
            return read_duration(value);
        case OptionType::duration_range:
            return read_range(value);
        case OptionType::size:
            return read_size(value);
        case OptionType::choice:
            return read_choice(value);
        case OptionType::path:
            return read_path(value);
        case OptionType::text:
        case OptionType::connection:
        case OptionType::expression:
            return read_text(value);
        case OptionType::secret:
            if (value.secret) return read_secret(value);
            return refuse(
                value, "literal_secret",
                fmt::format("`{}` is a secret and must not stand in the file", option_.name),
                "write !env NAME or !file PATH");
        case OptionType::text_list:
            return read_list(value);
        case OptionType::text_map:
        case OptionType::expression_map:
            return read_map(value);
        case OptionType::any:
            return value.to_json(true);
        case OptionType::steps:
        case OptionType::cases:
        case OptionType::branches:
            return read_steps(value);
        case OptionType::section:
            return decode(option_.options, with_shorthand(value, option_.scalar), option_.name,
                          problems_)
                .values();
    }
    return nullptr;
}
}  // namespace

Json read_option(const OptionReading& reading, const Value& value) {
    return Reader(reading).read(value);
}

}  // namespace musher
