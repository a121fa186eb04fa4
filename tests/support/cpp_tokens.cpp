#include <algorithm>
#include <cctype>

#include "tests/support/cpp_scan.h"

namespace musher::test {

namespace {

bool in_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

class Tokens {
  public:
    explicit Tokens(std::string_view text) : text_(text) {}

    std::vector<Token> all() {
        while (at_ < text_.size()) one();
        return std::move(found_);
    }

  private:
    void one() {
        const char c = text_[at_];
        const std::string_view rest = text_.substr(at_);
        if (c == '\n' || std::isspace(static_cast<unsigned char>(c))) {
            bare_line_ = bare_line_ || c == '\n';
            return skip(1);
        }
        if (rest.starts_with("//")) return skip(rest.find('\n'));
        if (rest.starts_with("/*")) return skip(rest.find("*/", 2) + 2);
        if (c == '#' && bare_line_) return directive();
        bare_line_ = false;
        if (rest.starts_with("R\"")) return raw_string();
        if (c == '"' || c == '\'') return literal(c);
        if (in_word(c)) return word();
        const bool two = rest.starts_with("->") || rest.starts_with("::");
        add(text_.substr(at_, two ? 2 : 1));
        skip(two ? 2 : 1);
    }
    void add(std::string_view token) { found_.push_back({token, line_}); }
    void skip(std::size_t size) {
        const std::size_t end = std::min(text_.size(), size > text_.size() ? size : at_ + size);
        line_ +=
            static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                        text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
        at_ = end;
    }
    void directive() {
        std::size_t end = text_.find('\n', at_);
        while (end != std::string_view::npos && text_[end - 1] == '\\') {
            end = text_.find('\n', end + 1);
        }
        skip(end == std::string_view::npos ? end : end - at_);
    }
    void raw_string() {
        const std::size_t open = text_.find('(', at_);
        const std::string close = ")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"";
        add("\"\"");
        skip(text_.find(close, open) + close.size() - at_);
    }
    void literal(char quote) {
        std::size_t end = at_ + 1;
        while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
        add(quote == '"' ? "\"\"" : "''");
        skip(end + 1 - at_);
    }
    void word() {
        const bool number = std::isdigit(static_cast<unsigned char>(text_[at_]));
        std::size_t end = at_;
        while (end < text_.size() &&
               (in_word(text_[end]) || (number && (text_[end] == '\'' || text_[end] == '.')))) {
            ++end;
        }
        add(text_.substr(at_, end - at_));
        skip(end - at_);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int line_ = 1;
    bool bare_line_ = true;  // nothing but spaces on this line so far
    std::vector<Token> found_;
};

}  // namespace

std::vector<Token> cpp_tokens(std::string_view text) { return Tokens(text).all(); }

}  // namespace musher::test
