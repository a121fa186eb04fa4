#include "pipelines/app/exposition.h"

#include <fmt/format.h>

#include <cmath>

#include "reactor/base/text.h"

namespace musher {

namespace {
std::string_view type_name(Exposition::Type type) {
    switch (type) {
        case Exposition::Type::counter:
            return "counter";
        case Exposition::Type::gauge:
            return "gauge";
        case Exposition::Type::histogram:
            return "histogram";
    }
    return "untyped";
}

/// `quotes`: in a label's value; a help text keeps its own.
void append_escaped(std::string& text, std::string_view raw, bool quotes) {
    const std::string whole = is_utf8(raw) ? std::string() : escape_bytes(raw);
    for (const char c : whole.empty() ? raw : std::string_view(whole)) {
        if (c == '\\') {
            text += "\\\\";
        } else if (c == '\n') {
            text += "\\n";
        } else if (c == '"' && quotes) {
            text += "\\\"";
        } else {
            text += c;
        }
    }
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);  // the shortest that reads back the same
}
}  // namespace

void Exposition::family(std::string_view name, Type type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ");
    append_escaped(text_, help, false);
    text_.append("\n# TYPE ").append(name).append(" ").append(type_name(type)).append("\n");
}

void Exposition::line(std::string_view suffix, const Labels& labels, double value) {
    text_.append(name_).append(suffix);
    char before = '{';
    for (const auto& [label, text] : labels) {
        text_.append(1, before).append(label).append("=\"");
        append_escaped(text_, text, true);
        text_ += '"';
        before = ',';
    }
    if (!labels.empty()) text_ += '}';
    text_.append(" ").append(number(value)).append("\n");
}

void Exposition::sample(const Labels& labels, double value) { line("", labels, value); }

void Exposition::sample(const Labels& labels, const Histogram& value) {
    Labels bounded = labels;
    bounded.emplace_back("le", "");
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < value.bounds().size(); ++i) {
        below += value.in_bucket(i);
        const std::string bound = number(value.bounds()[i]);
        bounded.back().second = bound;
        line("_bucket", bounded, static_cast<double>(below));
    }
    bounded.back().second = "+Inf";
    line("_bucket", bounded, static_cast<double>(value.count()));
    line("_sum", labels, value.sum_seconds());
    line("_count", labels, static_cast<double>(value.count()));
}

}  // namespace musher
