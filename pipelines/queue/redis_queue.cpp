#include "pipelines/queue/redis_queue.h"

#include <algorithm>

#include "pipelines/queue/job_records.h"
#include "pipelines/queue/redis_rows.h"
#include "reactor/base/uuid.h"

namespace musher {

namespace {
constexpr std::size_t kNonceDigits = 12;

Failure lost(const std::string& id) {
    return fail(Errc::conflict, "job " + id + " is no longer held with this token");
}

/// One setting of CONFIG GET's answer; empty when it is not there.
std::string setting(const RedisReply& flat, std::string_view name) {
    for (std::size_t i = 0; i + 1 < flat.items.size(); i += 2) {
        if (flat.items[i].text == name) return flat.items[i + 1].text;
    }
    return {};
}

/// The random end of a UUID; "" of "".
std::string mark(const std::string& uuid) {
    return uuid.substr(uuid.size() - std::min(uuid.size(), kNonceDigits));
}
}  // namespace

RedisQueue::RedisQueue(Loop& loop, Redis& redis, std::string name, QueueOptions options,
                       RedisQueueOptions more)
    : loop_(loop),
      redis_(redis),
      name_(std::move(name)),
      options_(options),
      more_(std::move(more)),
      keys_(name_),
      scope_("queue " + name_, loop.ready(), loop.clock(), &loop.root()),
      free_slots_(loop.ready(), slots_.size()) {
    const std::string nonce = mark(new_uuid7(loop.clock().wall_ms()));
    node_mark_ = mark(more_.node);
    process_mark_ = node_mark_ + mark(more_.reactor);
    nonce_ = process_mark_ + nonce;
    const std::string reactor = more_.reactor.empty() ? nonce : more_.reactor;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        slots_[i].memo = reactor + "/" + std::to_string(i);
    }
}

RedisQueue::~RedisQueue() = default;

void RedisQueue::limit(const QueueOptions& options) {
    const milliseconds lease = options_.lease;
    options_ = options;
    options_.lease = lease;
}

/// As if it had run out, as it does after kill -9 and when the server gives no answer: the next
/// reap of anybody forgets the rest.
Task<void> RedisQueue::leave(Cancel& cancel) {
    Args sign{"ZADD", keys_.key("rx"), "XX", "0", more_.reactor};
    const Result<RedisReply> told = co_await redis_.command(std::move(sign), cancel);
    static_cast<void>(told);
    announced_ = Instant{};
}

Task<void> RedisQueue::close() {
    stop_.request(Errc::cancelled, "queue " + name_ + " was closed");
    co_await scope_.join();
}

Error RedisQueue::explain(Error error) const {
    const std::size_t at = error.message.find("FORMAT ");
    if (at == std::string::npos) return std::move(error).within("queue " + name_);
    return Error(Errc::corrupt,
                 "queue " + name_ + " has format " + error.message.substr(at + 7) +
                     ", this musher reads format " + std::to_string(kJobVersion),
                 "run the musher that wrote it, or a newer one");
}

Task<Result<RedisReply>> RedisQueue::call(const RedisScript& script, Args args, Cancel& cancel) {
    std::vector<std::string> keys = keys_.at(loop_.clock().wall_ms());
    Result<RedisReply> reply =
        co_await redis_.eval(script, std::move(keys), std::move(args), cancel);
    if (!reply) co_return musher::fail(explain(std::move(reply).error()));
    co_return reply;
}

Task<Result<void>> RedisQueue::open(Cancel& cancel) {
    MUSHER_CO_DO(co_await check_server(cancel));
    Args args;
    args.push_back(std::to_string(kJobVersion));
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().open, std::move(args), cancel));
    if (reply.integer != kJobVersion) {
        co_return musher::fail(
            explain(Error(Errc::corrupt, "FORMAT " + std::to_string(reply.integer))));
    }
    Args enter{"SADD", std::string(kQueueRegistry), name_};
    const Result<RedisReply> entered = co_await redis_.command(std::move(enter), cancel);
    // A user who may touch this queue's keys only has a queue that is never found as orphaned.
    if (!entered && entered.error().code != Errc::denied) {
        co_return musher::fail(explain(entered.error()));
    }
    co_return Result<void>();
}

