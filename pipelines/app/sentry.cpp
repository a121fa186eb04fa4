#include "pipelines/app/sentry.h"

#include <algorithm>

#include "reactor/base/backoff.h"
#include "reactor/base/uuid.h"

namespace musher {

namespace {
constexpr Duration kShortestPause = std::chrono::seconds(1);
constexpr Duration kLongestPause = std::chrono::minutes(1);
constexpr Duration kLastWords = std::chrono::seconds(2);

/// Of Python's logging, which Sentry's users know.
int number_of(log::Level level) { return 10 * (static_cast<int>(level) + 1); }

log::Level least_of(int number) {
    for (const auto level : {log::Level::debug, log::Level::info, log::Level::warning}) {
        if (number_of(level) >= number) return level;
    }
    return log::Level::error;
}

std::string new_event_id(std::int64_t wall_ms) {
    std::string id = new_uuid7(wall_ms);
    id.erase(std::remove(id.begin(), id.end(), '-'), id.end());
    return id;
}
}  // namespace

Sentry::Sentry(Loop& loop, SentryDsn dsn, int level, std::string node)
    : loop_(loop),
      dsn_(std::move(dsn)),
      level_(level),
      node_(std::move(node)),
      http_(loop),
      wakeup_(loop, "sentry", [this] { bell_.ring(); }),
      bell_(loop.ready()),
      scope_("sentry", loop.ready(), loop.clock(), &loop.root()) {
    scope_.spawn("send", run());
    // A dead job's record is a warning.
    log::watch(std::min(log::Level::warning, least_of(level)),
               [this](log::Level at, std::string_view event, const Json& fields) {
                   take(at, event, fields);
               });
}

Sentry::~Sentry() { log::watch(log::Level::error, nullptr); }

Task<void> Sentry::close() {
    log::watch(log::Level::error, nullptr);
    hurry_.request();
    const Deadline last(loop_.timers(), give_up_, kLastWords);
    co_await scope_.join();
    if (waiting_.empty()) co_return;
    log::warning("sentry.unsent", Json{{"records", waiting_.size()}});
}

/// Any thread.
void Sentry::take(log::Level level, std::string_view event, const Json& fields) {
    const bool wanted = number_of(level) >= level_ || event == "job.dead";
    if (!wanted || event.starts_with("sentry.")) return;
    SentryRecord record;
    record.time_ms = RealClock().wall_ms();
    record.id = new_event_id(record.time_ms);
    record.level = level;
    record.event = event;
    record.fields = fields;
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= kWaiting) {
            ++dropped_;
        } else {
            waiting_.push_back(std::move(record));
        }
    }
    wakeup_.signal();
}

/// One line when it begins, one when it is over.
void Sentry::tell_dropped() {
    std::uint64_t dropped = 0;
    bool full = false;
    bool over = false;
    {
        const std::lock_guard lock(mutex_);
        full = dropped_ > 0 && !told_full_;
        over = told_full_ && waiting_.empty();
        told_full_ = (told_full_ || full) && !over;
        dropped = over ? std::exchange(dropped_, 0) : dropped_;
    }
    if (full) log::warning("sentry.full", Json{{"waiting", kWaiting}, {"hint", "more is dropped"}});
    if (over) log::warning("sentry.dropped", Json{{"records", dropped}});
}

Task<void> Sentry::run() {
    for (;;) {
        tell_dropped();
        std::string envelope;
        {
            const std::lock_guard lock(mutex_);
            if (!waiting_.empty()) envelope = sentry_envelope(waiting_.front(), node_);
        }
        if (envelope.empty()) {
            const Result<void> rung = co_await bell_.wait(hurry_);
            if (!rung) co_return;
            continue;
        }
        const Result<Fate> fate = co_await send(std::move(envelope));
        note(fate);
        if (fate && *fate != Fate::later) {
            const std::lock_guard lock(mutex_);
            waiting_.pop_front();
        }
        if (pause_.count() == 0) continue;
        if (hurry_.requested()) co_return;
        co_await pause();
    }
}

/// As long as the server wants. What comes meanwhile is counted, not sent.
Task<void> Sentry::pause() {
    const Instant until = loop_.clock().now() + std::exchange(pause_, Duration(0));
    Cancel over(hurry_);
    const Deadline deadline(loop_.timers(), over, until - loop_.clock().now());
    while (!over.requested()) {
        tell_dropped();
        static_cast<void>(co_await bell_.wait(over));
    }
}

Task<Result<Sentry::Fate>> Sentry::send(std::string envelope) {
    HttpRequest request("POST", dsn_.envelope_url);
    request.headers = {
        "Content-Type: application/x-sentry-envelope",
        "X-Sentry-Auth: Sentry sentry_version=7, sentry_client=musher/" MUSHER_VERSION
        ", sentry_key=" +
            dsn_.public_key};
    request.body = std::move(envelope);
    request.connect_timeout = std::chrono::seconds(5);
    request.timeout = std::chrono::seconds(10);
    request.response_limit = 4096;
    MUSHER_CO_TRY(const HttpResponse response, co_await http_.send(request, give_up_));
    pause_ = sentry_pause(response.status, response.header("x-sentry-rate-limits"),
                          response.retry_after);
    if (response.ok()) co_return Fate::sent;
    if (response.status == 429) co_return Fate::later;
    const std::string answered = "it answered " + std::to_string(response.status);
    if (response.status >= 500) co_return fail(Errc::unavailable, answered);
    if (!std::exchange(refused_, true)) {
        log::warning(
            "sentry.refused",
            Json{{"url", dsn_.envelope_url}, {"reason", answered}, {"hint", "check sentry.dsn"}});
    }
    co_return Fate::refused;
}

/// Says once that the server is away, and once that it is back.
void Sentry::note(const Result<Fate>& fate) {
    if (fate) {
        if (failures_ > 0) log::info("sentry.back", Json{{"url", dsn_.envelope_url}});
        failures_ = 0;
        refused_ = refused_ && *fate != Fate::sent;
        return;
    }
    pause_ = std::max(backoff_delay(kShortestPause, kLongestPause, ++failures_), kShortestPause);
    if (failures_ > 1 || give_up_.requested()) return;
    log::warning("sentry.away", Json{{"url", dsn_.envelope_url}, {"reason", fate.error().text()}});
}

}  // namespace musher
