#include "sources/timer_memory.h"

#include "reactor/base/clock.h"
#include "reactor/base/json.h"
#include "reactor/drivers/atomic_file.h"

namespace musher::timer {

namespace {
constexpr std::size_t kMostBytes = 4096;
}

Result<std::optional<std::int64_t>> TimerMemory::read() const {
    if (!keeps()) return std::nullopt;
    sweep_temporaries(file_.substr(0, file_.rfind('/')));
    const Result<std::string> bytes = read_small_file(file_, kMostBytes);
    if (!bytes && bytes.error().code == Errc::not_found) return std::nullopt;
    if (!bytes) return fail(bytes.error());
    MUSHER_TRY(const Json kept, parse_json(*bytes));
    if (text_in(kept, "schedule") != schedule_) return std::nullopt;
    MUSHER_TRY(const std::int64_t last_ms, parse_time(text_in(kept, "last")));
    return last_ms;
}

Result<void> TimerMemory::write(std::int64_t last_ms) const {
    if (!keeps()) return {};
    const std::size_t slash = file_.rfind('/');
    const std::string folder = file_.substr(0, slash);
    const Json kept{{"schedule", schedule_}, {"last", format_time(last_ms)}};
    MUSHER_DO(make_folders(folder));
    MUSHER_TRY(AtomicFile file, AtomicFile::create(folder, file_.substr(slash + 1), 0600, 0));
    MUSHER_DO(write_all(file.fd().get(), to_line(kept) + "\n"));
    MUSHER_TRY(const std::string written, file.commit(Collision::replace));
    static_cast<void>(written);
    return {};
}

}  // namespace musher::timer
