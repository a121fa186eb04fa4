#include "sources/inotify_watch.h"

#include <fmt/format.h>
#include <sys/inotify.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "sources/folder_access.h"

namespace musher::hotfolder {

namespace {
constexpr std::size_t kBufferBytes = 64 << 10;
constexpr Duration kSlice = milliseconds(4);  // then the loop gets its turn
constexpr std::size_t kMostStrays = 4096;
// No IN_MODIFY, IN_MOVED_FROM, IN_DELETE: each would double the events of every file, and what
// they say is seen at the next look anyway.
constexpr std::uint32_t kMask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF |
                                IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr std::uint32_t kSelf = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;

std::size_t read_number(const char* path) {
    const Result<std::string> text = read_small_file(path, 64);
    std::size_t number = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), number);
    return number;
}
}  // namespace

std::optional<InotifyRecord> next_record(std::string_view& bytes) {
    inotify_event head{};
    if (bytes.size() < sizeof head) return std::nullopt;
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head.len > bytes.size() - sizeof head) return std::nullopt;
    InotifyRecord record;
    record.wd = head.wd;
    record.mask = head.mask;
    // The name is padded with NULs to a multiple of the record's size.
    const std::string_view padded = bytes.substr(sizeof head, head.len);
    record.name = padded.substr(0, padded.find('\0'));
    bytes.remove_prefix(sizeof head + head.len);
    return record;
}

Result<std::unique_ptr<InotifyWatch>> InotifyWatch::open(Loop& loop, WatchListener& listener) {
    Fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd) {
        const int error = errno;
        Error failed = errno_error(error, "starting inotify");
        failed.hint = inotify_hint(error);
        return fail(std::move(failed));
    }
    std::unique_ptr<InotifyWatch> watch(new InotifyWatch(loop, listener, std::move(fd)));
    MUSHER_TRY(watch->poll_, Poll::open(loop, watch->fd(), "hotfolder.inotify"));
    watch->poll_->start(UV_READABLE, [self = watch.get()](int, int) { self->drain(); });
    return watch;
}

InotifyWatch::InotifyWatch(Loop& loop, WatchListener& listener, Fd fd)
    : loop_(loop), listener_(listener), fd_(std::move(fd)), buffer_(kBufferBytes) {}

InotifyWatch::~InotifyWatch() {
    if (poll_) poll_->stop();
    poll_.reset();
}

int InotifyWatch::add(int fd, const Fd& folder) {
    // Through the descriptor: a path could lead elsewhere by now.
    return ::inotify_add_watch(fd, path_of(folder).c_str(), kMask);
}

bool InotifyWatch::bind(int wd, DirId dir) {
    const auto before = by_dir_.find(dir);
    if (before != by_dir_.end() && before->second != wd) unbind(dir);
    const auto owner = by_wd_.find(wd);
    // A folder that was moved keeps its wd: it belongs to its new place now.
    if (owner != by_wd_.end() && owner->second != dir) by_dir_.erase(owner->second);
    by_wd_[wd] = dir;
    by_dir_[dir] = wd;
    return strays_.erase(wd) > 0;
}

void InotifyWatch::unbind(DirId dir) {
    const auto found = by_dir_.find(dir);
    if (found == by_dir_.end()) return;
    ::inotify_rm_watch(fd_.get(), found->second);
    by_wd_.erase(found->second);
    by_dir_.erase(found);
}

void InotifyWatch::drain() {
    const Instant until = loop_.clock().now() + kSlice;
    do {
        const ssize_t got = ::read(fd_.get(), buffer_.data(), buffer_.size());
        if (got <= 0) return;  // drained; poll is level-triggered, EINTR comes again
        feed(std::string_view(buffer_.data(), static_cast<std::size_t>(got)));
    } while (loop_.clock().now() < until);
}

void InotifyWatch::feed(std::string_view bytes) {
    while (const std::optional<InotifyRecord> record = next_record(bytes)) dispatch(*record);
}

void InotifyWatch::dispatch(const InotifyRecord& record) {
    if (record.mask & IN_Q_OVERFLOW) {
        listener_.on_overflow();
        return;
    }
    const auto found = by_wd_.find(record.wd);
    if (found == by_wd_.end()) {
        if (record.mask & IN_IGNORED) {
            strays_.erase(record.wd);
        } else if (strays_.size() < kMostStrays) {
            strays_.insert(record.wd);
        } else {
            strays_.clear();
            listener_.on_overflow();
        }
        return;
    }
    const DirId dir = found->second;
    if (record.mask & IN_IGNORED) {
        by_dir_.erase(dir);
        by_wd_.erase(found);
    }
    if (record.mask & kSelf) {
        listener_.on_suspect(dir);
        return;
    }
    const Sign sign = record.mask & IN_MOVED_TO      ? Sign::moved_in
                      : record.mask & IN_CLOSE_WRITE ? Sign::closed
                                                     : Sign::created;
    listener_.on_entry(dir, record.name, sign, (record.mask & IN_ISDIR) != 0);
}

std::size_t watch_limit() { return read_number("/proc/sys/fs/inotify/max_user_watches"); }

std::string inotify_hint(int error) {
    if (error == ENOSPC) {
        return fmt::format("sysctl -w fs.inotify.max_user_watches={}", 2 * watch_limit());
    }
    if (error == EMFILE) {
        return fmt::format("sysctl -w fs.inotify.max_user_instances={}",
                           2 * read_number("/proc/sys/fs/inotify/max_user_instances"));
    }
    return "";
}

}  // namespace musher::hotfolder
