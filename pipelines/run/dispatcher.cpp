#include "pipelines/run/dispatcher.h"

#include <algorithm>

#include "pipelines/run/settlement.h"
#include "pipelines/run/slot.h"
#include "reactor/base/limits.h"
#include "reactor/base/log.h"

namespace musher {

namespace {
constexpr Duration kRecent = milliseconds(20);
/// One batch runs while the queue is asked for the next.
constexpr std::size_t kMostPrefetch = 2 * limits::kQueueBatch;
constexpr std::size_t kStartsPerTurn = 16;  // then the sockets are served
constexpr std::size_t kMostSettling = 1024;
constexpr Duration kFlush = std::chrono::seconds(5);  // for the last acks, after the last job
}  // namespace

Dispatcher::Dispatcher(const Surroundings& around, const std::shared_ptr<const Program>& program,
                       JobQueue& queue, Tally& tally, Scope* parent,
                       std::function<void(std::vector<Settlement>)> settled)
    : around_(around),
      program_(program),
      queue_(queue),
      tally_(tally),
      settled_(std::move(settled)),
      hold_(around.loop.clock(), queue.name()),
      scope_(queue.name(), around.loop.ready(), around.loop.clock(), parent),
      turn_(around.loop.ready()),
      ends_(around.loop.ready()),
      last_beat_(around.loop.clock().now()) {}

Dispatcher::~Dispatcher() = default;

void Dispatcher::changed() {
    dirty_ = true;
    turn_.wake_one();
}

void Dispatcher::wake() {
    look_ = true;
    changed();
}

void Dispatcher::beat() {
    if (slots_.empty()) return;
    beat_ = true;
    changed();
}

void Dispatcher::edited() {
    hold_.hasten();
    wake();
}

void Dispatcher::tick() {
    reap_ = true;
    wake();
}

void Dispatcher::settled_done(std::size_t count) {
    settling_ -= count;
    changed();
    ends_.wake_all();
}

bool Dispatcher::has(const std::string& job) const {
    return std::any_of(slots_.begin(), slots_.end(),
                       [&job](const Slot& slot) { return slot.claim.job.id == job; });
}

/// As many as ended within the last 20 ms: jobs of no length keep a batch in hand, long jobs are
/// left for other reactors.
std::size_t Dispatcher::prefetch() const {
    const Instant from = around_.loop.clock().now() - kRecent;
    const auto recent = std::count_if(finished_.begin(), finished_.end(),
                                      [from](Instant at) { return at >= from; });
    return std::min(static_cast<std::size_t>(recent), kMostPrefetch);
}

std::size_t Dispatcher::prefetched() const {
    return static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(),
                                                  [](const Slot& slot) { return !slot.running; }));
}

std::size_t Dispatcher::wanted() const {
    if (settling_ > kMostSettling) return 0;
    const auto parallel = static_cast<std::size_t>(program_->config().limits.parallel);
    const std::size_t room = parallel + (careful_ ? 0 : prefetch());
    return hold_.allowance(room > slots_.size() ? room - slots_.size() : 0, slots_.size());
}

bool Dispatcher::beat_due() const {
    if (slots_.empty()) return false;
    // Before lost leases are looked for, ours are renewed: this process may have been asleep.
    return reap_ || beat_ || around_.loop.clock().now() - last_beat_ >= limits::kBeat;
}

Task<void> Dispatcher::run(Cancel& stop, Duration grace) {
    while (!stop.requested()) co_await turn(stop);
    Cancel never;
    while (asking_) {
        const Result<void> woken = co_await turn_.wait(never);
        static_cast<void>(woken);
    }
    co_await wind_down(grace);
}

/// The queue is asked first: while it answers, jobs start.
Task<void> Dispatcher::turn(Cancel& stop) {
    dirty_ = false;
    if (hold_.active()) co_await release_waiting();
    if (next_due_ <= around_.loop.clock().now()) look_ = true;
    if (!asking_ && (cycle_due() || reap_)) {
        asking_ = true;
        scope_.spawn("ask", ask(stop));
    }
    if (start_ready()) {
        co_await next_turn(around_.loop.ready());
    } else {
        co_await idle(stop);
    }
}

bool Dispatcher::cycle_due() const {
    return !acks_.empty() || beat_due() || (look_ && wanted() > 0);
}

