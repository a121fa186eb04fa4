#include "pipelines/run/revisions.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>

#include "reactor/base/fd.h"
#include "reactor/drivers/atomic_file.h"

namespace musher {

namespace {
constexpr std::size_t kMostBytes = 8 << 20;
constexpr std::string_view kExtension = ".yml";

int number_of(const std::filesystem::path& file) {
    const std::string stem = file.stem();
    int number = 0;
    const char* const end = stem.data() + stem.size();
    const auto read = std::from_chars(stem.data(), end, number);
    const bool ours = file.extension() == kExtension && read.ec == std::errc() && read.ptr == end;
    return ours ? number : 0;
}
/// The revision before `running`; 0 when none is kept.
Result<int> before(const Revisions& revisions, const std::string& pipeline, int running) {
    MUSHER_TRY(const auto known, revisions.list(pipeline));
    int number = 0;
    for (const auto& [each, file] : known) {
        if (each < running) number = each;
    }
    return number;
}

Result<void> replace_text(const std::string& path, const std::string& text) {
    std::error_code failed;
    const std::filesystem::path real = std::filesystem::canonical(path, failed);
    if (failed) return fail(errno_error(failed.value(), "finding " + path));
    struct stat status{};
    if (::stat(real.c_str(), &status) != 0) return fail(errno_error(errno, "reading " + path));
    Result<AtomicFile> made = AtomicFile::create(real.parent_path(), real.filename(),
                                                 status.st_mode & 0777, text.size());
    if (!made && made.error().code == Errc::denied) {
        made.error().hint = "the user that runs musher must be able to write in the folder";
    }
    MUSHER_TRY(AtomicFile file, std::move(made));
    MUSHER_DO(write_all(file.fd().get(), text));
    // Only root may give a file away; a group of ours may have it.
    if (::fchown(file.fd().get(), status.st_uid, status.st_gid) != 0) {
        static_cast<void>(::fchown(file.fd().get(), -1U, status.st_gid) == 0);
    }
    MUSHER_DO(file.commit(Collision::replace));
    return {};
}
}  // namespace

Result<std::map<int, std::string>> Revisions::list(const std::string& pipeline) const {
    std::map<int, std::string> found;
    std::error_code failed;
    const std::string folder = folder_ + "/" + pipeline;
    for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end;
         entry.increment(failed)) {
        if (const int number = number_of(entry->path()); number > 0) {
            found[number] = entry->path().string();
        }
    }
    if (!failed || failed == std::errc::no_such_file_or_directory) return found;
    return fail(errno_error(failed.value(), "reading " + folder));
}

int Revisions::newest(const std::string& pipeline) const {
    const auto known = list(pipeline);
    return known && !known->empty() ? known->rbegin()->first : 0;
}

Result<std::string> Revisions::read(const std::string& pipeline, int number) const {
    MUSHER_TRY(const auto known, list(pipeline));
    const auto found = known.find(number);
    if (found != known.end()) return read_small_file(found->second, kMostBytes);
    std::string numbers;
    for (const auto& [each, file] : known) numbers += fmt::format(" {}", each);
    return fail(Errc::not_found, fmt::format("pipeline {} has no revision {}", pipeline, number),
                numbers.empty() ? "none was kept" : "kept are" + numbers);
}

Result<int> Revisions::record(const std::string& pipeline, const std::string& text) {
    MUSHER_TRY(auto known, list(pipeline));
    int number = 0;
    if (!known.empty()) {
        number = known.rbegin()->first;
        const Result<std::string> newest = read_small_file(known.rbegin()->second, kMostBytes);
        if (newest && *newest == text) return number;
    }
    ++number;
    const std::string folder = folder_ + "/" + pipeline;
    const std::string name = fmt::format("{:04}{}", number, kExtension);
    MUSHER_DO(make_folders(folder));
    MUSHER_TRY(AtomicFile file, AtomicFile::create(folder, name, 0600, text.size()));
    MUSHER_DO(write_all(file.fd().get(), text));
    MUSHER_TRY(known[number], file.commit(Collision::replace));
    while (known.size() > kKept) {
        ::unlink(known.begin()->second.c_str());
        known.erase(known.begin());
    }
    return number;
}

Result<int> roll_back(const Revisions& revisions, const PipelineConfig& config, int running,
                      int number) {
    const Result<std::string> present = read_small_file(config.file, kMostBytes);
    const bool runs = present && *present == config.text;
    if (number == 0 && !runs) {
        MUSHER_DO(replace_text(config.file, config.text));
        return running;
    }
    if (number == 0) {
        MUSHER_TRY(number, before(revisions, config.name, running));
    }
    if (number == 0) {
        return fail(Errc::not_found, fmt::format("no revision before {} of pipeline {} is kept",
                                                 running, config.name));
    }
    MUSHER_TRY(const std::string text, revisions.read(config.name, number));
    MUSHER_DO(replace_text(config.file, text));
    return number;
}

}  // namespace musher
