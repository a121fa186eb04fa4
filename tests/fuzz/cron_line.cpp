// Cron lines as people write them, and when they are due around a jump of the clock.
#include <string>

#include "reactor/base/check.h"
#include "sources/cron.h"
#include "tests/fuzz/targets.h"

namespace musher::fuzz {

namespace {
constexpr std::int64_t kJumps[] = {
    1'325'239'200,  // Apia leaves out a day
    1'774'746'000,  // Berlin in spring
    1'792'890'000,  // and in autumn
};
constexpr std::int64_t kTenYears = std::int64_t{10} * 366 * 86'400;
}  // namespace

void cron_line(std::string_view bytes) {
    const Result<timer::CronLine> line = timer::CronLine::parse(bytes);
    if (!line) {
        MUSHER_CHECK(line.error().code == Errc::usage && !line.error().message.empty());
        return;
    }
    for (const std::int64_t jump : kJumps) {
        for (const char* zone : {"UTC", "Europe/Berlin", "Pacific/Apia"}) {
            std::int64_t at = jump - 7200;
            for (int i = 0; i < 3; ++i) {
                const std::int64_t next = timer::next_due(*line, at, zone).value();
                MUSHER_CHECK(next > at && next - at < kTenYears && next % 60 == 0);
                // From just before it, it is the same one.
                MUSHER_CHECK(timer::next_due(*line, next - 1, zone).value() == next);
                at = next;
            }
        }
    }
}

}  // namespace musher::fuzz
