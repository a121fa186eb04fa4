// What read() gives of an inotify descriptor, whole and cut anywhere.
#include <sys/inotify.h>

#include "sources/inotify_watch.h"
#include "tests/fuzz/targets.h"

namespace musher::fuzz {

namespace {
constexpr hotfolder::DirId kFolders = 4;  // their watches have the numbers 1 … 4

class Listener final : public hotfolder::WatchListener {
  public:
    void on_entry(hotfolder::DirId dir, std::string_view name, hotfolder::Sign, bool) override {
        MUSHER_CHECK(dir < kFolders && name.find('\0') == std::string_view::npos);
    }
    void on_suspect(hotfolder::DirId dir) override { MUSHER_CHECK(dir < kFolders); }
    void on_overflow() override {}
};

/// Kept: the kernel takes milliseconds to end an inotify instance.
hotfolder::InotifyWatch& watch() {
    static RealClock clock;
    static Loop* const kLoop = new Loop(clock);
    static Listener listener;
    static auto* const kWatch = hotfolder::InotifyWatch::open(*kLoop, listener).value().release();
    return *kWatch;
}
}  // namespace

void inotify(std::string_view bytes) {
    std::string_view left = bytes;
    while (const auto record = hotfolder::next_record(left)) {
        MUSHER_CHECK(record->name.empty() || (record->name.data() >= bytes.data() &&
                                              record->name.data() < bytes.data() + bytes.size()));
    }
    MUSHER_CHECK(left.size() <= bytes.size());
    for (hotfolder::DirId dir = 0; dir < kFolders; ++dir) {
        watch().bind(static_cast<int>(dir) + 1, dir);
    }
    watch().feed(bytes);
    MUSHER_CHECK(watch().watches() <= kFolders);
}

}  // namespace musher::fuzz
