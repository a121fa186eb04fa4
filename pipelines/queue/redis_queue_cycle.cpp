// RedisQueue::cycle: acks, beats and claims.
#include "pipelines/queue/job_records.h"
#include "pipelines/queue/redis_queue.h"
#include "pipelines/queue/redis_rows.h"
#include "reactor/base/log.h"
#include "reactor/task/all.h"

namespace musher {

namespace {
constexpr std::size_t kReplyItems = 5;
constexpr std::size_t kClaimItems = 5;  // id, attempt, job, receipts, stalls

template <class T>
std::vector<T> slice(std::vector<T>& all, std::size_t from) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(std::min(from, all.size()));
    const auto last =
        all.begin() + static_cast<std::ptrdiff_t>(std::min(from + limits::kQueueBatch, all.size()));
    return std::vector<T>(std::move_iterator(first), std::move_iterator(last));
}

template <class T>
void append(std::vector<T>& all, std::vector<T>&& more) {
    std::move(more.begin(), more.end(), std::back_inserter(all));
}

template <class Code>
std::vector<Code> codes_of(const RedisReply& digits) {
    std::vector<Code> codes;
    for (const char digit : digits.text) codes.push_back(static_cast<Code>(digit - '0'));
    return codes;
}
}  // namespace

Task<Result<CycleOut>> RedisQueue::cycle(CycleIn in, Cancel& cancel) {
    constexpr std::size_t kMost = limits::kQueueBatch;
    if (in.acks.size() <= kMost && in.beats.size() <= kMost && in.claim <= kMost) {
        co_return co_await cycle_once(std::move(in), cancel);
    }
    // Claims come last: an answer that is lost before them leaves nothing in nobody's hands.
    const std::size_t wanted = std::exchange(in.claim, 0);
    MUSHER_CO_TRY(CycleOut out, co_await settle_in_parts(std::move(in), cancel));
    if (wanted > 0) {
        MUSHER_CO_TRY(out.claimed, co_await claim_in_parts(wanted, cancel));
    }
    co_return out;
}

Task<Result<CycleOut>> RedisQueue::settle_in_parts(CycleIn in, Cancel& cancel) {
    CycleOut out;
    const std::size_t most = std::max(in.acks.size(), in.beats.size());
    std::size_t from = 0;
    while (from < most) {
        std::vector<Task<Result<CycleOut>>> wave;
        for (; from < most && wave.size() < limits::kQueueDepth; from += limits::kQueueBatch) {
            CycleIn part;
            part.acks = slice(in.acks, from);
            part.beats = slice(in.beats, from);
            wave.push_back(cycle_once(std::move(part), cancel));
        }
        std::vector<Result<CycleOut>> answers =
            co_await all(loop_.ready(), loop_.clock(), std::move(wave));
        for (Result<CycleOut>& answer : answers) {
            MUSHER_CO_TRY(CycleOut part, std::move(answer));
            append(out.acks, std::move(part.acks));
            append(out.beats, std::move(part.beats));
            out.claimed.next_due = part.claimed.next_due;
        }
    }
    co_return out;
}

/// What one of several calls got is not thrown away because another failed.
Task<Result<Claimed>> RedisQueue::claim_in_parts(std::size_t most, Cancel& cancel) {
    std::vector<Task<Result<CycleOut>>> wave;
    while (most > 0 && wave.size() < limits::kQueueDepth) {
        CycleIn part;
        part.claim = std::min(most, limits::kQueueBatch);
        most -= part.claim;
        wave.push_back(cycle_once(std::move(part), cancel));
    }
    std::vector<Result<CycleOut>> answers =
        co_await all(loop_.ready(), loop_.clock(), std::move(wave));
    Claimed claimed;
    std::optional<Error> error;
    for (Result<CycleOut>& answer : answers) {
        if (!answer) {
            error = std::move(answer).error();
            continue;
        }
        append(claimed.claims, std::move(answer->claimed.claims));
        claimed.next_due = answer->claimed.next_due;
    }
    if (error && claimed.claims.empty()) co_return musher::fail(std::move(*error));
    co_return claimed;
}

