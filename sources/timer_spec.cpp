// The table of a timer's options and facts.
#include "sources/timer.h"

namespace musher {

namespace {
using enum OptionType;
constexpr std::int64_t kYear = std::int64_t{366} * 24 * 3600 * 1000;

std::vector<Option> options() {
    return {
        {.name = "every", .type = duration,
         .help = "at the multiples of it since 1970-01-01 UTC: 10m at :00, :10, …", .least = 1000,
         .most = kYear, .one_of = "schedule"},
        {.name = "cron", .type = text,
         .help = "minute hour day-of-month month day-of-week, as in 30 6 * * mon-fri; or @hourly, "
                 "@daily, @weekly, @monthly, @yearly",
         .one_of = "schedule"},
        {.name = "timezone", .type = text,
         .help = "whose clock cron and event.date mean; musher.yml's where it is left out"},
        {.name = "missed", .type = choice,
         .help = "due times that passed while musher was stopped, paused or kept waiting: the "
                 "latest of them fires once, or none does",
         .fallback = "once", .choices = {"once", "skip"}},
        {.name = "jitter", .type = duration,
         .help = "fire later by a part of it, the same for all reactors; before the next is due",
         .fallback = "0", .least = 0, .most = kYear},
    };
}

Faults check_timer(const Options& options) {
    Faults faults;
    if (options.has("cron")) {
        const auto line = timer::CronLine::parse(options.text("cron"));
        if (!line) {
            faults.emplace_back(Errc::usage, "`cron`: " + line.error().message, line.error().hint);
        }
    }
    if (options.has("timezone")) {
        const auto date = format_date(0, options.text("timezone"));
        if (!date) {
            faults.emplace_back(Errc::usage, "`timezone`: " + date.error().message,
                                date.error().hint);
        }
    }
    return faults;
}
}  // namespace

const Spec& timer_spec() {
    static const Spec kSpec{
        ComponentKind::source,
        "timer",
        "times that come by themselves",
        "Each due time becomes one event without a body. Its id is made from the pipeline and the "
        "due time: any number of reactors on one Redis make one job of it, as long as the queue's "
        "history remembers it.\n\n"
        "What was missed never comes as a storm: after a stop, a pause, a full queue or a clock "
        "that was set forward the latest due time fires, or none (`missed`). At its first start, "
        "or with a new schedule, nothing is missed; while it runs, a minute late is on time. When "
        "the clock is set back, due times that fired do not fire again.\n\n"
        "Daylight saving time: a cron line that names certain hours fires once for a local time "
        "that is left out in spring, right after the jump, and once, the first time, for one that "
        "comes twice in autumn. A line for every hour keeps its pace. A day must fit both "
        "day-of-month and day-of-week if one of them begins with `*`, and else only one of them.",
        options(),
        {
            {"due", "when it was due", "2026-01-01T06:30:00.000Z"},
        },
        R"(version: 1
pipeline: morning
source:
  timer: { cron: "30 6 * * mon-fri", timezone: Europe/Vienna }
steps:
  - log: "due at ${event.due}, on ${event.date}"
)",
        Repeats::never,
        "every",
        check_timer};
    return kSpec;
}

Result<std::unique_ptr<Source>> make_timer(const Options& options, const SourceContext& context) {
    if (Faults faults = check_timer(options); !faults.empty()) {
        return fail(std::move(faults.front()));
    }
    const bool own = options.has("timezone");
    const std::string zone = own ? options.text("timezone") : context.timezone;
    MUSHER_TRY(timer::Schedule schedule, timer::Schedule::from(options, zone, context.pipeline));
    const bool once = options.text("missed") == "once";
    return std::make_unique<timer::Timer>(
        std::move(schedule), once ? timer::Missed::once : timer::Missed::skip, context);
}

}  // namespace musher
