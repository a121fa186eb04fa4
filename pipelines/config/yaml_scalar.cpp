#include "pipelines/config/yaml_scalar.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "reactor/base/fd.h"
#include "reactor/base/limits.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
void report(Value& value, std::vector<Problem>& problems, const char* code, std::string message,
            std::string hint) {
    problems.push_back(
        Problem{value.at, Problem::Severity::error, code, std::move(message), std::move(hint)});
    value.faulty = true;
}

bool parse_integer(std::string_view text, std::int64_t& number) {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0o")) {
        base = text[1] == 'x' ? 16 : 8;
        text.remove_prefix(2);
        if (text.starts_with('-')) return false;
    } else if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return false;
    }
    const char* end = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data(), end, number, base);
    return failed == std::errc() && rest == end;
}

bool parse_real(std::string_view text, double& number) {
    if (text == ".inf" || text == "+.inf" || text == "-.inf") {
        number = std::numeric_limits<double>::infinity() * (text.front() == '-' ? -1 : 1);
        return true;
    }
    if (text == ".nan") {
        number = std::numeric_limits<double>::quiet_NaN();
        return true;
    }
    // from_chars knows "inf", "nan" and "infinity" too, which are text here.
    if (text.find_first_not_of("+-.0123456789eE") != std::string_view::npos) return false;
    if (text.starts_with('+')) text.remove_prefix(1);
    const char* end = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data(), end, number);
    return failed == std::errc() && rest == end;
}

void type_plain(Value& value) {
    if (value.text.empty() || value.text == "~" || value.text == "null") {
        value.kind = Value::Kind::null;
    } else if (value.text == "true" || value.text == "false") {
        value.kind = Value::Kind::boolean;
        value.boolean = value.text == "true";
    } else if (parse_integer(value.text, value.integer)) {
        value.kind = Value::Kind::integer;
    } else if (parse_real(value.text, value.real)) {
        value.kind = Value::Kind::real;
    }
}

void read_variable(Value& value, std::vector<Problem>& problems, Secrets secrets) {
    value.origin = "!env " + value.text;
    const std::string name = std::exchange(value.text, {});
    if (name.empty()) {
        return report(value, problems, "bad_tag", "`!env` wants the name of a variable",
                      "write !env NAME");
    }
    value.faulty = secrets == Secrets::leave;
    if (value.faulty) return;
    const char* found = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets
    if (!found) {
        return report(value, problems, "unset_variable",
                      fmt::format("the environment variable {} is not set", name),
                      fmt::format("set it for the process, e.g. `export {0}=…` or "
                                  "`Environment={0}=…` in the unit",
                                  name));
    }
    value.text = found;
}

/// A key of raw bytes may end in a byte that looks like a line break: only text has lines.
void strip_line_break(std::string& content) {
    const bool text =
        is_utf8(content) && std::none_of(content.begin(), content.end(), [](char c) {
            return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
        });
    if (!text || !content.ends_with('\n')) return;
    content.pop_back();
    if (content.ends_with('\r')) content.pop_back();
}

void read_secret_file(Value& value, std::vector<Problem>& problems, Secrets secrets) {
    const std::string name = std::exchange(value.text, {});
    value.origin = "!file " + name;
    if (name.empty()) {
        return report(value, problems, "bad_tag", "`!file` wants a path", "write !file PATH");
    }
    value.faulty = secrets == Secrets::leave;
    if (value.faulty) return;
    const std::filesystem::path path = std::filesystem::path(*value.at.file).parent_path() / name;
    Result<std::string> content = read_small_file(path.string(), limits::kSecretBytes);
    if (!content) {
        const bool large = content.error().code == Errc::usage;
        return report(value, problems, "unreadable_file",
                      large ? fmt::format("{} is larger than {} KiB, too large for a secret",
                                          path.string(), limits::kSecretBytes >> 10)
                            : content.error().text(),
                      "it must be a small file that the user running musher can read");
    }
    strip_line_break(*content);
    value.text = std::move(*content);
}
}  // namespace

