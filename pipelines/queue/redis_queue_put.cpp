// RedisQueue::put: the jobs of all puts of one loop turn travel in shared batches, several of
// which may be on their way; one fsync of the server then covers what arrives together.
#include "pipelines/queue/redis_queue.h"

namespace musher {

namespace {
constexpr int kPriorities = 4096;
constexpr std::chrono::milliseconds kReplicaWait{1000};

std::array<std::string, 8> fields_of(const Job& job) {
    const int priority = std::clamp(job.priority, 0, kPriorities - 1);
    return {job.id,
            std::to_string(priority),
            std::to_string(job.max_attempts),
            std::to_string(job.due_ms),
            job.dedupe,
            job.key,
            job.on_failure ? "1" : "0",
            job.encode()};
}
}  // namespace

/// One caller's jobs; it and the batches that carry them share it, so a caller that was cancelled
/// may leave.
struct RedisQueue::PutCall {
    PutCall(ReadyList& ready, std::size_t jobs)
        : codes(jobs, PutCode::full), left(jobs), done(ready) {}
    std::vector<PutCode> codes;
    std::size_t left;  // jobs without an answer
    std::optional<Error> error;
    Waiters done;
};

Task<Result<std::vector<PutCode>>> RedisQueue::put(std::vector<Job> jobs, Cancel& cancel) {
    if (cancel.requested()) co_return musher::fail(cancel.error());
    if (jobs.empty()) co_return std::vector<PutCode>();
    const auto call = std::make_shared<PutCall>(loop_.ready(), jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        pending_.push_back(PutItem{call, i, fields_of(jobs[i])});
    }
    const std::size_t batches = (pending_.size() + limits::kQueueBatch - 1) / limits::kQueueBatch;
    while (senders_ < std::min(batches, limits::kQueueDepth)) {
        ++senders_;
        scope_.spawn("put", send_puts());
    }
    while (call->left > 0) MUSHER_CO_DO(co_await call->done.wait(cancel));
    if (call->error) co_return musher::fail(*call->error);
    co_return std::move(call->codes);
}

Task<void> RedisQueue::send_puts() {
    co_await next_turn(loop_.ready());
    while (!pending_.empty()) {
        PutBatch batch = take_batch();
        const Result<std::vector<PutCode>> codes = co_await send_batch(batch);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            PutCall& call = *batch[i].call;
            if (codes) {
                call.codes[batch[i].index] = (*codes)[i];
            } else {
                call.error = codes.error();
            }
            if (--call.left == 0) call.done.wake_all();
        }
    }
    --senders_;
}

RedisQueue::PutBatch RedisQueue::take_batch() {
    PutBatch batch;
    while (!pending_.empty() && batch.size() < limits::kQueueBatch) {
        batch.push_back(std::move(pending_.front()));
        pending_.pop_front();
    }
    return batch;
}

Task<Result<std::vector<PutCode>>> RedisQueue::send_batch(PutBatch& batch) {
    Args args;
    args.reserve(2 + batch.size() * std::tuple_size_v<decltype(PutItem::fields)>);
    args.push_back(std::to_string(kJobVersion));
    args.push_back(std::to_string(options_.waiting));
    for (PutItem& item : batch) {
        for (std::string& field : item.fields) args.push_back(std::move(field));
    }
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().enqueue, std::move(args), stop_));
    if (reply.text.size() != batch.size()) {
        co_return musher::fail(Errc::corrupt, "queue " + name_ + ": not an answer to a put");
    }
    if (more_.durability == Durability::replicated) MUSHER_CO_DO(co_await confirm_replica(stop_));
    std::vector<PutCode> codes;
    codes.reserve(batch.size());
    for (const char digit : reply.text) codes.push_back(static_cast<PutCode>(digit - '0'));
    co_return codes;
}

/// WAIT covers all that this connection wrote before it.
Task<Result<void>> RedisQueue::confirm_replica(Cancel& cancel) {
    Args wait{"WAIT", "1", std::to_string(kReplicaWait.count())};
    MUSHER_CO_TRY(const RedisReply reply, co_await redis_.command(std::move(wait), cancel));
    if (reply.integer >= 1) co_return Result<void>();
    co_return musher::fail(Errc::unavailable,
                           "queue " + name_ + ": no replica of redis confirmed the jobs within " +
                               format_duration(kReplicaWait),
                           "they are sent again; check the replicas of the Redis server");
}

}  // namespace musher
