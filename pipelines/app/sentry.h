// Sentry: tells a Sentry server of log records that matter, and of every dead job.
#pragma once

#include <deque>
#include <mutex>
#include <string>

#include "pipelines/app/sentry_event.h"
#include "reactor/drivers/http.h"
#include "reactor/drivers/sentry_dsn.h"
#include "reactor/loop/wakeup.h"
#include "reactor/task/doorbell.h"

namespace musher {

/// From its making on it watches the log. A server that is away or asks to wait is waited for;
/// meanwhile up to kWaiting records are kept, and later ones are dropped and counted. What it logs
/// itself ("sentry.…") is never sent.
class Sentry {
  public:
    static constexpr std::size_t kWaiting = 100;

    /// `level`: the least that is sent, by Python's numbers (40: error).
    Sentry(Loop& loop, SentryDsn dsn, int level, std::string node);
    ~Sentry();
    /// Watches no longer, and sends what waits for at most two seconds. Before the destructor.
    Task<void> close();

  private:
    enum class Fate { sent, later, refused };
    void take(log::Level level, std::string_view event, const Json& fields);
    void tell_dropped();
    Task<void> run();
    Task<void> pause();
    Task<Result<Fate>> send(std::string envelope);
    void note(const Result<Fate>& fate);

    Loop& loop_;
    const SentryDsn dsn_;
    const int level_;
    const std::string node_;
    Http http_;
    std::mutex mutex_;  // of the next three
    std::deque<SentryRecord> waiting_;
    std::uint64_t dropped_ = 0;
    bool told_full_ = false;
    Wakeup wakeup_;
    Doorbell bell_;
    Cancel give_up_;
    Cancel hurry_{give_up_};  // no more pauses
    Duration pause_{0};       // asked for by the server
    int failures_ = 0;        // in a row
    bool refused_ = false;
    Scope scope_;
};

}  // namespace musher
