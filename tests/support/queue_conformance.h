// The one suite that every JobQueue passes: what a queue is, told as cases.
//
// A program that links the queue_*_cases.cpp files runs them with
//   INSTANTIATE_TEST_SUITE_P(Memory, QueueConformance, testing::Values(make_memory_rig));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/queue/job_queue.h"
#include "reactor/loop/loop.h"

namespace musher::test {

/// A queue of one kind, its clock, and the proof that its records agree with each other.
class QueueRig {
  public:
    virtual ~QueueRig() = default;
    /// An empty queue named `orders`.
    virtual Task<void> start(Loop& loop, QueueOptions options) = 0;
    virtual JobQueue& queue() = 0;
    virtual std::int64_t now_ms() = 0;
    /// Lets time pass for the queue: leases run out, delayed jobs become due.
    virtual Task<void> pass(milliseconds time) = 0;
    /// What does not fit together in the queue's records; empty: all does.
    virtual Task<std::string> faults() = 0;
    virtual Task<void> stop() = 0;
};
using MakeRig = std::unique_ptr<QueueRig> (*)();

/// The queue in words: ids in, names of codes and states out, errors by their name.
class Trial {
  public:
    explicit Trial(QueueRig& rig) : rig_(rig) {}

    static Job job(const std::string& id);
    static Job keyed(const std::string& id, const std::string& key);
    static Job deduped(const std::string& id, const std::string& dedupe);
    static Job ranked(const std::string& id, int priority);
    Job delayed(const std::string& id, milliseconds delay);

    Task<std::string> put(Job job);
    Task<std::string> put_all(std::vector<Job> jobs);  // "accepted known_id"
    /// The ids got, in order, "" for none; their claims are in held().
    Task<std::string> claim(std::size_t most);
    Claim& held(const std::string& id) { return held_[id]; }
    Task<std::string> ack(std::string id);  // with the token of held(id)
    Task<std::string> beat(std::string id);
    /// "again", "dead" or the error's name.
    Task<std::string> fail(std::string id, bool retry = true,
                           milliseconds delay = std::chrono::minutes(1),
                           JobState state = JobState::dead);
    /// As fail(), without spending a try.
    Task<std::string> hold(std::string id);
    /// "ok" or the error's name.
    Task<std::string> release(std::string id, milliseconds delay = milliseconds(0));
    Task<std::string> receipt(std::string id, std::string step);
    Task<std::string> reap();                 // "2 back" or "1 back; dead a"
    Task<std::string> state(std::string id);  // "waiting", …, "not_found"
    Task<JobRow> show(std::string id);
    Task<std::string> list(std::string state, std::size_t page);  // pages joined by " | "
    Task<QueueStats> stats();
    Task<std::string> cancel_job(std::string id);
    Task<std::string> replay(std::string id);
    Task<std::string> hasten(std::string id);
    Task<void> pause(bool paused);
    Task<std::size_t> purge(JobState state);
    Task<std::string> withdraw(std::string id);
    Task<std::string> forget(std::string id);
    Task<std::string> find(std::vector<std::string> ids);
    Task<milliseconds> next_due();
    Task<void> pass(milliseconds time) { return rig_.pass(time); }
    /// claim(1) must give `id`; then ack.
    Task<void> run(std::string id);

    QueueRig& rig() { return rig_; }
    JobQueue& queue() { return rig_.queue(); }
    Cancel never;

  private:
    Defeat defeat(const std::string& id);
    Task<std::string> fail(Defeat defeat);

    QueueRig& rig_;
    std::map<std::string, Claim> held_;
};

class QueueConformance : public testing::TestWithParam<MakeRig> {
  protected:
    using Case = Task<void> (*)(Trial&);
    /// Runs the case on a fresh queue, then asks the rig for faults.
    static void check(Case run, const QueueOptions& options = {});
};

}  // namespace musher::test

/// `QUEUE_CASE(Name) { … co_await q.put(…) … }`
#define QUEUE_CASE_WITH(name, ...)                                     \
    static Task<void> name##Case(Trial& q);                            \
    TEST_P(QueueConformance, name) { check(name##Case, __VA_ARGS__); } \
    static Task<void> name##Case([[maybe_unused]] Trial& q)
#define QUEUE_CASE(name) QUEUE_CASE_WITH(name, QueueOptions())

/// One await per statement, as the compiler wants it.
#define EXPECT_AWAIT(call, ...)                 \
    do {                                        \
        const auto musher_got_ = co_await call; \
        EXPECT_EQ(musher_got_, __VA_ARGS__);    \
    } while (false)
