#include "tests/support/cpp_scan.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace musher::test {

namespace {

template <std::size_t N>
bool one_of(std::string_view word, const std::array<std::string_view, N>& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}
constexpr std::array<std::string_view, 5> kTypes = {"class", "struct", "union", "enum", "concept"};
constexpr std::array<std::string_view, 3> kAccess = {"public", "private", "protected"};
/// After these a `{` opens a block and not a value.
constexpr std::array<std::string_view, 14> kBeforeBlock = {
    ")", "else",  "do",       "try",      ";",     "{",       "}",
    ":", "const", "noexcept", "override", "final", "mutable", ""};
/// After these a `[` opens a lambda though they are words.
constexpr std::array<std::string_view, 4> kBeforeLambda = {"return", "co_return", "co_await",
                                                           "co_yield"};
constexpr std::array<std::string_view, 3> kCoroutine = {"co_await", "co_return", "co_yield"};

enum class Inside { outer, function };

class Scan {
  public:
    explicit Scan(std::string_view text) : tokens_(cpp_tokens(text)) {}

    CppScan run() {
        while (at_ < tokens_.size()) {
            block(Inside::outer);
            ++at_;  // a stray closing brace
        }
        return std::move(found_);
    }

  private:
    std::string_view token(std::size_t at) const {
        return at < tokens_.size() ? tokens_[at].text : std::string_view();
    }
    int line(std::size_t at) const {
        return tokens_.empty() ? 0 : tokens_[std::min(at, tokens_.size() - 1)].line;
    }

    /// Statements up to a closing brace, which is left.
    void block(Inside inside) {
        while (at_ < tokens_.size() && token(at_) != "}") statement(inside);
    }

    void statement(Inside inside) {
        const std::size_t begin = start_of_statement();
        Statement made{line(begin)};
        int depth = 0;
        bool arrow = false;
        for (; at_ < tokens_.size(); ++at_) {
            const std::string_view word = token(at_);
            if (depth == 0 && word == "}") break;
            if (depth == 0 && word == ";") {
                ++at_;
                break;
            }
            made.awaits = made.awaits || word == "co_await";
            made.conditional = made.conditional || word == "?";
            arrow = arrow || (depth == 0 && word == "->");
            if (word == "[" && opens_lambda() && lambda()) {
                made.lambda = true;
                continue;
            }
            if (word == "{" && depth == 0 && opens_block(begin, arrow)) {
                nested(begin, inside);
                break;
            }
            made.braces = made.braces || word == "{";
            if (word == "(" || word == "{" || word == "[") ++depth;
            if (word == ")" || word == "}" || word == "]") --depth;
        }
        found_.statements.push_back(made);
    }

    /// Skips `public:` and notes the name of a type.
    std::size_t start_of_statement() {
        while (one_of(token(at_), kAccess) && token(at_ + 1) == ":") at_ += 2;
        std::size_t at = after_template(at_);
        if (one_of(token(at), kTypes)) {
            if (token(at + 1) == "class" || token(at + 1) == "struct") ++at;
            found_.types.emplace_back(token(at + 1));
        } else if (token(at) == "using" && token(at + 2) == "=") {
            found_.types.emplace_back(token(at + 1));
        }
        return at_;
    }
    std::size_t after_template(std::size_t at) const {
        if (token(at) != "template") return at;
        int depth = 0;
        for (++at; at < tokens_.size(); ++at) {
            depth += token(at) == "<" ? 1 : token(at) == ">" ? -1 : 0;
            if (depth == 0) return at + 1;
        }
        return at;
    }

    /// True for the outer words of a definition that is no function.
    bool is_frame(std::size_t begin) const {
        const std::string_view first = token(after_template(begin));
        return one_of(first, kTypes) || first == "namespace" || first == "extern" ||
               (first == "inline" && token(begin + 1) == "namespace");
    }
    bool opens_block(std::size_t begin, bool arrow) const {
        const std::string_view before = at_ == begin ? "" : token(at_ - 1);
        return arrow || is_frame(begin) || one_of(before, kBeforeBlock);
    }
    /// The block at `at_`; afterwards `at_` is behind it.
    void nested(std::size_t begin, Inside inside) {
        const std::size_t open = at_;
        const bool frame = is_frame(begin);
        const bool function = inside == Inside::outer && !frame;
        ++at_;
        block(frame ? Inside::outer : Inside::function);
        if (function) {
            std::size_t name = begin;
            while (name < open && token(name) != "(") ++name;
            found_.functions.push_back({std::string(token(name == 0 ? 0 : name - 1)), line(begin),
                                        line(at_) - line(begin) + 1});
        }
        ++at_;
    }

    bool opens_lambda() const {
        if (token(at_ + 1) == "[" || at_ == 0) return false;  // an attribute
        const std::string_view before = token(at_ - 1);
        if (one_of(before, kBeforeLambda)) return true;
        if (before == "&" && at_ > 1) return token(at_ - 2) != "auto" && token(at_ - 2) != "&";
        const char last = before.back();
        return !(std::isalnum(static_cast<unsigned char>(last)) || last == '_' || last == ')' ||
                 last == ']' || last == '>' || last == '[');
    }
    /// At the closing brace of its body afterwards; false, and nothing moved, when it is none.
    bool lambda() {
        std::size_t at = at_;
        int depth = 0;
        for (; at < tokens_.size(); ++at) {
            const std::string_view word = token(at);
            if (depth == 0 && word == "{") break;
            if (depth == 0 && at > at_ && (word == ";" || word == "," || word == ")")) return false;
            if (word == "[" || word == "(") ++depth;
            if (word == "]" || word == ")") --depth;
        }
        const std::size_t open = at;
        at_ = open + 1;
        block(Inside::function);
        for (std::size_t i = open; i < at_; ++i) {
            if (!one_of(token(i), kCoroutine)) continue;
            found_.lambda_coroutines.push_back(line(i));
            break;
        }
        return true;
    }

    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    CppScan found_;
};

}  // namespace

CppScan scan_cpp(std::string_view text) { return Scan(text).run(); }

}  // namespace musher::test