Task<void> Dispatcher::ask(Cancel& stop) {
    Result<void> answered;
    if (cycle_due()) answered = co_await cycle(stop);
    if (answered && reap_) answered = co_await reap(stop);
    if (answered) {
        backoff_.reset();
        trouble_.clear();
    } else {
        if (trouble_.empty() && !stop.requested()) {
            log::warning("queue.unreachable",
                         Json{{"queue", queue_.name()}, {"reason", answered.error().text()}});
        }
        trouble_ = answered.error().text();
        const Result<void> slept = co_await around_.loop.timers().sleep(backoff_.next(), stop);
        static_cast<void>(slept);
    }
    asking_ = false;
    changed();
}

/// The first one frees what a dead process of this node held, so it is tried until it succeeds.
Task<Result<void>> Dispatcher::reap(Cancel& cancel) {
    reap_ = false;
    Result<Reaped> reaped = co_await queue_.reap(cancel);
    if (!reaped) {
        reap_ = look_ = reaped.error().code == Errc::unavailable;
        co_return fail(std::move(reaped).error());
    }
    reap_ = reaped->back > 0;  // bounded per call: there may be more
    take_reaped(std::move(*reaped));
    co_return Result<void>();
}

Task<void> Dispatcher::idle(Cancel& stop) {
    if (dirty_) co_return;
    const Instant now = around_.loop.clock().now();
    Instant until = Instant::max();
    if (!asking_) {  // its end wakes us
        // While no slot is free nothing is claimed, due or not; the end of a job wakes us.
        // A probe that finds no job waits for one, not for itself.
        if (hold_.active() && slots_.empty()) until = vain_probe_ ? next_due_ : hold_.probe_at();
        if (!hold_.active() && wanted() > 0) until = next_due_;
        if (!slots_.empty()) until = std::min(until, last_beat_ + limits::kBeat);
    }
    if (running_ < slots_.size() && next_start_ > now) until = std::min(until, next_start_);
    Cancel enough(stop);
    Timers::Alarm alarm(around_.loop.timers());
    if (until != Instant::max()) {
        alarm.arm(std::max(until - now, Duration(1)), [this] {
            look_ = true;
            changed();
        });
    }
    const Result<void> woken = co_await turn_.wait(enough);
    static_cast<void>(woken);  // stop is seen by the caller
}

CycleIn Dispatcher::collect() {
    CycleIn in;
    const std::size_t acks = std::min(acks_.size(), limits::kQueueBatch);
    in.acks.assign(acks_.begin(), acks_.begin() + static_cast<std::ptrdiff_t>(acks));
    if (beat_due()) {
        beat_ = false;
        last_beat_ = around_.loop.clock().now();
        for (Slot& slot : slots_) {
            in.beats.push_back(Beat{slot.claim.job.id, slot.claim.token, slot.progress});
        }
    }
    in.claim = stopping_ ? 0 : std::min(wanted(), limits::kQueueBatch);
    return in;
}

Task<Result<void>> Dispatcher::cycle(Cancel& cancel) {
    CycleIn in = collect();
    const std::vector<Beat> beats = in.beats;
    const std::size_t asked = in.claim;
    const std::size_t acks = in.acks.size();
    look_ = false;
    Result<CycleOut> out = co_await queue_.cycle(std::move(in), cancel);
    if (!out) {
        look_ = true;
        claim_lost_ = claim_lost_ || asked > 0;
        co_return fail(std::move(out).error());
    }
    MUSHER_CHECK(out->acks.size() == acks && out->beats.size() == beats.size());
    take_acks(out->acks);
    take_beats(beats, out->beats);
    take_claims(std::move(out->claimed), asked);
    co_return Result<void>();
}

void Dispatcher::settle(std::vector<Settlement> batch) {
    if (batch.empty()) return;
    settling_ += batch.size();
    settled_(std::move(batch));
}

void Dispatcher::take_reaped(Reaped reaped) {
    if (reaped.back > 0) look_ = true;
    std::vector<Settlement> batch;
    for (JobRow& row : reaped.ended) {
        log::warning("job.dead", Json{{"job", row.job.id}, {"state", state_name(row.state)}});
        tally_.ended(row.job, row.attempt, row.state, "", "");
        batch.push_back(settlement_of(std::move(row)));
    }
    settle(std::move(batch));
}

void Dispatcher::take_acks(const std::vector<AckCode>& codes) {
    std::vector<Settlement> batch;
    for (std::size_t i = 0; i < codes.size(); ++i) {
        // `gone` is our own ack whose answer was lost; a stolen job is its new holder's to settle.
        if (codes[i] == AckCode::stolen) continue;
        Ended& ended = ended_[i];
        tally_.done(acks_[i].id, ended.attempt, ended.told.event);
        batch.push_back(std::move(ended.told));
    }
    const auto taken = static_cast<std::ptrdiff_t>(codes.size());
    acks_.erase(acks_.begin(), acks_.begin() + taken);
    ended_.erase(ended_.begin(), ended_.begin() + taken);
    settle(std::move(batch));
}

