// Task, Scope, Cancel, Channel, Semaphore and all, on a bare ready list.
#include <gtest/gtest.h>

#include "reactor/task/all.h"
#include "reactor/task/channel.h"
#include "reactor/task/scope.h"
#include "reactor/task/semaphore.h"

namespace musher {
namespace {

class TaskTest : public testing::Test {
  protected:
    ReadyList ready_;
    ManualClock clock_;
    Cancel stop_;
    void run(Task<void> task) {
        Scope scope("test", ready_, clock_);
        scope.spawn("body", std::move(task));
        ready_.run_all();
        ASSERT_EQ(scope.running(), 0u) << "the task is stuck";
    }
};

Task<Result<int>> half(int n) {
    if (n % 2 != 0) co_return fail(Errc::failed, "odd");
    co_return n / 2;
}

Task<Result<int>> quarter(int n) {
    MUSHER_CO_TRY(const int once, co_await half(n));
    MUSHER_CO_TRY(const int twice, co_await half(once));
    co_return twice;
}

Task<void> check_quarters() {
    const Result<int> good = co_await quarter(8);
    EXPECT_EQ(good.value(), 2);
    const Result<int> bad = co_await quarter(6);
    EXPECT_EQ(bad.error().message, "odd");
}
TEST_F(TaskTest, ResultsAndErrorsPassThrough) { run(check_quarters()); }

Task<void> deep(int levels) {
    if (levels == 0) co_return;
    co_await deep(levels - 1);
}
Task<void> many(int rounds) {
    for (int i = 0; i < rounds; ++i) co_await deep(1);
}
TEST_F(TaskTest, AMillionInlineChildrenNeedNoStack) { run(many(1'000'000)); }

Task<void> produce(Channel<int>& channel, int count, Cancel& stop) {
    for (int i = 0; i < count; ++i) {
        const Result<void> sent = co_await channel.send(i, stop);
        EXPECT_TRUE(sent.has_value());
    }
    channel.close();
}
Task<void> consume(Channel<int>& channel, std::vector<int>& got, Cancel& stop) {
    for (;;) {
        auto batch = co_await channel.receive(3, stop);
        if (!batch) break;
        got.insert(got.end(), batch->begin(), batch->end());
    }
}
TEST_F(TaskTest, ChannelKeepsOrderAndBlocksAFullSender) {
    Channel<int> channel(ready_, 2);
    std::vector<int> got;
    {
        Scope scope("test", ready_, clock_);
        scope.spawn("produce", produce(channel, 100, stop_));
        EXPECT_EQ(channel.size(), 2u);
        scope.spawn("consume", consume(channel, got, stop_));
        ready_.run_all();
    }
    ASSERT_EQ(got.size(), 100u);
    EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

Task<void> hold_permit(Semaphore& semaphore, Waiters& until, int& inside, int& most, Cancel& stop) {
    auto permit = co_await semaphore.acquire(stop);
    EXPECT_TRUE(permit.has_value());
    most = std::max(most, ++inside);
    const Result<void> woken = co_await until.wait(stop);
    EXPECT_TRUE(woken.has_value());
    --inside;
}
TEST_F(TaskTest, SemaphoreHandsUnitsOverInOrder) {
    Semaphore semaphore(ready_, 2);
    Waiters until(ready_);
    int inside = 0;
    int most = 0;
    Scope scope("test", ready_, clock_);
    for (int i = 0; i < 10; ++i) {
        scope.spawn("holder", hold_permit(semaphore, until, inside, most, stop_));
    }
    while (scope.running() > 0) {
        ready_.run_all();
        until.wake_one();
        ready_.run_all();
    }
    EXPECT_EQ(most, 2);
    EXPECT_EQ(semaphore.available(), 2u);
}

Task<void> wait_forever(Waiters& waiters, Cancel& cancel, Errc& outcome) {
    const Result<void> woken = co_await waiters.wait(cancel);
    outcome = woken ? Errc::failed : woken.error().code;
}
TEST_F(TaskTest, CancelReachesChildrenAndEndsWaitersWithItsReason) {
    Waiters waiters(ready_);
    Cancel parent;
    Cancel child(parent);
    Errc outcome = Errc::internal;
    Scope scope("test", ready_, clock_);
    scope.spawn("waiter", wait_forever(waiters, child, outcome));
    parent.request(Errc::timeout, "too long");
    EXPECT_EQ(outcome, Errc::internal) << "resumed inside request()";
    ready_.run_all();
    EXPECT_EQ(outcome, Errc::timeout);
    EXPECT_EQ(child.error().message, "too long");
}
TEST_F(TaskTest, CancelBeforeTheWaitEndsItAtOnce) {
    Waiters waiters(ready_);
    stop_.request();
    Errc outcome = Errc::internal;
    run(wait_forever(waiters, stop_, outcome));
    EXPECT_EQ(outcome, Errc::cancelled);
}

Task<void> run_all_halves(ReadyList& ready, const Clock& clock) {
    std::vector<Task<Result<int>>> tasks;
    for (int i = 0; i < 4; ++i) tasks.push_back(half(i));
    const auto results = co_await all(ready, clock, std::move(tasks));
    EXPECT_EQ(results.size(), 4u);
    EXPECT_EQ(results[2].value(), 1);
    EXPECT_FALSE(results[3].has_value());
}
TEST_F(TaskTest, AllKeepsTheOrderOfItsTasks) { run(run_all_halves(ready_, clock_)); }

TEST_F(TaskTest, ScopeRowsNameTheLastAwait) {
    Waiters waiters(ready_);
    Errc outcome = Errc::internal;
    Scope scope("outer", ready_, clock_);
    scope.spawn("waiter", wait_forever(waiters, stop_, outcome));
    clock_.advance(std::chrono::seconds(3));
    const std::vector<TaskRow> rows = scope.rows();
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].name, "outer/waiter");
    EXPECT_EQ(rows[0].age, std::chrono::seconds(3));
    EXPECT_NE(rows[0].where.find("task_test.cpp:"), std::string::npos);
    stop_.request();
    ready_.run_all();
}

}  // namespace
}  // namespace musher