void report_tag(const std::string& tag, const Value& value, std::vector<Problem>& problems) {
    const bool known = tag == "!env" || tag == "!file";
    std::string shown = tag.starts_with("tag:yaml.org,2002:") ? "!!" + tag.substr(18) : tag;
    problems.push_back(Problem{
        value.at, Problem::Severity::error, "bad_tag",
        known ? fmt::format("`{}` wants one text behind it", shown)
              : fmt::format("unknown tag `{}`", shown),
        shown == "!!str" ? "quotes make text: \"5\"" : "the tags are !env NAME and !file PATH"});
}

Value make_scalar(const std::string& text, const std::string& tag, const Position& at,
                  std::vector<Problem>& problems, Secrets secrets) {
    Value value;
    value.kind = Value::Kind::string;
    value.at = at;
    value.text = text;
    if (tag == "!env" || tag == "!file") {
        value.secret = true;
        const auto read = tag == "!env" ? read_variable : read_secret_file;
        read(value, problems, secrets);
    } else if (tag == "?") {
        type_plain(value);
    } else if (tag != "!") {
        report_tag(tag, value, problems);
        value.faulty = true;
    }
    return value;
}

namespace {
struct Wording {
    std::string_view theirs;
    std::string_view ours;
    std::string_view hint;
};
constexpr Wording kWordings[] = {
    {"illegal tab", "a tab cannot indent YAML", "indent with spaces"},
    {"end of map flow", "this `{` is never closed", "a `}` is missing"},
    {"end of sequence flow", "this `[` is never closed", "a `]` is missing"},
    {"end of map not found", "this line is not indented like the lines it belongs to",
     "keys of one map begin in the same column"},
    {"end of sequence not found", "this line is not indented like the lines it belongs to",
     "the `-` of one list begin in the same column"},
    {"illegal map value", "a `:` where no value can stand",
     "quote text that holds `: `, and leave a blank behind a key's colon"},
    {"illegal map key", "a key cannot stand here", ""},
    {"illegal block entry", "a list's `-` cannot stand here", "begin the list in a new line"},
    {"illegal flow end", "a closing bracket without its opening one", ""},
    {"anchor is not defined", "`*` names an anchor, and there is none of that name",
     "quote text that begins with `*`: \"*.pdf\""},
    {"alias not found", "`*` names an anchor", "quote text that begins with `*`: \"*.pdf\""},
    {"scanning alias", "`*` names an anchor", "quote text that begins with `*`: \"*.pdf\""},
    {"anchor not found", "`&` makes an anchor and wants its name",
     "quote text that begins with `&`"},
    {"scanning anchor", "`&` makes an anchor and wants its name",
     "quote text that begins with `&`"},
    {"unknown token", "text cannot begin with this character", "quote it"},
    {"unknown escape", "unknown escape in \"…\"",
     "write \\\\ for a backslash, or use '…', where it means itself"},
    {"multiple tags", "a value has one tag", ""},
    {"multiple anchors", "a value has one anchor", ""},
    {"illegal EOF", "the text is never closed", "a quote is missing"},
    {"indicator in scalar", "`---` inside a text that is not closed", "a quote is missing"},
};

bool tab_indents(std::string_view line) {
    return line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}
}  // namespace

Problem explain_syntax(const SyntaxFault& fault) {
    Problem problem{fault.opened, Problem::Severity::error, "syntax", "not YAML: " + fault.message,
                    ""};
    for (const Wording& wording : kWordings) {
        if (fault.message.find(wording.theirs) == std::string::npos) continue;
        problem.message = wording.ours;
        problem.hint = wording.hint;
        break;
    }
    if (tab_indents(fault.line)) {
        problem.at = fault.at;
        problem.at.column = static_cast<int>(fault.line.find('\t')) + 1;
        problem.message = "a tab cannot indent YAML";
        problem.hint = "indent with spaces";
    } else if (fault.column > 0 && fault.line.substr(fault.column - 1).starts_with("${")) {
        problem.at = fault.at;
        problem.message = "`${` inside { } or [ ] is read as YAML";
        problem.hint = "quote the text: \"${…}\"";
    }
    return problem;
}

}  // namespace musher
