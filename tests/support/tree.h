// The repository's own files, for tests about them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace musher::test {

/// Paths under the folder the test runs in (the root), sorted; build trees and .git left out.
inline std::vector<std::string> tree_files() {
    std::vector<std::string> files;
    for (auto at = std::filesystem::recursive_directory_iterator(".");
         at != std::filesystem::recursive_directory_iterator(); ++at) {
        const std::string path = at->path().string().substr(2);
        std::error_code circle;  // of symlinks, which some cases are about
        const bool foreign = path == ".git" || (at.depth() == 0 && path.starts_with("build")) ||
                             path.ends_with("__pycache__");
        if (foreign && at->is_directory(circle)) at.disable_recursion_pending();
        if (!foreign && at->is_regular_file(circle)) files.push_back(path);
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// Of one folder, in their order.
inline std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
}

inline std::string file_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

inline bool is_cpp(std::string_view path) { return path.ends_with(".cpp") || path.ends_with(".h"); }

}  // namespace musher::test
