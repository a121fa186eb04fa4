#include "pipelines/config/render_error.h"

#include <fmt/format.h>

#include "pipelines/config/problems.h"
#include "reactor/base/fd.h"
#include "reactor/base/limits.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::size_t kWindow = 96;   // columns of a line that are shown
constexpr std::size_t kContext = 32;  // of them, to the right of the caret

/// The lines of each file, read once; a file that is gone has none.
class Files {
  public:
    std::string_view line(const Position& at) {
        if (!at.file || at.line <= 0) return {};
        auto known = texts_.find(*at.file);
        if (known == texts_.end()) {
            Result<std::string> text = read_small_file(*at.file, limits::kConfigBytes);
            known = texts_.emplace(*at.file, std::move(text).value_or("")).first;
        }
        std::string_view rest = known->second;
        if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
        for (int line = 1; line < at.line && !rest.empty(); ++line) {
            rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
        }
        rest = rest.substr(0, rest.find('\n'));
        if (rest.ends_with('\r')) rest.remove_suffix(1);
        return rest;
    }

  private:
    std::map<std::string, std::string> texts_;
};

/// One character of a line: its bytes, and how many columns of a terminal it takes.
struct Cell {
    std::string bytes;
    std::size_t width = 1;
};

std::size_t width_of(unsigned long point) {
    const auto within = [point](unsigned long from, unsigned long to) {
        return point >= from && point <= to;
    };
    if (within(0x300, 0x36f) || within(0x200b, 0x200f) || within(0xfe00, 0xfe0f)) return 0;
    const bool wide = within(0x1100, 0x115f) || within(0x2e80, 0xa4cf) || within(0xac00, 0xd7a3) ||
                      within(0xf900, 0xfaff) || within(0xfe30, 0xfe6f) || within(0xff00, 0xff60) ||
                      within(0xffe0, 0xffe6) || within(0x1f300, 0x1faff) ||
                      within(0x20000, 0x3fffd);
    return wide ? 2 : 1;
}

std::vector<Cell> cells_of(std::string_view line) {
    std::vector<Cell> cells;
    for (std::size_t i = 0; i < line.size();) {
        const auto first = static_cast<unsigned char>(line[i]);
        const std::size_t size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        const std::string_view bytes = line.substr(i, size);
        i += bytes.size();
        if (first == '\t') {
            cells.push_back(Cell{"    ", 4});
        } else if (first < 0x20 || first == 0x7f || !is_utf8(bytes)) {
            cells.push_back(Cell{"?", 1});
        } else {
            unsigned long point = size == 1 ? first : first & (0x7fu >> size);
            for (const char c : bytes.substr(1)) {
                point = (point << 6) | (static_cast<unsigned char>(c) & 0x3fu);
            }
            cells.push_back(Cell{std::string(bytes), width_of(point)});
        }
    }
    return cells;
}

/// Text of a file or a message that may hold anything: nothing of it may steer the terminal.
std::string harmless(std::string_view text) {
    std::string clean;
    for (const Cell& cell : cells_of(text)) clean += cell.width == 4 ? " " : cell.bytes;
    return clean;
}

std::string_view severity_name(Problem::Severity severity) {
    return severity == Problem::Severity::error ? "error" : "warning";
}

std::string place(const Position& at) {
    const std::string file = harmless(at.file ? escape_name(*at.file) : "musher");
    if (at.line <= 0) return file;
    return fmt::format("{}:{}:{}", file, at.line, std::max(at.column, 1));
}
}  // namespace

std::string excerpt(std::string_view line, int column) {
    const std::vector<Cell> cells = cells_of(line);
    const std::size_t at =
        std::min(static_cast<std::size_t>(std::max(column, 1) - 1), cells.size());
    std::size_t from = 0;
    std::size_t to = cells.size();
    if (cells.size() > kWindow) {
        to = std::min(cells.size(), std::max(at + kContext, kWindow));
        from = to > kWindow ? to - kWindow : 0;
    }
    std::string shown = from > 0 ? "…" : "";
    std::string pad(from > 0 ? 1 : 0, ' ');
    for (std::size_t i = from; i < to; ++i) {
        shown += cells[i].bytes;
        if (i < at) pad.append(cells[i].width, ' ');
    }
    if (to < cells.size()) shown += "…";
    return fmt::format("    {}\n    {}^\n", shown, pad);
}

std::string render_problems(const std::vector<Problem>& problems) {
    Files files;
    std::string text;
    for (const Problem& problem : problems) {
        text += fmt::format("{}: {}: {}\n", place(problem.at), severity_name(problem.severity),
                            harmless(problem.message));
        const std::string_view line = files.line(problem.at);
        if (line.find_first_not_of(" \t") != std::string_view::npos) {
            text += excerpt(line, problem.at.column);
        }
        if (!problem.hint.empty()) text += fmt::format("hint: {}\n", harmless(problem.hint));
    }
    return text;
}

Json problems_to_json(const std::vector<Problem>& problems) {
    Json list = Json::array();
    for (const Problem& problem : problems) {
        list.push_back(Json{{"file", problem.at.file ? escape_name(*problem.at.file) : ""},
                            {"line", problem.at.line},
                            {"column", problem.at.column},
                            {"severity", severity_name(problem.severity)},
                            {"code", problem.code},
                            {"message", problem.message},
                            {"hint", problem.hint}});
    }
    return Json{{"ok", !has_errors(problems)}, {"problems", std::move(list)}};
}

}  // namespace musher
