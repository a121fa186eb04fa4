#include "pipelines/run/intake.h"

#include <fmt/format.h>

#include "reactor/base/backoff.h"
#include "reactor/base/limits.h"
#include "reactor/base/log.h"
#include "reactor/base/uuid.h"

namespace musher {

namespace {
/// What is on its way into the queue has left its place already: not more than the queue takes.
std::size_t most_under_way(int waiting) {  // 0: no limit
    return waiting > 0 ? std::min(static_cast<std::size_t>(waiting), limits::kFileBatch)
                       : limits::kFileBatch;
}

constexpr std::int64_t kDateStepMs = 60'000;  // every zone's midnight is on a full minute

/// "" for nil: no key, no dedupe value.
std::string scalar_text(const Json& value) {
    if (value.is_null()) return {};
    return value.is_string() ? value.get<std::string>() : to_line(value);
}

struct Wishes {
    bool wanted = true;
    std::string key;
    std::string dedupe;
};

Result<Wishes> evaluate(const Program& program, const Bindings& view) {
    Wishes wishes;
    if (program.when()) {
        MUSHER_TRY(wishes.wanted, program.when()->test(view));
        if (!wishes.wanted) return wishes;
    }
    if (program.key()) {
        MUSHER_TRY(const Json key, program.key()->render(view));
        wishes.key = scalar_text(key);
    }
    if (program.dedupe()) {
        MUSHER_TRY(const Json dedupe, program.dedupe()->evaluate(view));
        wishes.dedupe = scalar_text(dedupe);
    }
    return wishes;
}
}  // namespace

Intake::Intake(const Surroundings& around, const std::shared_ptr<const Program>& program,
               JobQueue& queue, Tally& tally, Listener listener)
    : around_(around),
      program_(program),
      queue_(queue),
      tally_(tally),
      listener_(std::move(listener)),
      channel_(around.loop.ready(), most_under_way(program->config().limits.waiting)),
      room_(around.loop.ready()),
      idle_(around.loop.ready()) {}

Result<std::optional<Job>> Intake::make_job(Event event, const std::string& dedupe,
                                            const std::optional<Error>& fault) const {
    const Program& program = *program_;
    const std::int64_t now = around_.loop.clock().wall_ms();
    if (event.id.empty()) event.id = new_uuid7(now);
    if (event.time_ms == 0) event.time_ms = now;
    if (event.source.empty()) event.source = program.config().name;
    if (now >= date_until_ms_) {
        MUSHER_TRY(date_, format_date(now, around_.timezone));
        date_until_ms_ = now - now % kDateStepMs + kDateStepMs;
    }
    if (event.date.empty()) event.date = date_;

    Job job;
    job.id = event.id;
    job.pipeline = program.config().name;
    job.queue = queue_.name();
    job.revision = program.revision();
    job.priority = program.config().priority;
    job.max_attempts = program.config().limits.attempts;
    job.created_ms = event.time_ms;
    job.dedupe = dedupe;
    // What is no sound event fails at once, with its story.
    std::optional<Error> unsound = fault;
    if (event.hops > limits::kHops) {
        unsound =
            Error(Errc::loop, fmt::format("the file came through musher {} times", event.hops),
                  "a pipeline's output leads back to its input; musher explain shows the folders");
    }
    if (unsound) {
        job.failed = to_json(*unsound);
        job.event = std::move(event);
        return std::optional<Job>(std::move(job));
    }
    if (program.when() || program.key() || program.dedupe()) {
        Body body;
        body.size = size_in(event.facts, "size");
        const Json about{{"id", job.id}, {"pipeline", job.pipeline}, {"attempt", 0}};
        const Json view = make_bindings(around_, event, about, Json::object(), body);
        Result<Wishes> wishes = evaluate(program, view);
        if (!wishes) {
            // The item is at fault: the job fails at once, with its story, and is not retried.
            job.failed = to_json(wishes.error());
        } else {
            if (!wishes->wanted) return std::optional<Job>();
            job.key = std::move(wishes->key);
            if (!wishes->dedupe.empty()) job.dedupe = std::move(wishes->dedupe);
        }
    }
    event.key = job.key;
    job.event = std::move(event);
    return std::optional<Job>(std::move(job));
}

Task<void> Intake::run(Cancel& stop) {
    Cancel never;
    for (;;) {
        Result<std::vector<Delivery>> batch = co_await channel_.receive(limits::kFileBatch, never);
        if (!batch) co_return;
        admitting_ = true;
        co_await admit(std::move(*batch), stop);
        admitting_ = false;
        idle_.wake_all();
    }
}

void Intake::limit(int waiting) {
    channel_.set_capacity(most_under_way(waiting));
    room();
}

Task<Result<void>> Intake::answered(Cancel& cancel) {
    while (admitting_ || channel_.size() > 0) MUSHER_CO_DO(co_await idle_.wait(cancel));
    co_return Result<void>();
}

Task<void> Intake::admit(std::vector<Delivery> batch, Cancel& stop) {
    std::vector<Waiting> waiting;
    for (Delivery& delivery : batch) {
        Result<std::optional<Job>> job =
            make_job(std::move(delivery.event), delivery.dedupe, delivery.fault);
        if (!job) {
            tally_.rejected();
            delivery.ticket->rejected(job.error());
        } else if (!*job) {
            tally_.unwanted();
            delivery.ticket->accepted(Admission::unwanted);
        } else {
            waiting.push_back(Waiting{std::move(**job), std::move(delivery.ticket)});
        }
    }
    for (int tries = 0; !waiting.empty(); ++tries) {
        if (tries > 0) co_await pause_for_room(tries, stop);
        if (stop.requested() && tries > 0) break;
        waiting = co_await store(std::move(waiting), stop);
    }
    for (Waiting& left : waiting) {
        tally_.rejected();
        left.ticket->rejected(stop.error());
    }
    trouble_.clear();
    set_full(false);
}

void Intake::set_full(bool full) {
    if (std::exchange(full_, full) != full) listener_.on_full();
}

Task<std::vector<Intake::Waiting>> Intake::store(std::vector<Waiting> waiting, Cancel& stop) {
    std::vector<Job> jobs;
    jobs.reserve(waiting.size());
    for (const Waiting& one : waiting) jobs.push_back(one.job);
    const Result<std::vector<PutCode>> codes = co_await queue_.put(std::move(jobs), stop);
    if (!codes) {
        if (trouble_.empty()) {
            log::warning("intake.waiting", Json{{"pipeline", program_->config().name},
                                                {"reason", codes.error().text()}});
        }
        trouble_ = codes.error().text();
        co_return waiting;
    }
    std::vector<Waiting> left;
    bool stored = false;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        tally_.put(waiting[i].job, (*codes)[i]);
        if ((*codes)[i] == PutCode::full) {
            left.push_back(std::move(waiting[i]));
            continue;
        }
        stored = true;
        // kill -9 here: the source finds its claim again and asks the queue for the id.
        const bool duplicate = (*codes)[i] == PutCode::known_dedupe;
        waiting[i].ticket->accepted(duplicate ? Admission::duplicate : Admission::stored);
    }
    set_full(!left.empty());
    trouble_.clear();
    if (stored) listener_.on_put();
    co_return left;
}

Task<void> Intake::pause_for_room(int tries, Cancel& stop) {
    if (stop.requested()) co_return;
    Cancel enough(stop);
    const Duration first = milliseconds(100);
    const Duration last = full_ ? std::chrono::seconds(1) : std::chrono::seconds(5);
    const Deadline deadline(around_.loop.timers(), enough, backoff_delay(first, last, tries));
    const Result<void> woken = co_await room_.wait(enough);
    static_cast<void>(woken);  // room, time or stop: the caller tries again either way
}

void Intake::room() {
    if (full_) room_.wake_all();
}

}  // namespace musher
