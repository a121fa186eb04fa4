#include "pipelines/expr/template.h"

namespace musher {

namespace {
/// The end of the Lua string or long bracket that begins at `at`; npos when it does not end.
std::size_t skip_quoted(std::string_view text, std::size_t at) {
    const char quote = text[at];
    for (++at; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text[at] == quote) {
            return at + 1;
        }
    }
    return std::string_view::npos;
}

/// `[[…]]` and `[==[…]==]`; `at` + 1 when there is no long bracket.
std::size_t skip_long_bracket(std::string_view text, std::size_t at) {
    std::size_t open = at + 1;
    while (open < text.size() && text[open] == '=') ++open;
    if (open >= text.size() || text[open] != '[') return at + 1;
    const std::string close = "]" + std::string(open - at - 1, '=') + "]";
    const std::size_t end = text.find(close, open + 1);
    return end == std::string_view::npos ? end : end + close.size();
}

/// The place of the '}' that closes an expression beginning at `at`; npos when there is none.
std::size_t closing_brace(std::string_view text, std::size_t at) {
    for (int nested = 0; at < text.size();) {
        const char c = text[at];
        if (c == '"' || c == '\'') {
            at = skip_quoted(text, at);
            continue;
        }
        if (c == '[') {
            at = skip_long_bracket(text, at);
            continue;
        }
        if (c == '{') ++nested;
        if (c == '}' && nested-- == 0) return at;
        ++at;
    }
    return std::string_view::npos;
}

bool names(std::string_view text, std::string_view word) {
    for (std::size_t at = text.find(word); at != std::string_view::npos;
         at = text.find(word, at + 1)) {
        const auto is_letter = [&](std::size_t i) {
            return i < text.size() &&
                   (std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '_');
        };
        if (!(at > 0 && is_letter(at - 1)) && !is_letter(at + word.size())) return true;
    }
    return false;
}

/// Whether a part of the path is a `..`, of which an expression gave a dot, or a NUL ends it early.
bool leads_out(std::string_view path, const std::vector<bool>& given) {
    if (path.find('\0') != std::string_view::npos) return true;
    for (std::size_t from = 0; from <= path.size();) {
        const std::size_t end = std::min(path.find('/', from), path.size());
        if (path.substr(from, end - from) == ".." && (given[from] || given[from + 1])) return true;
        from = end + 1;
    }
    return false;
}
}  // namespace

Result<TextTemplate> TextTemplate::compile(const std::shared_ptr<LuaSandbox>& sandbox,
                                           const std::string& text, const Position& at,
                                           Position* fault) {
    TextTemplate compiled;
    compiled.at_ = at;
    std::string before;
    for (std::size_t i = 0; i < text.size();) {
        if (text.compare(i, 3, "$${") == 0) {
            before += "${";
            i += 3;
            continue;
        }
        if (text.compare(i, 2, "${") != 0) {
            before += text[i++];
            continue;
        }
        const Position place = position_in(at, text, i + 2);
        const std::size_t end = closing_brace(text, i + 2);
        if (end == std::string::npos) {
            if (fault) *fault = position_in(at, text, i);
            return fail(Error(Errc::usage, "a ${ without its }", "a plain ${ is written $${")
                            .within(position_text(position_in(at, text, i))));
        }
        MUSHER_TRY(Expression expression,
                   Expression::compile(sandbox, text.substr(i + 2, end - i - 2), place, fault));
        compiled.parts_.push_back(Part{std::exchange(before, {}),
                                       std::make_shared<const Expression>(std::move(expression))});
        i = end + 1;
    }
    compiled.tail_ = std::move(before);
    return compiled;
}

TextTemplate TextTemplate::of(Expression expression) {
    TextTemplate compiled;
    compiled.at_ = expression.at();
    compiled.parts_.push_back(Part{"", std::make_shared<const Expression>(std::move(expression))});
    return compiled;
}

Result<Json> TextTemplate::render(const Bindings& bindings) const {
    return is_single() ? parts_.front().expression->evaluate(bindings) : join(bindings, nullptr);
}

Result<Json> TextTemplate::render_path(const Bindings& bindings) const {
    std::vector<bool> given;
    MUSHER_TRY(Json path, is_single() ? parts_.front().expression->evaluate(bindings)
                                      : join(bindings, &given));
    if (!path.is_string()) return path;
    const auto& text = path.get_ref<const std::string&>();
    given.resize(text.size(), is_single());
    const bool begins = !constant() && parts_.front().text.empty();
    if (begins && text.starts_with('/') && !given.front()) {
        return fail(Error(Errc::usage,
                          "`" + parts_.front().expression->text() +
                              "` gives nothing, so that the path begins at the root",
                          "write the path's first folder as text")
                        .within(position_text(at_)));
    }
    if (!leads_out(text, given)) return path;
    return fail(Error(Errc::usage, "an expression gives the path a `..` or a NUL byte",
                      "a `..` that is meant stands in the text, outside of ${…}")
                    .within(position_text(at_)));
}

/// The parts as one text; `given[i]`: whether an expression gave text[i].
Result<Json> TextTemplate::join(const Bindings& bindings, std::vector<bool>* given) const {
    std::string all;
    for (const Part& part : parts_) {
        MUSHER_TRY(const Json value, part.expression->evaluate(bindings));
        if (value.is_null() || value.is_structured()) {
            return fail(Error(Errc::usage,
                              "`" + part.expression->text() + "` is " +
                                  std::string(kind_of(value)) +
                                  ", which has no place inside a text",
                              "json(…) writes maps and lists, coalesce(…) replaces nil")
                            .within(position_text(part.expression->at())));
        }
        all += part.text;
        if (given) given->resize(all.size(), false);
        all += value.is_string() ? value.get_ref<const std::string&>() : to_line(value);
        if (given) given->resize(all.size(), true);
    }
    all += tail_;
    if (given) given->resize(all.size(), false);
    return Json(std::move(all));
}

std::vector<const Expression*> TextTemplate::expressions() const {
    std::vector<const Expression*> all;
    for (const Part& part : parts_) all.push_back(part.expression.get());
    return all;
}

bool TextTemplate::reads_environment() const {
    return std::any_of(parts_.begin(), parts_.end(),
                       [](const Part& part) { return names(part.expression->text(), "env"); });
}

bool TextTemplate::may_hold_secrets() const {
    return reads_environment() || std::any_of(parts_.begin(), parts_.end(), [](const Part& part) {
               return names(part.expression->text(), "vars");
           });
}

}  // namespace musher
