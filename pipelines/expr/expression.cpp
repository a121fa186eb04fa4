#include "pipelines/expr/expression.h"

#include <cctype>

#include "pipelines/expr/functions.h"
#include "pipelines/expr/lua_sandbox.h"

namespace musher {

namespace {
constexpr std::size_t kShown = 100;  // bytes of an expression in a message

bool is_name(std::string_view text) {
    if (text.empty() || std::isdigit(static_cast<unsigned char>(text.front()))) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
    });
}

constexpr std::string_view kRoots[] = {"event", "job", "steps", "body", "env", "vars", "now"};
constexpr std::string_view kKeywords[] = {"and",   "break", "do",       "else", "elseif", "end",
                                          "false", "for",   "function", "goto", "if",     "in",
                                          "local", "nil",   "not",      "or",   "repeat", "return",
                                          "then",  "true",  "until",    "while"};

/// The names of "event.row.name"; nothing for whatever says more than that.
std::vector<std::string> plain_path(std::string_view text) {
    std::vector<std::string> names;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t dot = std::min(text.find('.', from), text.size());
        const std::string_view name = text.substr(from, dot - from);
        if (!is_name(name)) return {};
        names.emplace_back(name);
        from = dot + 1;
    }
    const bool known =
        std::find(std::begin(kRoots), std::end(kRoots), names.front()) != std::end(kRoots);
    return known ? names : std::vector<std::string>();
}
}  // namespace

Result<void> check_free_name(std::string_view name) {
    const std::string shown = "`" + std::string(name) + "`";
    if (!is_name(name)) {
        return fail(Errc::usage, shown + " is no name", "letters, digits and _, no digit first");
    }
    const auto among = [&](const auto& names) {
        return std::find(std::begin(names), std::end(names), name) != std::end(names);
    };
    if (among(kKeywords)) return fail(Errc::usage, shown + " is a word of Lua's own");
    const bool function =
        std::any_of(std::begin(kExpressionFunctions), std::end(kExpressionFunctions),
                    [&](const auto& one) { return one.name == name; });
    if (!function && !among(kRoots)) return {};
    return fail(Errc::usage, shown + " means something to expressions already");
}

bool mentions(std::string_view expression, std::string_view name) {
    const auto in_name = [&](std::size_t at) {
        return at < expression.size() &&
               (std::isalnum(static_cast<unsigned char>(expression[at])) || expression[at] == '_');
    };
    for (std::size_t at = expression.find(name); at != std::string_view::npos;
         at = expression.find(name, at + 1)) {
        if (!(at > 0 && in_name(at - 1)) && !in_name(at + name.size())) return true;
    }
    return false;
}

std::string_view kind_of(const Json& value) {
    if (value.is_null()) return "nothing (nil)";
    if (value.is_boolean()) return "true or false";
    if (value.is_number()) return "a number";
    if (value.is_string()) return "text";
    return value.is_array() ? "a list" : "a map";
}

std::string position_text(const Position& at) {
    std::string text = at.file ? *at.file : std::string();
    for (const int number : {at.line, at.column}) {
        if (number <= 0) break;
        text += (text.empty() ? "line " : ":") + std::to_string(number);
    }
    return text;
}

Position position_in(const Position& at, std::string_view text, std::size_t offset) {
    Position place = at;
    const bool lines = text.find('\n') != std::string_view::npos;
    const bool known =
        at.flow == Position::Flow::block || (at.flow == Position::Flow::line && !lines);
    if (at.column <= 0 || !known) return place;
    place.flow = Position::Flow::line;
    for (const char c : text.substr(0, offset)) {
        if (c == '\n') {
            ++place.line;
            place.column = at.column;
        } else if ((static_cast<unsigned char>(c) & 0xc0u) != 0x80u) {
            ++place.column;
        }
    }
    return place;
}

Expression::Expression(std::shared_ptr<LuaSandbox> sandbox, int chunk, std::string text,
                       Position at)
    : sandbox_(std::move(sandbox)),
      chunk_(chunk),
      text_(std::move(text)),
      at_(std::move(at)),
      path_(plain_path(text_)) {}

Result<Expression> Expression::compile(std::shared_ptr<LuaSandbox> sandbox, const std::string& text,
                                       const Position& at, Position* fault) {
    std::size_t offset = 0;
    const auto chunk = sandbox->compile(text, offset);
    Expression expression(std::move(sandbox), chunk.value_or(0), text, at);
    if (chunk) return expression;
    const Position place = position_in(at, text, offset);
    if (fault) *fault = place;
    expression.at_ = place;
    return fail(expression.explain(chunk.error()));
}

const Json* Expression::follow(const Bindings& bindings) const {
    if (path_.empty()) return nullptr;
    const Json* node = &bindings;
    for (const std::string& name : path_) {
        if (!node->is_object()) return nullptr;
        const auto found = node->find(name);
        if (found == node->end()) return nullptr;
        node = &*found;
    }
    return node;
}

Result<Json> Expression::evaluate(const Bindings& bindings) const {
    // Whatever goes wrong on the short way is Lua's to explain.
    if (const Json* node = follow(bindings)) return *node;
    auto value = sandbox_->evaluate(chunk_, bindings);
    if (!value) return fail(explain(std::move(value).error()));
    return value;
}

Result<bool> Expression::test(const Bindings& bindings) const {
    MUSHER_TRY(const Json value, evaluate(bindings));
    if (value.is_boolean()) return value.get<bool>();
    return fail(explain(
        Error(Errc::usage, "the value is " + std::string(kind_of(value)) + ", not true or false")));
}

Error Expression::explain(Error error) const {
    std::size_t size = std::min(text_.find_last_not_of(" \t\r\n") + 1, text_.size());
    const std::string place = position_text(at_);
    if (size == 0) return place.empty() ? error : std::move(error).within(place);
    const bool cut = size > kShown;
    if (cut) size = kShown;
    while (cut && size > 0 && (static_cast<unsigned char>(text_[size]) & 0xc0u) == 0x80u) --size;
    error.message += " in `" + text_.substr(0, size) + (cut ? "…`" : "`");
    return place.empty() ? error : std::move(error).within(place);
}

}  // namespace musher