/// One script call. A claim takes a slot, one with a lost answer first.
Task<Result<CycleOut>> RedisQueue::cycle_once(CycleIn in, Cancel& cancel) {
    const Slot none;
    if (in.claim == 0) co_return co_await cycle_call(in, none, cancel);
    MUSHER_CO_TRY(const Semaphore::Permit permit, co_await free_slots_.acquire(cancel));
    Slot& slot = take_slot();
    slot.busy = true;
    Result<CycleOut> out = co_await cycle_call(in, slot, cancel);
    slot.busy = false;
    slot.lost = !out.has_value();
    co_return out;
}

RedisQueue::Slot& RedisQueue::take_slot() {
    Slot* taken = nullptr;
    for (Slot& slot : slots_) {
        if (!slot.busy && (!taken || (slot.lost && !taken->lost))) taken = &slot;
    }
    MUSHER_CHECK(taken != nullptr);
    if (!taken->lost) taken->token = nonce_ + "." + std::to_string(++claims_);
    return *taken;
}

RedisQueue::Args RedisQueue::cycle_args(const CycleIn& in, const Slot& slot) {
    const Instant now = loop_.clock().now();
    const bool announce = !more_.reactor.empty() && now - announced_ >= limits::kBeat;
    if (announce) announced_ = now;
    Args args;
    args.reserve(10 + 3 * (in.acks.size() + in.beats.size()));
    args.push_back(std::to_string(kJobVersion));
    args.push_back(std::to_string(in.claim));
    args.push_back(std::to_string(options_.lease.count()));
    args.push_back(slot.token);
    args.push_back(slot.memo);
    args.push_back(more_.reactor);
    args.push_back(announce ? to_line(more_.about) : std::string());
    args.push_back(std::to_string(options_.history));
    args.push_back(std::to_string(in.acks.size()));
    args.push_back(std::to_string(in.beats.size()));
    for (const Ack& ack : in.acks) {
        args.push_back(ack.id);
        args.push_back(ack.token);
        args.push_back(story_line(ack.story));
    }
    for (const Beat& beat : in.beats) {
        args.push_back(beat.id);
        args.push_back(beat.token);
        args.push_back(beat.progress.is_null() ? std::string() : to_line(beat.progress));
    }
    return args;
}

Task<Result<CycleOut>> RedisQueue::cycle_call(const CycleIn& in, const Slot& slot, Cancel& cancel) {
    Args args = cycle_args(in, slot);
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().cycle, std::move(args), cancel));
    if (reply.items.size() != kReplyItems) {
        co_return musher::fail(Errc::corrupt, "queue " + name_ + ": not an answer to a cycle");
    }
    CycleOut out;
    out.acks = codes_of<AckCode>(reply.items[0]);
    out.beats = codes_of<BeatCode>(reply.items[1]);
    const std::int64_t format = reply.items[3].integer;
    if (format > kJobVersion && in.claim > 0 && out.acks.empty() && out.beats.empty()) {
        co_return musher::fail(explain(Error(Errc::corrupt, "FORMAT " + std::to_string(format))));
    }
    MUSHER_CO_TRY(out.claimed, co_await read_claims(reply.items[4], slot.token, cancel));
    out.claimed.next_due = milliseconds(reply.items[2].integer);
    co_return out;
}

Task<Result<Claimed>> RedisQueue::read_claims(const RedisReply& flat, std::string token,
                                              Cancel& cancel) {
    Claimed claimed;
    claimed.claims.reserve(flat.items.size() / kClaimItems);
    for (std::size_t i = 0; i + kClaimItems <= flat.items.size(); i += kClaimItems) {
        const std::string& id = flat.items[i].text;
        Result<Job> job = read_stored_job(id, name_, flat.items[i + 2].text);
        if (job) {
            Claim claim;
            claim.job = std::move(*job);
            claim.token = token;
            claim.attempt = static_cast<int>(flat.items[i + 1].integer);
            claim.stalls = static_cast<int>(flat.items[i + 4].integer);
            claim.receipts = read_receipts(flat.items[i + 3].text);
            claimed.claims.push_back(std::move(claim));
            continue;
        }
        // Nobody can run it: where people look for broken jobs it is found again. If this call
        // fails the lease runs out and the next one does it.
        log::error("queue.unreadable_job",
                   Json{{"queue", name_}, {"job", id}, {"error", job.error().message}});
        Defeat defeat;
        defeat.id = id;
        defeat.token = token;
        defeat.error = std::move(job).error();
        defeat.retry = false;
        const Result<bool> buried = co_await fail(std::move(defeat), cancel);
        static_cast<void>(buried);
    }
    co_return claimed;
}

}  // namespace musher