void Dispatcher::take_beats(const std::vector<Beat>& beats, const std::vector<BeatCode>& codes) {
    for (std::size_t i = 0; i < beats.size(); ++i) {
        if (codes[i] == BeatCode::held) continue;
        for (Slot& slot : slots_) {
            // Jobs of one claim share its token.
            if (slot.claim.job.id != beats[i].id || slot.claim.token != beats[i].token) continue;
            slot.cancelled = codes[i] == BeatCode::cancel;
            slot.stolen = !slot.cancelled;
            slot.cancel.request(Errc::cancelled, slot.cancelled
                                                     ? "cancelled on request"
                                                     : "the lease ran out; another reactor has it");
        }
    }
}

void Dispatcher::take_claims(Claimed claimed, std::size_t asked) {
    if (asked > 0 && claimed.claims.size() == asked) look_ = true;
    next_due_ = claimed.next_due.count() > 0 ? around_.loop.clock().now() + claimed.next_due
                                             : Instant::max();
    if (asked > 0) {
        careful_ = std::any_of(claimed.claims.begin(), claimed.claims.end(),
                               [](const Claim& claim) { return claim.stalls > 0; });
    }
    if (slots_.empty() && !claimed.claims.empty()) last_beat_ = around_.loop.clock().now();
    vain_probe_ = asked > 0 && claimed.claims.empty();
    for (Claim& claim : claimed.claims) slots_.emplace_back(std::move(claim), jobs_);
    if (hold_.active()) start_ready();  // a probe: the next turn would give it back
}

bool Dispatcher::start_ready() {
    std::size_t started = 0;
    const auto parallel = static_cast<std::size_t>(program_->config().limits.parallel);
    const int rate = program_->config().limits.rate;
    for (auto slot = slots_.begin(); slot != slots_.end() && running_ < parallel && !stopping_;) {
        const auto current = slot++;
        if (current->running) continue;
        if (++started > kStartsPerTurn) return true;
        const Instant now = around_.loop.clock().now();
        if (rate > 0) {
            if (next_start_ > now) return false;
            next_start_ = std::max(next_start_, now) + Duration(std::chrono::seconds(1)) / rate;
        }
        current->running = true;
        ++running_;
        tally_.started(current->claim);
        scope_.spawn(current->claim.job.id, run_job(current));
    }
    return false;
}

/// Jobs end by themselves for a while, then by their Cancel; meanwhile what ends is told to the
/// queue and what runs keeps its lease. kill -9 and an unreachable queue look alike here: the
/// leases run out, and the jobs with receipts skip their steps at the next attempt.
Task<void> Dispatcher::wind_down(Duration grace) {
    stopping_ = true;
    leave_.request();
    reap_ = false;
    const Deadline deadline(around_.loop.timers(), jobs_, std::max(grace, Duration(1)));
    Cancel last;
    const Deadline end(around_.loop.timers(), last, grace + kFlush);
    co_await give_back_lost_claims(last);
    co_await release_waiting();
    while (!last.requested() && (!slots_.empty() || !acks_.empty())) {
        dirty_ = false;
        if (acks_.empty() && !beat_due()) {
            co_await idle(last);
            continue;
        }
        const Result<void> cycled = co_await cycle(last);
        if (cycled) continue;
        if (slots_.empty()) break;
        const Result<void> slept = co_await around_.loop.timers().sleep(backoff_.next(), last);
        static_cast<void>(slept);
    }
    co_await scope_.join();
    if (acks_.empty()) co_return;
    // Done at the last moment.
    Cancel flush;
    const Deadline enough(around_.loop.timers(), flush, kFlush);
    const Result<void> told = co_await cycle(flush);
    if (told && acks_.empty()) co_return;
    log::warning("queue.unreachable", Json{{"unacknowledged", acks_.size()}});
}

/// The stop cut off a claim's answer: asked again, the queue hands out the same jobs, one of them
/// to us and the others back to all.
Task<void> Dispatcher::give_back_lost_claims(Cancel& cancel) {
    if (!claim_lost_) co_return;
    for (std::size_t call = 0; call < limits::kQueueDepth && !cancel.requested(); ++call) {
        CycleIn in;
        in.claim = 1;
        Result<CycleOut> out = co_await queue_.cycle(std::move(in), cancel);
        if (!out) co_return;
        take_claims(std::move(out->claimed), 1);
    }
}

}  // namespace musher
