#include "pipelines/app/access_check.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "pipelines/config/folder_use.h"
#include "pipelines/config/problems.h"

namespace musher {

namespace {
std::string user_name() {
    const passwd* entry = ::getpwuid(::geteuid());
    return entry ? entry->pw_name : fmt::format("number {}", ::geteuid());
}

/// The path itself, or the nearest folder above it that is there, in which it would be made.
std::string nearest_there(std::string path) {
    struct stat status{};
    while (path.size() > 1 && ::stat(path.c_str(), &status) != 0 &&
           (errno == ENOENT || errno == ENOTDIR)) {
        const std::size_t slash = path.rfind('/');
        path = slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
    }
    return path;
}

class AccessCheck {
  public:
    AccessCheck(Configuration& read, bool folders) : read_(read), folders_(folders) {}
    void run();

  private:
    void look_at_daemon();
    void look_at_folders(const PipelineConfig& pipeline);
    void look_at_steps(const std::vector<StepConfig>& steps);
    void watched(const WatchedFolder& folder);
    void files_of(const StepConfig& step);
    /// `verb`: what cannot be done, for the message.
    void need(const std::string& path, int mode, std::string_view verb, const Position& at);
    /// One to write into, which may have to be made.
    void need_folder(const std::string& folder, int mode, const Position& at);
    void warn(const Position& at, std::string message, std::string hint);

    Configuration& read_;
    const bool folders_;
    std::set<std::string> said_;
    const std::string user_ = user_name();
};

void AccessCheck::warn(const Position& at, std::string message, std::string hint) {
    if (!said_.insert(message).second) return;
    add_warning(read_.problems, at, "no_access", std::move(message), std::move(hint));
}

void AccessCheck::need(const std::string& path, int mode, std::string_view verb,
                       const Position& at) {
    if (::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0) return;
    if (errno != EACCES && errno != EPERM && errno != EROFS) return;
    warn(at, fmt::format("user {} cannot {} {}: {}", user_, verb, path, std::strerror(errno)),
         "let that user, or run this as the user of the service: sudo -u musher musher check");
}

void AccessCheck::need_folder(const std::string& folder, int mode, const Position& at) {
    const std::string there = nearest_there(folder);
    struct stat status{};
    if (::stat(there.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
        return warn(at, there + " is no folder", "name another one, or move that file away");
    }
    need(there, mode, "write", at);
}

void AccessCheck::watched(const WatchedFolder& folder) {
    need(folder.path, R_OK | X_OK, "read", folder.at);
    if (!folder.takes) return;
    need(folder.path, W_OK | X_OK, "rename in", folder.at);
    struct stat status{};
    if (::stat(folder.path.c_str(), &status) != 0 || (status.st_mode & S_ISVTX) == 0) return;
    if (::geteuid() == 0 || status.st_uid == ::geteuid()) return;
    warn(folder.at,
         fmt::format("user {} cannot rename in {}: it is sticky, files belong to their owners",
                     user_, folder.path),
         "chmod -t, or set claim: none and done: leave");
}

/// Certificates and the like. Keys and secrets were read already, or refused.
void AccessCheck::files_of(const StepConfig& step) {
    const std::vector<Option>& table = step.entry->spec.options;
    std::vector<Problem> reported;
    const Options options = decode(table, step.options, step.kind, reported);
    for (const Option& option : table) {
        if (option.type != OptionType::path || option.folder != Folder::none) continue;
        const Value* given = step.options.find(option.name);
        if (!given || given->faulty || given->text.find("${") != std::string::npos) continue;
        need(options.text(option.name), R_OK, "read", given->at);
    }
}

void AccessCheck::look_at_steps(const std::vector<StepConfig>& steps) {
    for (const StepConfig& step : steps) {
        files_of(step);
        for (const StepBranch& branch : step.branches) look_at_steps(branch.steps);
    }
}

void AccessCheck::look_at_folders(const PipelineConfig& pipeline) {
    const FolderUse use = folder_use(pipeline);
    if (use.watched) watched(*use.watched);
    for (const WrittenFolder& folder : use.written) {
        need_folder(folder.path, W_OK | X_OK, folder.at);
    }
}

void AccessCheck::look_at_daemon() {
    const DaemonConfig& daemon = read_.daemon;
    const Position at{daemon.queue.at.file, 0, 0};
    if (folders_) need_folder(daemon.state, R_OK | W_OK | X_OK, at);
    if (daemon.log_to.starts_with('/')) need(nearest_there(daemon.log_to), W_OK, "write", at);
    if (!daemon.log_tty.empty()) need(daemon.log_tty, W_OK, "write", at);
}

void AccessCheck::run() {
    if (!read_.daemon.file.empty()) look_at_daemon();
    for (const PipelineConfig& pipeline : read_.pipelines) {
        if (folders_) look_at_folders(pipeline);
        look_at_steps(pipeline.steps);
        look_at_steps(pipeline.on_failure);
    }
    sort_problems(read_.problems);
}
}  // namespace

void check_access(Configuration& read, bool folders) { AccessCheck(read, folders).run(); }

}  // namespace musher
