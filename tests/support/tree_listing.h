// All that a tree of files is made of, as text: two trees are the same when their listings are.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "reactor/base/check.h"
#include "reactor/base/digest.h"
#include "reactor/base/text.h"
#include "tests/support/tree.h"

namespace musher::test {

/// The exit code of a program.
inline int run_program(std::vector<std::string> argv) {
    std::vector<char*> words;
    for (std::string& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    pid_t child = 0;
    if (::posix_spawnp(&child, words[0], nullptr, nullptr, words.data(), environ) != 0) return 127;
    int status = 0;
    MUSHER_CHECK(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

inline std::string attributes_of(const std::string& path) {
    char names[4096];
    const ssize_t size = ::llistxattr(path.c_str(), names, sizeof names);
    std::set<std::string> found;
    for (const char* name = names; size > 0 && name < names + size; name += std::strlen(name) + 1) {
        char value[65536];
        const ssize_t bytes = ::lgetxattr(path.c_str(), name, value, sizeof value);
        MUSHER_CHECK(bytes >= 0);
        const std::string_view text(value, static_cast<std::size_t>(bytes));
        if (!std::string_view(name).starts_with("user.musher.")) {
            found.insert(std::string(name) + "=" + to_hex(as_bytes(text)));
        }
    }
    std::string text;
    for (const std::string& one : found) text += " " + one;
    return text;
}

inline std::string content_of(const std::string& path, const struct stat& info) {
    if (S_ISLNK(info.st_mode)) return " -> " + std::filesystem::read_symlink(path).string();
    if (!S_ISREG(info.st_mode)) return "";
    std::ifstream file(path, std::ios::binary);
    std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
    file.read(bytes.data(), info.st_size);
    Digest digest(DigestKind::sha256);
    digest.update(as_bytes(bytes));
    const bool sparse = info.st_blocks * 512 < info.st_size;
    return " " + std::to_string(info.st_size) + " " + digest.hex() + (sparse ? " sparse" : "");
}

/// One line for each path: type and mode, owner, time, content, attributes, and the first of the
/// names of a hard link.
inline std::map<std::string, std::string> listing(const std::string& root) {
    std::vector<std::string> paths{""};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        paths.push_back(entry.path().string().substr(root.size()));
    }
    std::sort(paths.begin(), paths.end());
    std::map<std::string, std::string> lines;
    std::map<ino_t, std::string> first;
    for (const std::string& path : paths) {
        struct stat info{};
        MUSHER_CHECK(::lstat((root + path).c_str(), &info) == 0);
        std::string line = std::to_string(info.st_mode) + " " + std::to_string(info.st_uid) + ":" +
                           std::to_string(info.st_gid) + " " + std::to_string(info.st_mtim.tv_sec) +
                           "." + std::to_string(info.st_mtim.tv_nsec);
        line += content_of(root + path, info) + attributes_of(root + path);
        if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) {
            line += " = " + first.try_emplace(info.st_ino, path).first->second;
        }
        lines[path] = line;
    }
    return lines;
}

}  // namespace musher::test
