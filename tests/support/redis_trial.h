// A case of the queue on Redis that needs the server beside the queue.
#pragma once

#include "tests/support/redis_queue_rig.h"
#include "tests/support/run_loop.h"

namespace musher::test {

struct RedisTrial : Trial {
    explicit RedisTrial(RedisQueueRig& rig, Loop& on) : Trial(rig), redis_rig(rig), loop(on) {}
    /// A plain command; no braces, which the compiler does not bear in an await.
    template <class... Words>
    Task<std::string> redis(const Words&... words) {
        std::vector<std::string> argv;
        (argv.emplace_back(words), ...);
        return send(std::move(argv));
    }
    Task<std::string> send(std::vector<std::string> argv) {
        const Result<RedisReply> reply = co_await redis_rig.redis().command(std::move(argv), never);
        if (!reply) co_return reply.error().text();
        co_return reply->kind == RedisReply::Kind::integer ? std::to_string(reply->integer)
                                                           : reply->text;
    }
    RedisQueueRig& redis_rig;
    Loop& loop;
};
using RedisCase = Task<void> (*)(RedisTrial&);

inline Task<void> run_case(Loop& loop, RedisQueueRig& rig, RedisCase& run, QueueOptions& options) {
    co_await rig.start(loop, options);
    {
        RedisTrial trial(rig, loop);
        co_await run(trial);
    }
    co_await rig.stop();
}
inline void run_on(const RedisServer& server, RedisCase run, RedisQueueOptions more = {},
                   QueueOptions options = {}) {
    RedisQueueRig rig(server, std::move(more));
    on_loop(run_case, rig, run, options);
}

}  // namespace musher::test
