#include "pipelines/config/render_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "reactor/base/fd.h"
#include "reactor/base/limits.h"
#include "reactor/base/text.h"

namespace musher {

namespace {

constexpr std::size_t kWindow = 100;  // bytes of a line that are shown

using Lines = std::vector<std::string>;

/// The lines of each file, read once; a file that is gone has none.
class Files {
  public:
    std::string line(const Position& at) {
        if (!at.file || at.line <= 0) return "";
        auto known = lines_.find(*at.file);
        if (known == lines_.end()) known = lines_.emplace(*at.file, read(*at.file)).first;
        const auto index = static_cast<std::size_t>(at.line - 1);
        return index < known->second.size() ? known->second[index] : "";
    }

  private:
    static Lines read(const std::string& file) {
        Lines lines;
        const Result<std::string> text = read_small_file(file, limits::kConfigBytes);
        if (!text) return lines;
        std::istringstream stream(*text);
        for (std::string line; std::getline(stream, line);) lines.push_back(line);
        return lines;
    }
    std::map<std::string, Lines> lines_;
};

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u; }

/// The line cut to a window around the column, and the caret below it.
std::string excerpt(std::string line, int column) {
    std::replace(line.begin(), line.end(), '\t', ' ');
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
    std::size_t at = std::min(static_cast<std::size_t>(std::max(column, 1) - 1), line.size());
    std::size_t from = at > kWindow / 2 && line.size() > kWindow ? at - kWindow / 2 : 0;
    while (from > 0 && continues_character(line[from])) --from;
    std::size_t to = std::min(line.size(), from + kWindow);
    while (to < line.size() && continues_character(line[to])) ++to;
    const std::string lead = from > 0 ? "…" : "";
    const std::string shown = line.substr(from, to - from);
    const auto width = std::count_if(shown.begin(),
                                     shown.begin() + static_cast<std::ptrdiff_t>(at - from),
                                     [](char c) { return !continues_character(c); });
    const std::string pad(static_cast<std::size_t>(width) + (lead.empty() ? 0 : 1), ' ');
    return fmt::format("    {}{}{}\n    {}^\n", lead, shown, to < line.size() ? "…" : "", pad);
}

std::string_view severity_name(Problem::Severity severity) {
    return severity == Problem::Severity::error ? "error" : "warning";
}

std::string place(const Position& at) {
    const std::string file = at.file ? escape_name(*at.file) : "musher";
    if (at.line <= 0) return file;
    return fmt::format("{}:{}:{}", file, at.line, std::max(at.column, 1));
}

}  // namespace

std::string render_problems(const std::vector<Problem>& problems) {
    Files files;
    std::string text;
    for (const Problem& problem : problems) {
        text += fmt::format("{}: {}: {}\n", place(problem.at), severity_name(problem.severity),
                            problem.message);
        const std::string line = files.line(problem.at);
        if (!line.empty()) text += excerpt(line, problem.at.column);
        if (!problem.hint.empty()) text += fmt::format("hint: {}\n", problem.hint);
    }
    return text;
}

Json problems_to_json(const std::vector<Problem>& problems) {
    Json list = Json::array();
    bool ok = true;
    for (const Problem& problem : problems) {
        ok = ok && problem.severity != Problem::Severity::error;
        list.push_back(Json{{"file", problem.at.file ? escape_name(*problem.at.file) : ""},
                            {"line", problem.at.line},
                            {"column", problem.at.column},
                            {"severity", severity_name(problem.severity)},
                            {"code", problem.code},
                            {"message", problem.message},
                            {"hint", problem.hint}});
    }
    return Json{{"ok", ok}, {"problems", std::move(list)}};
}

}  // namespace musher
