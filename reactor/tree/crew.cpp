#include "reactor/tree/crew.h"

#include <algorithm>

#include "reactor/base/limits.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
/// How long a hand stays on the pool before the loop looks after progress and a Cancel.
constexpr milliseconds kTurn{20};
/// Reads that a disk is asked for at once: it answers 100,000 small files 1.2 times as fast as when
/// asked for 4; 16 gain nothing more.
constexpr unsigned kDiskDepth = 8;
}  // namespace

CrewOptions whole_machine() {
    CrewOptions crew;
    crew.hands = std::max(kDiskDepth, Loop::heavy_lanes() + 2);
    crew.alone = true;
    Loop::widen_pool(crew.hands + 2);
    return crew;
}

Crew::Crew(Loop& loop, CrewOptions options)
    : loop_(loop), options_(std::move(options)), waiting_(loop.ready()) {
    if (options_.hands == 0) options_.hands = Loop::heavy_lanes();
}

Task<Result<void>> Crew::run(std::shared_ptr<Work> first, Cancel& cancel) {
    stack_.push_back(std::move(first));
    active_ = options_.hands;
    Scope scope("crew", loop_.ready(), loop_.clock());
    for (unsigned i = 0; i < options_.hands; ++i) {
        scope.spawn("hand " + std::to_string(i), serve(cancel));
    }
    co_await scope.join();
    stack_.clear();
    if (stopped_) co_return fail(std::move(error_));
    co_return Result<void>();
}

Task<void> Crew::serve(Cancel& cancel) {
    Hand hand;
    hand.buffer = Slice(limits::kSliceBytes);
    bool busy = true;
    auto work = [&] { return turn(hand); };
    while (!stopped_) {
        if (cancel.requested()) {
            stop(cancel.error());
            break;
        }
        Semaphore::Permit permit;
        if (!options_.alone) {
            Result<Semaphore::Permit> got = co_await loop_.heavy().acquire(cancel);
            if (!got) continue;
            permit = std::move(*got);
        }
        busy = co_await offload(loop_, work);
        permit = Semaphore::Permit();
        if (options_.on_turn) options_.on_turn();
        if (busy) {
            waiting_.wake_all();
            continue;
        }
        if (--active_ == 0) break;  // nobody is left who could find something
        ++idle_;
        static_cast<void>(co_await waiting_.wait(cancel));
        --idle_;
        if (active_ == 0) break;
        ++active_;
    }
    waiting_.wake_all();
}

/// False: there was nothing to do.
bool Crew::turn(Hand& hand) {
    const auto until = std::chrono::steady_clock::now() + kTurn;
    bool idle = false;
    while (!stopped_) {
        Result<void> done = one_piece(hand, idle);
        if (!done) stop(std::move(done).error());
        if (idle) return false;
        // Who waits is woken by the loop, so that it must hear of what was found.
        if (idle_ > 0 || std::chrono::steady_clock::now() >= until) break;
    }
    if (stopped_) hand.work.reset();
    return true;
}

Result<void> Crew::one_piece(Hand& hand, bool& idle) {
    idle = !take(hand);
    if (idle) return {};
    MUSHER_TRY(const Piece piece, hand.work->next());
    if (!piece) {
        hand.work.reset();
        return {};
    }
    share(hand);
    MUSHER_DO(piece(hand));
    put_found(hand);
    return {};
}

bool Crew::take(Hand& hand) {
    if (hand.work) return true;
    const std::lock_guard lock(mutex_);
    if (stack_.empty()) return false;
    hand.work = std::move(stack_.back());
    stack_.pop_back();
    return true;
}

/// Two threads that create files in one folder wait for each other: as long as there is more on the
/// stack, each keeps to its own.
void Crew::share(Hand& hand) {
    const std::lock_guard lock(mutex_);
    if (stack_.empty()) stack_.push_back(std::move(hand.work));
}

void Crew::put_found(Hand& hand) {
    if (hand.found.empty()) return;
    const std::lock_guard lock(mutex_);
    if (hand.work) stack_.push_back(std::move(hand.work));
    for (std::shared_ptr<Work>& one : hand.found) stack_.push_back(std::move(one));
    hand.found.clear();
}

void Crew::stop(Error error) {
    const std::lock_guard lock(mutex_);
    if (!stopped_) error_ = std::move(error);
    stopped_ = true;
}

}  // namespace musher