/// A server may forbid CONFIG; then only the class `disk` cannot be promised.
Task<Result<void>> RedisQueue::check_server(Cancel& cancel) {
    Args persistence{"CONFIG", "GET", "append*"};
    Args eviction{"CONFIG", "GET", "maxmemory-policy"};
    const Result<RedisReply> policy = co_await redis_.command(std::move(eviction), cancel);
    if (!policy && policy.error().code == Errc::unavailable) {
        co_return musher::fail(explain(policy.error()));
    }
    const std::string evicts = policy ? setting(*policy, "maxmemory-policy") : std::string();
    if (evicts.starts_with("allkeys")) {
        co_return musher::fail(Errc::usage,
                               "redis may evict jobs: its maxmemory-policy is " + evicts,
                               "set maxmemory-policy noeviction on the Redis server");
    }
    const Result<RedisReply> aof = co_await redis_.command(std::move(persistence), cancel);
    if (more_.durability != Durability::disk) {
        forgetful_ = aof && setting(*aof, "appendonly") == "no";
        co_return Result<void>();
    }
    const bool always =
        aof && setting(*aof, "appendonly") == "yes" && setting(*aof, "appendfsync") == "always";
    if (!always) {
        co_return musher::fail(
            Errc::usage,
            "redis answers before its data is on the disk, queue " + name_ + " wants it there",
            "set appendonly yes and appendfsync always on the Redis server");
    }
    co_return Result<void>();
}

Task<Result<bool>> RedisQueue::fail(Defeat defeat, Cancel& cancel) {
    Args args;
    args.push_back(defeat.id);
    args.push_back(defeat.token);
    args.push_back(error_line(defeat.error, defeat.step));
    args.push_back(story_line(defeat.story));
    args.push_back(defeat.retry ? "1" : "0");
    args.push_back(std::to_string(defeat.delay.count()));
    args.push_back(defeat.state == JobState::cancelled ? "2" : "1");
    args.push_back(defeat.spends_try ? "1" : "0");
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().fail, std::move(args), cancel));
    if (reply.integer < 0) co_return lost(defeat.id);
    co_return reply.integer == 1;
}

Task<Result<void>> RedisQueue::release(std::string id, std::string token, milliseconds delay,
                                       Cancel& cancel) {
    Args args;
    args.push_back(id);
    args.push_back(std::move(token));
    args.push_back(cancelled_line());
    args.push_back(std::to_string(delay.count()));
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().release, std::move(args), cancel));
    if (reply.integer < 0) co_return lost(id);
    co_return Result<void>();
}

Task<Result<void>> RedisQueue::store_receipt(std::string id, std::string token, Receipt receipt,
                                             Cancel& cancel) {
    Args args;
    args.push_back(id);
    args.push_back(std::move(token));
    args.push_back(to_line(receipt.to_json()));
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().receipt, std::move(args), cancel));
    if (reply.integer < 0) co_return lost(id);
    co_return Result<void>();
}

Task<Result<Reaped>> RedisQueue::reap(Cancel& cancel) {
    const auto keep = std::chrono::duration_cast<milliseconds>(options_.keep);
    Args args;
    args.push_back(std::to_string(options_.history));
    args.push_back(std::to_string(keep.count()));
    args.push_back(cancelled_line());
    args.push_back(orphans_freed_ ? "" : node_mark_);
    args.push_back(process_mark_);
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().reap, std::move(args), cancel));
    orphans_freed_ = true;
    Reaped reaped;
    reaped.back = static_cast<std::size_t>(reply.items.at(0).integer);
    for (const RedisReply& one : reply.items.at(1).items) {
        MUSHER_CO_TRY(JobRow row, read_row(one, name_));
        reaped.ended.push_back(std::move(row));
    }
    co_return reaped;
}

Task<Result<void>> RedisQueue::set_paused(bool paused, Cancel& cancel) {
    Args args;
    args.push_back(paused ? "1" : "0");
    MUSHER_CO_DO(co_await call(queue_scripts().pause, std::move(args), cancel));
    co_return Result<void>();
}

}  // namespace musher
