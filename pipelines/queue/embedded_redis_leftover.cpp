#include "pipelines/queue/embedded_redis_leftover.h"

#include <sys/syscall.h>

#include <csignal>

#include "reactor/base/log.h"
#include "reactor/drivers/redis_link.h"

namespace musher {

namespace {
constexpr std::array kLouder = {SIGTERM, SIGKILL, 0};  // after SHUTDOWN; 0 only looks

/// Suspends until the process of a pidfd has ended.
Task<Result<void>> process_end(Loop& loop, const Fd& process, Cancel& cancel) {
    Waiters ended(loop.ready());
    MUSHER_CO_TRY(Poll poll, Poll::open(loop, process.get(), "redis.orphan"));
    poll.start(UV_READABLE, [&](int, int) {
        poll.stop();
        ended.wake_one();
    });
    co_return co_await ended.wait(cancel);
}
}  // namespace

Task<Result<void>> end_leftover_redis(Loop& loop, SocketAddress socket, Duration patience,
                                      Cancel& cancel) {
    Result<std::unique_ptr<RedisLink>> link = co_await RedisLink::connect(loop, socket, cancel);
    if (!link) co_return Result<void>();
    const pid_t left = (*link)->peer_pid();
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, left, 0)));
    if (!process) co_return Result<void>();  // it has just ended
    log::warning("embedded_redis.leftover", Json{{"pid", left}});
    (*link)->post({"SHUTDOWN", "NOSAVE"});
    for (const int number : kLouder) {
        Cancel mine(cancel);
        const Deadline limit(loop.timers(), mine, patience);
        const Result<void> ended = co_await process_end(loop, process, mine);
        if (ended) co_return Result<void>();
        if (cancel.requested()) co_return fail(cancel.error());
        ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0);
    }
    co_return fail(Errc::conflict, "a redis-server of an earlier musher does not end: process " +
                                       std::to_string(left));
}

}  // namespace musher
