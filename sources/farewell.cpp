#include "sources/farewell.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <map>

#include "reactor/base/clock.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/base/uuid.h"
#include "reactor/drivers/files.h"
#include "sources/claims.h"
#include "sources/tree_sample.h"
#include "sources/work_path.h"

namespace musher::hotfolder {

namespace {
namespace fs = std::filesystem;

constexpr int kMostNumbers = 1000;             // the last one is the job's id
constexpr std::size_t kLongestReported = 200;  // with .report.json and a temporary name around it
constexpr std::size_t kReportBytes = 4 << 20;

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool exists(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0;
}

/// A name that must be cut brings a hash of the whole: names that begin alike have their own.
std::string report_name(const std::string& name) {
    std::string stem = name;
    if (stem.size() > kLongestReported) {
        const std::string mark = "-" + uuid_of(name);
        std::size_t cut = kLongestReported - mark.size();
        while ((static_cast<unsigned char>(stem[cut]) & 0xc0U) == 0x80U && cut > 1) --cut;
        stem.resize(cut);
        stem += mark;
    }
    return stem + ".report.json";
}

/// The names that an original may have in failed/: its own, NAME-2, …, NAME-<job>.
std::string failed_name(const std::string& name, int number, const std::string& job) {
    if (number == 1) return name;
    return number < kMostNumbers ? numbered_name(name, number) : marked_name(name, "-" + job);
}

/// True when a file that was worked on where it stands is another one by now, or was changed: the
/// id of its job was made from what it was.
bool replaced(const Settlement& one) {
    const std::string& file = one.event.file;
    struct stat status{};
    if (parse_work_path(file) || ::lstat(file.c_str(), &status) != 0) return false;
    FileSample now = sample_of(status);
    if (S_ISDIR(status.st_mode)) {
        const Result<Fd> opened = Fd::open(file, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (opened) now = look_at_tree(*opened, false).sample;
    }
    return one.event.id != standing_id(file, now, true) &&
           one.event.id != standing_id(file, now, false);
}

/// The job that a file in failed/ belongs to, by its report; empty when there is none.
std::string reported_job(const std::string& path) {
    const std::string report = folder_of(path) + "/" + report_name(name_of(path));
    const Result<std::string> text = read_small_file(report, kReportBytes);
    if (!text) return "";
    const Result<Json> read = parse_own_json(*text);
    if (!read || !read->is_object() || !read->contains("job")) return "";
    const Json& job = (*read)["job"];
    return text_in(job, "id");
}

Result<void> write_report(const std::string& path, const Settlement& one) {
    const std::string name = report_name(name_of(path));
    const std::string taken = folder_of(path) + "/" + name;
    // Before it is written and synced, to no end.
    if (exists(taken) && reported_job(path) != one.event.id) {
        return fail(Errc::conflict, escape_name(taken) + " exists already");
    }
    const std::string text = one.report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    MUSHER_TRY(AtomicFile file, AtomicFile::create(folder_of(path), name, 0644, text.size()));
    MUSHER_DO(write_all(file.fd().get(), text));
    file.mark(one.event.id, 0);
    // `fail`: a report of the same job is replaced, that of another one is a conflict.
    const Result<std::string> written = file.commit(Collision::fail);
    if (!written) return fail(written.error());
    return {};
}

/// The report first: an original in failed/ is never without one.
Result<void> put_into_failed(const HotfolderRules& rules, const Settlement& one) {
    const std::string wanted = place_in(rules.failed, original_of(rules, one.event.file));
    MUSHER_DO(make_folders(folder_of(wanted)));
    for (int number = 1; number <= kMostNumbers; ++number) {
        const std::string name = failed_name(name_of(wanted), number, one.event.id);
        const std::string to = folder_of(wanted) + "/" + name;
        if (exists(to)) continue;
        if (!exists(one.event.file)) return {};
        Result<void> reported = write_report(to, one);
        if (!reported && reported.error().code == Errc::conflict) continue;
        if (!reported) return reported;
        const std::vector<Result<std::string>> moved =
            move_files({Move{one.event.file, to, Collision::fail}});
        if (moved.front()) {
            leave_claim(one.event.file);
            return {};
        }
        const bool gone = moved.front().error().code == Errc::not_found;
        // Recovery and a dispatcher may both bring the same file here: the report is the first's.
        if (gone && exists(to)) return {};
        ::unlink((folder_of(to) + "/" + report_name(name)).c_str());
        if (gone) return {};
        if (moved.front().error().code != Errc::conflict) return fail(moved.front().error());
    }
    return fail(Errc::conflict, "too many files are named like " + escape_name(wanted),
                "clear out " + rules.failed);
}

Result<void> remove_original(const std::string& file) {
    std::error_code failed;
    fs::remove_all(file, failed);
    if (failed) return fail(errno_error(failed.value(), "removing " + escape_name(file)));
    leave_claim(file);
    return {};
}

/// Answers at the indices `which`.
void put_into_done(const HotfolderRules& rules, const std::vector<Settlement>& ended,
                   const std::vector<std::size_t>& which, std::vector<Result<void>>& answers) {
    std::vector<Move> moves;
    moves.reserve(which.size());
    for (const std::size_t i : which) {
        const std::string& file = ended[i].event.file;
        moves.push_back(
            Move{file, place_in(rules.done.folder, original_of(rules, file)), rules.collision});
    }
    // Undone by a power failure they are claims of finished jobs again: recovery moves them.
    const std::vector<Result<std::string>> moved = move_files(moves, Sync::later);
    for (std::size_t i = 0; i < moved.size(); ++i) {
        const std::string& from = moves[i].from;
        if (moved[i]) {
            leave_claim(from);
        } else if (moved[i].error().code == Errc::not_found && !exists(from)) {
            log::warning("hotfolder.original_gone",
                         Json{{"file", escape_name(from)}, {"job", ended[which[i]].event.id}});
        } else {
            answers[which[i]] = fail(moved[i].error());
        }
    }
}

void put_back_released(const std::vector<Settlement>& ended, std::vector<Result<void>>& answers) {
    std::vector<Settlement> released;
    for (const Settlement& one : ended) {
        if (one.outcome == musher::Outcome::released) released.push_back(one);
    }
    const Result<void> back = put_back(released);
    for (std::size_t i = 0; i < ended.size(); ++i) {
        // Together: one that is back already counts as put back the next time.
        if (ended[i].outcome == musher::Outcome::released) answers[i] = back;
    }
}

/// The hot folder that an original was found in, or what stands for it. `home` for most.
std::string folder_of_claim(const std::string& file, const std::string& home) {
    const std::string inside = home == "/" ? home : home + "/";
    if (file.starts_with(inside + std::string(kWorkRoot))) return home;
    if (const auto claim = parse_work_path(file)) return claim->folder;
    return file.starts_with(inside) ? home : folder_of(file);
}

/// For originals from before `path` was edited: they end where they began, and what was said
/// relative to the folder is relative to theirs.
HotfolderRules rules_at(HotfolderRules rules, const std::string& folder) {
    const std::string inside = rules.folder + "/";
    for (std::string* aside : {&rules.done.folder, &rules.failed}) {
        if (aside->starts_with(inside)) *aside = folder + "/" + aside->substr(inside.size());
    }
    rules.folder = folder;
    return rules;
}

/// Answers at the indices `which`, but for what was released.
void put_away_some(const HotfolderRules& rules, const std::vector<Settlement>& ended,
                   const std::vector<std::size_t>& which, std::vector<Result<void>>& answers) {
    std::vector<std::size_t> done;
    for (const std::size_t i : which) {
        const Settlement& one = ended[i];
        const bool is_done = one.outcome == musher::Outcome::done;
        const bool stays = is_done && rules.done.way == Farewell::Way::leave;
        if (one.outcome == musher::Outcome::released) continue;
        if (replaced(one)) {
            // A step that edits it does so for ever: nothing tells its hand from another's.
            log::warning("hotfolder.original_replaced",
                         Json{{"file", escape_name(one.event.file)},
                              {"job", one.event.id},
                              {"hint", "it stays, and is taken as a new file"}});
        } else if (stays) {
            continue;
        } else if (!is_done) {
            answers[i] = put_into_failed(rules, one);
        } else if (rules.done.way == Farewell::Way::remove) {
            answers[i] = remove_original(one.event.file);
        } else {
            done.push_back(i);
        }
    }
    put_into_done(rules, ended, done, answers);
}

/// A move keeps both.
bool looks_like(const std::string& path, const Event& event) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return false;
    const FileSample sample = sample_of(status);
    return sample.size == size_in(event.facts, "size") &&
           format_time(sample.mtime_ns / 1'000'000) == text_in(event.facts, "mtime");
}
}  // namespace

std::string place_in(const std::string& aside, const std::string& relative) {
    std::string folder = aside;
    std::size_t at = 0;
    for (std::size_t end = 0; (end = relative.find('/', at)) != std::string::npos; at = end + 1) {
        const std::string name = relative.substr(at, end - at);
        std::string next = folder + "/" + name;
        struct stat status{};
        for (int number = 2; number < kMostNumbers && ::stat(next.c_str(), &status) == 0 &&
                             !S_ISDIR(status.st_mode);
             ++number) {
            next = folder + "/" + numbered_name(name, number);
        }
        folder = std::move(next);
    }
    return folder + "/" + relative.substr(at);
}

std::string original_of(const HotfolderRules& rules, const std::string& file) {
    if (const auto claim = parse_work_path(file)) {
        return join_relative(claim->subfolder, claim->name);
    }
    const std::size_t skip = rules.folder == "/" ? 1 : rules.folder.size() + 1;
    return file.size() > skip ? file.substr(skip) : name_of(file);
}

bool at_home(const HotfolderRules& rules, const std::string& file) {
    return folder_of_claim(file, rules.folder) == rules.folder;
}

std::vector<Result<void>> put_away(const HotfolderRules& rules,
                                   const std::vector<Settlement>& ended) {
    std::vector<Result<void>> answers(ended.size());
    std::map<std::string, std::vector<std::size_t>> by_folder;
    for (std::size_t i = 0; i < ended.size(); ++i) {
        by_folder[folder_of_claim(ended[i].event.file, rules.folder)].push_back(i);
    }
    for (const auto& [folder, which] : by_folder) {
        put_away_some(folder == rules.folder ? rules : rules_at(rules, folder), ended, which,
                      answers);
    }
    put_back_released(ended, answers);
    return answers;
}

Result<void> put_back(const std::vector<Settlement>& released) {
    std::vector<Move> moves;
    std::vector<std::string> roots;
    for (const Settlement& one : released) {
        const auto claim = parse_work_path(one.event.file);
        if (!claim) continue;
        const std::string folder = claim->folder == "/" ? "" : claim->folder;
        const std::string original = join_relative(claim->subfolder, claim->name);
        moves.push_back(Move{one.event.file, folder + "/" + original});
        roots.push_back(folder + "/" + std::string(kWorkRoot));
    }
    const std::vector<Result<std::string>> moved = move_files(moves);
    Result<void> all;
    for (std::size_t i = 0; i < moved.size(); ++i) {
        // A folder that is not mounted just now has its claims still.
        const bool gone = !moved[i] && !exists(moves[i].from) && exists(roots[i]);
        if (moved[i] || gone) leave_claim(moves[i].from);
        if (!moved[i] && !gone && all) all = fail(moved[i].error());
    }
    return all;
}

std::string where_is(const HotfolderRules& current, const Event& event, musher::Outcome outcome) {
    if (exists(event.file)) return event.file;
    const HotfolderRules rules = rules_at(current, folder_of_claim(event.file, current.folder));
    const bool done = outcome == musher::Outcome::done;
    if (done && rules.done.way != Farewell::Way::move) return "";
    const std::string& folder = done ? rules.done.folder : rules.failed;
    const std::string wanted = place_in(folder, original_of(rules, event.file));
    for (int number = 1; number <= kMostNumbers; ++number) {
        const std::string name = failed_name(name_of(wanted), number, event.id);
        std::string path = folder_of(wanted) + "/" + name;
        const bool is_it = done ? looks_like(path, event) : reported_job(path) == event.id;
        if (is_it && exists(path)) return path;
    }
    return "";
}

namespace {
/// A claim that leaves at this moment may take the empty folder with it.
Result<void> move_into_work(const std::string& from, const std::string& file) {
    for (int tries = 0;; ++tries) {
        MUSHER_DO(make_folders(folder_of(file)));
        Result<std::string> moved =
            std::move(move_files({Move{from, file, Collision::fail}}).front());
        if (moved) return {};
        const bool left = moved.error().code == Errc::not_found && exists(from);
        if (!left || tries == kMostNumbers) return fail(std::move(moved).error());
    }
}
}  // namespace

Result<void> bring_back(const HotfolderRules& current, const std::string& job,
                        const std::string& file) {
    const HotfolderRules rules = rules_at(current, folder_of_claim(file, current.folder));
    const std::string wanted = place_in(rules.failed, original_of(rules, file));
    for (int number = 1; number <= kMostNumbers; ++number) {
        const std::string name = failed_name(name_of(wanted), number, job);
        const std::string from = folder_of(wanted) + "/" + name;
        if (reported_job(from) != job) continue;
        const bool there = exists(from);
        if (exists(file) == there) break;  // both: a copy that was cut short; neither: lost
        if (there) MUSHER_DO(move_into_work(from, file));
        // kill -9 before this line: the next call finds the file back and its report left behind.
        ::unlink((folder_of(from) + "/" + report_name(name)).c_str());
        return {};
    }
    if (exists(file)) return {};
    return fail(Errc::not_found,
                "the original " + escape_name(name_of(wanted)) + " of job " + job +
                    " is no longer in " + rules.failed,
                "drop the file into " + rules.folder + " again");
}

}  // namespace musher::hotfolder
