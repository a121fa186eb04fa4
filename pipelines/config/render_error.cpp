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

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u; }

/// The lines of each file, read once; a file that is gone has none.
class Files {
  public:
    std::string_view line(const Position& at) {
        if (!at.file || at.line <= 0) return {};
        const auto known = files_.find(*at.file);
        const File& file = known == files_.end() ? read(*at.file) : known->second;
        const auto number = static_cast<std::size_t>(at.line);
        if (number >= file.begins.size()) return {};
        const std::size_t begin = file.begins[number - 1];
        std::string_view line = file.text;
        line = line.substr(begin, file.begins[number] - 1 - begin);
        if (line.ends_with('\r')) line.remove_suffix(1);
        return line;
    }

  private:
    struct File {
        std::string text;
        std::vector<std::size_t> begins;  // of each line, and of the one behind the last
    };

    const File& read(const std::string& name) {
        File& file = files_[name];
        file.text = read_small_file(name, limits::kConfigBytes).value_or("");
        if (file.text.starts_with("\xef\xbb\xbf")) file.text.erase(0, 3);
        file.begins.push_back(0);
        for (std::size_t end = file.text.find('\n'); end != std::string::npos;
             end = file.text.find('\n', end + 1)) {
            file.begins.push_back(end + 1);
        }
        if (file.begins.back() < file.text.size()) file.begins.push_back(file.text.size() + 1);
        return file;
    }

    std::map<std::string, File> files_;
};

/// Secrets that stand in the files: each line's first column of one. A terminal's scrollback and a
/// CI's log are no places for them.
class Secrets {
  public:
    explicit Secrets(const std::vector<Problem>& problems) {
        for (const Problem& problem : problems) {
            if (problem.code != "literal_secret" || !problem.at.file) continue;
            const std::pair place(*problem.at.file, problem.at.line);
            const auto [known, added] = columns_.emplace(place, problem.at.column);
            if (!added) known->second = std::min(known->second, problem.at.column);
        }
    }
    /// Hides the rest of the line from the secret on; a `column` behind it is moved to it.
    std::string hide(std::string_view line, const Position& at, int& column) const {
        const auto known = at.file ? columns_.find({*at.file, at.line}) : columns_.end();
        if (known == columns_.end()) return std::string(line);
        column = std::min(column, known->second);
        std::size_t end = 0;
        for (int passed = 1; passed < known->second && end < line.size(); ++passed) {
            for (++end; end < line.size() && continues(line[end]);) ++end;
        }
        return fmt::format("{}***", line.substr(0, end));
    }

  private:
    std::map<std::pair<std::string, int>, int> columns_;
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
        } else if (first == '\n') {
            cells.push_back(Cell{" ", 1});
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

/// A line that may be megabytes long, cut to more than is shown of it; `column` counts from there.
void cut_around(std::string_view& line, int& column) {
    constexpr int kNear = 2 * static_cast<int>(kWindow);
    std::size_t begin = 0;
    const int far = column - kNear;
    for (int passed = 0; passed < far && begin < line.size(); ++passed) {
        for (++begin; begin < line.size() && continues(line[begin]);) ++begin;
    }
    if (begin > 0) column = kNear;
    line = line.substr(begin, std::size_t{4} * 3 * kWindow);
}

std::string_view severity_name(Problem::Severity severity) {
    return severity == Problem::Severity::error ? "error" : "warning";
}

std::string place(const Position& at) {
    std::string file = harmless(at.file ? escape_name(*at.file) : "musher");
    if (at.line <= 0) return file;
    return fmt::format("{}:{}:{}", file, at.line, std::max(at.column, 1));
}
}  // namespace

std::string excerpt(std::string_view line, int column) {
    cut_around(line, column);
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
    const Secrets secrets(problems);
    std::string text;
    for (const Problem& problem : problems) {
        text += fmt::format("{}: {}: {}\n", place(problem.at), severity_name(problem.severity),
                            harmless(problem.message));
        const std::string_view line = files.line(problem.at);
        if (line.find_first_not_of(" \t") != std::string_view::npos) {
            int column = problem.at.column;
            const std::string shown = secrets.hide(line, problem.at, column);
            text += excerpt(shown, column);
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
