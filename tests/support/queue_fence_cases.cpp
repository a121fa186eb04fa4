// Who may settle a job: tokens, leases, tries, poison, cancellation.
#include "pipelines/run/receipt_book.h"
#include "tests/support/queue_conformance.h"

namespace musher::test {
using std::chrono::seconds;

QUEUE_CASE(AnswersAnAckTwice) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    EXPECT_AWAIT(q.ack("a"), "acked");
    EXPECT_AWAIT(q.ack("a"), "gone");
    EXPECT_AWAIT(q.beat("a"), "gone");
    EXPECT_AWAIT(q.state("a"), "done");
}

QUEUE_CASE(AcksAJobOnceWithinABatch) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    CycleIn in;
    in.acks.push_back(Ack{"a", q.held("a").token, nullptr});
    in.acks.push_back(Ack{"a", q.held("a").token, nullptr});
    in.acks.push_back(Ack{"nobody", "t", nullptr});
    const Result<CycleOut> out = co_await q.queue().cycle(std::move(in), q.never);
    const std::vector<AckCode> expected{AckCode::acked, AckCode::gone, AckCode::gone};
    EXPECT_EQ(out->acks, expected);
}

QUEUE_CASE(GivesAJobBackWhenItsLeaseRunsOut) {
    std::vector<Job> jobs{q.job("a"), q.job("b")};
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_AWAIT(q.reap(), "0 back");
    co_await q.pass(seconds(31));
    EXPECT_AWAIT(q.reap(), "1 back");
    EXPECT_AWAIT(q.state("a"), "waiting");
    EXPECT_AWAIT(q.claim(2), "a b");
    EXPECT_EQ(q.held("a").attempt, 2);
}

QUEUE_CASE(KeepsALeaseThatIsRenewed) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    for (int i = 0; i < 4; ++i) {
        co_await q.pass(seconds(20));
        EXPECT_AWAIT(q.beat("a"), "held");
        EXPECT_AWAIT(q.reap(), "0 back");
    }
    const JobRow row = co_await q.show("a");
    EXPECT_EQ(row.progress, (Json{{"percent", 50}}));
    EXPECT_AWAIT(q.ack("a"), "acked");
}

QUEUE_CASE(RefusesTheTokenOfALostLease) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    const Claim old = q.held("a");
    co_await q.pass(seconds(31));
    EXPECT_AWAIT(q.reap(), "1 back");
    // It waits again: whoever lost it must not settle it.
    EXPECT_AWAIT(q.ack("a"), "stolen");
    EXPECT_AWAIT(q.beat("a"), "stolen");
    EXPECT_AWAIT(q.fail("a"), "conflict");
    EXPECT_AWAIT(q.receipt("a", "s3"), "conflict");
    EXPECT_AWAIT(q.state("a"), "waiting");
    EXPECT_AWAIT(q.claim(1), "a");
    const Claim fresh = q.held("a");
    EXPECT_NE(fresh.token, old.token);
    q.held("a") = old;
    EXPECT_AWAIT(q.ack("a"), "stolen");
    EXPECT_AWAIT(q.beat("a"), "stolen");
    EXPECT_AWAIT(q.fail("a"), "conflict");
    EXPECT_AWAIT(q.release("a"), "conflict");
    EXPECT_AWAIT(q.receipt("a", "s3"), "conflict");
    EXPECT_AWAIT(q.state("a"), "running");
    q.held("a") = fresh;
    EXPECT_AWAIT(q.ack("a"), "acked");
}

QUEUE_CASE(RefusesTheTokenOfAFailedAttempt) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    EXPECT_AWAIT(q.fail("a"), "again");
    EXPECT_AWAIT(q.ack("a"), "stolen");
    EXPECT_AWAIT(q.receipt("a", "s3"), "conflict");
    EXPECT_AWAIT(q.fail("a"), "again");  // the same defeat, its answer was lost
    const JobRow row = co_await q.show("a");
    EXPECT_EQ(row.attempt, 1);
    EXPECT_EQ(row.story.size(), 1u);
}

QUEUE_CASE(RetriesUntilTheTriesAreUsedUp) {
    Job job = q.job("a");
    job.max_attempts = 3;
    co_await q.put(job);
    for (int attempt = 1; attempt <= 2; ++attempt) {
        EXPECT_AWAIT(q.claim(1), "a");
        EXPECT_EQ(q.held("a").attempt, attempt);
        EXPECT_AWAIT(q.fail("a", true, seconds(60)), "again");
        EXPECT_AWAIT(q.claim(1), "");
        const JobRow waits = co_await q.show("a");
        EXPECT_EQ(waits.state, JobState::delayed);
        EXPECT_EQ(waits.error.value("code", ""), "denied");
        EXPECT_EQ(waits.error.value("attempt", 0), attempt);
        EXPECT_NEAR(static_cast<double>(waits.due_ms - q.rig().now_ms()), 60'000, 10'000);
        co_await q.pass(seconds(60));
    }
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_AWAIT(q.fail("a"), "dead");
    EXPECT_AWAIT(q.fail("a"), "dead");  // sent again
    const JobRow row = co_await q.show("a");
    EXPECT_EQ(row.state, JobState::dead);
    EXPECT_EQ(row.attempt, 3);
    EXPECT_EQ(row.error.value("message", ""), "no way");
    EXPECT_EQ(row.error.value("step", ""), "s3");
    EXPECT_EQ(row.story.size(), 3u);
    EXPECT_GT(row.ended_ms, 0);
    EXPECT_AWAIT(q.claim(1), "");
}

QUEUE_CASE(TellsOnceOfAnAttemptThatIsHeldAgainAndAgain) {
    Job job = q.job("a");
    job.max_attempts = 2;
    co_await q.put(job);
    for (int time = 1; time <= 3; ++time) {
        EXPECT_AWAIT(q.claim(1), "a");
        EXPECT_EQ(q.held("a").attempt, 1) << "no try was spent";
        EXPECT_AWAIT(q.hold("a"), "again");
        EXPECT_AWAIT(q.hold("a"), "again");  // sent again
    }
    const JobRow waits = co_await q.show("a");
    EXPECT_EQ(waits.error.value("attempt", 0), 1);
    EXPECT_EQ(waits.story.size(), 1u);
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_AWAIT(q.fail("a", true, milliseconds(0)), "again");
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_EQ(q.held("a").attempt, 2);
    EXPECT_AWAIT(q.hold("a"), "again");
    const JobRow later = co_await q.show("a");
    EXPECT_EQ(later.error.value("attempt", 0), 2);
    EXPECT_EQ(later.story.size(), 3u) << "held, failed, held";
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_AWAIT(q.cancel_job("a"), "running");
    EXPECT_AWAIT(q.hold("a"), "dead");
    EXPECT_AWAIT(q.state("a"), "cancelled");
}

QUEUE_CASE(RetriesAtOnceWithoutADelay) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    EXPECT_AWAIT(q.fail("a", true, milliseconds(0)), "again");
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_EQ(q.held("a").attempt, 2);
}

QUEUE_CASE(BuriesWhatShallNotBeRetried) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    EXPECT_AWAIT(q.fail("a", false), "dead");
    EXPECT_AWAIT(q.state("a"), "dead");
    EXPECT_AWAIT(q.ack("a"), "stolen");
    EXPECT_AWAIT(q.release("a"), "conflict");
}

QUEUE_CASE(ReturnsReceiptsWithTheNextClaim) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    EXPECT_AWAIT(q.receipt("a", "one"), "ok");
    EXPECT_AWAIT(q.receipt("a", "two"), "ok");
    EXPECT_AWAIT(q.receipt("a", "two"), "ok");  // sent again
    EXPECT_AWAIT(q.fail("a", true, milliseconds(0)), "again");
    EXPECT_AWAIT(q.claim(1), "a");
    const Json& receipts = q.held("a").receipts;
    EXPECT_EQ(receipts.size(), 2u);
    if (receipts.size() != 2) co_return;
    EXPECT_EQ(receipts[0].value("step", ""), "one");
    EXPECT_EQ(receipts[1].value("step", ""), "two");
    EXPECT_EQ(receipts[1].value("target", ""), "/out/a");
    co_await q.ack("a");
    const JobRow row = co_await q.show("a");
    EXPECT_EQ(row.receipts.size(), 2u);
}

Task<Result<void>> store(Trial& q, Receipt receipt) {
    const std::string token = q.held("a").token;
    co_return co_await q.queue().store_receipt("a", token, std::move(receipt), q.never);
}

Receipt page(int number) {
    Receipt receipt;
    receipt.step = "each[" + std::to_string(number) + "].copy";
    receipt.sink = "directory";
    receipt.target = "/out/" + std::string(400, 'x');
    return receipt;
}

QUEUE_CASE(KeepsHundredsOfReceiptsInTheirOrder) {
    co_await q.put(q.job("a"));
    co_await q.put(q.job("b"));
    co_await q.claim(2);
    for (int i = 0; i < 200; ++i) EXPECT_TRUE(co_await store(q, page(i)));
    EXPECT_TRUE(co_await store(q, page(0)));  // sent again
    EXPECT_TRUE(co_await store(q, page(199)));
    EXPECT_AWAIT(q.receipt("b", "one"), "ok");
    EXPECT_AWAIT(q.fail("a", true, milliseconds(0)), "again");
    EXPECT_AWAIT(q.claim(1), "a");
    const JobRow row = co_await q.show("a");
    EXPECT_EQ(q.held("a").receipts, row.receipts);
    EXPECT_EQ(row.receipts.size(), 200u);
    for (int i = 0; i < 200 && row.receipts.size() == 200; ++i) {
        EXPECT_EQ(text_in(row.receipts[static_cast<std::size_t>(i)], "step"), page(i).step);
    }
    EXPECT_AWAIT(q.ack("a"), "acked");
    const JobRow done = co_await q.show("a");
    EXPECT_EQ(done.receipts, row.receipts);
    const JobRow other = co_await q.show("b");
    EXPECT_EQ(other.receipts.size(), 1u);
}

QUEUE_CASE(ForgetsTheReceiptsOfForgottenJobs) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(co_await store(q, page(i)));
    EXPECT_AWAIT(q.fail("a", false), "dead");
    EXPECT_AWAIT(q.forget("a"), "ok");
    EXPECT_AWAIT(q.state("a"), "not_found");  // and the rig finds nothing left of it
}

QUEUE_CASE(KeepsNoNotesWithAFinishedJob) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    const RealClock clock;
    const Receipt list = flow_note(clock, "each", "for_each", "2", Json::array({"a", "b"}));
    const Receipt round = flow_note(clock, "each[0]", "for_each", "", true);
    EXPECT_TRUE(co_await store(q, list));
    EXPECT_AWAIT(q.receipt("a", "each[0].copy"), "ok");
    EXPECT_TRUE(co_await store(q, round));
    const JobRow running = co_await q.show("a");
    EXPECT_EQ(running.receipts.size(), 3u);
    EXPECT_AWAIT(q.ack("a"), "acked");
    const JobRow done = co_await q.show("a");
    EXPECT_EQ(done.receipts.size(), 1u);
    if (done.receipts.size() != 1) co_return;
    EXPECT_EQ(done.receipts[0].value("step", ""), "each[0].copy");
}

QUEUE_CASE(TellsHowOftenAJobStalled) {
    co_await q.put(q.keyed("a", "k"));
    co_await q.put(q.keyed("b", "k"));
    for (int stall = 0; stall < 3; ++stall) {
        EXPECT_AWAIT(q.claim(5), "a");
        EXPECT_EQ(q.held("a").attempt, stall + 1);
        EXPECT_EQ(q.held("a").stalls, stall);
        co_await q.pass(seconds(31));
        EXPECT_AWAIT(q.reap(), "1 back");
    }
    EXPECT_AWAIT(q.claim(5), "a");
    EXPECT_EQ(q.held("a").stalls, 3);
    EXPECT_AWAIT(q.fail("a", false, milliseconds(0)), "dead");
    const JobRow row = co_await q.show("a");
    EXPECT_EQ(row.story.size(), 4u);
    EXPECT_EQ(row.story.at(2).value("what", ""), "stalled");
    EXPECT_EQ(row.story.at(2).value("attempt", 0), 3);
    EXPECT_TRUE(row.story.at(2).at("time").is_string());
    EXPECT_AWAIT(q.claim(5), "b");  // its key is free
}

QUEUE_CASE(DoesNotCountStallsAsTries) {
    Job job = q.job("a");
    job.max_attempts = 2;
    co_await q.put(job);
    co_await q.claim(1);
    co_await q.pass(seconds(31));
    EXPECT_AWAIT(q.reap(), "1 back");
    co_await q.claim(1);
    EXPECT_AWAIT(q.fail("a", true, milliseconds(0)), "again");
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_EQ(q.held("a").attempt, 3);
    EXPECT_AWAIT(q.fail("a"), "dead");
}

QUEUE_CASE(CancelsWhatWaits) {
    std::vector<Job> jobs{q.job("a"), q.delayed("b", seconds(30))};
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.cancel_job("a"), "cancelled");
    EXPECT_AWAIT(q.cancel_job("b"), "cancelled");
    EXPECT_AWAIT(q.cancel_job("b"), "cancelled");
    EXPECT_AWAIT(q.cancel_job("nobody"), "not_found");
    EXPECT_AWAIT(q.claim(5), "");
    const JobRow row = co_await q.show("a");
    EXPECT_EQ(row.error.value("code", ""), "cancelled");
    EXPECT_EQ(row.story.size(), 1u);
    const QueueStats stats = co_await q.stats();
    EXPECT_EQ(stats.cancelled, 2u);
    EXPECT_EQ(stats.dead, 0u);
}

QUEUE_CASE(TellsTheHolderOfACancelledJob) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    EXPECT_AWAIT(q.beat("a"), "held");
    EXPECT_AWAIT(q.cancel_job("a"), "running");
    EXPECT_AWAIT(q.beat("a"), "cancel");
    EXPECT_AWAIT(q.fail("a", false, milliseconds(0), JobState::cancelled), "dead");
    EXPECT_AWAIT(q.state("a"), "cancelled");
    EXPECT_AWAIT(q.cancel_job("a"), "cancelled");
}

QUEUE_CASE(LetsACancelledJobEndWellIfItIsFaster) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    EXPECT_AWAIT(q.cancel_job("a"), "running");
    EXPECT_AWAIT(q.ack("a"), "acked");
    EXPECT_AWAIT(q.cancel_job("a"), "done");
}

QUEUE_CASE(NeverRunsAgainWhatWasToBeCancelled) {
    std::vector<Job> jobs{q.job("fails"), q.job("released"), q.job("lost")};
    co_await q.put_all(jobs);
    co_await q.claim(3);
    for (const char* id : {"fails", "released", "lost"}) {
        EXPECT_AWAIT(q.cancel_job(id), "running");
    }
    EXPECT_AWAIT(q.fail("fails"), "dead");
    EXPECT_AWAIT(q.release("released"), "ok");
    co_await q.pass(seconds(31));
    EXPECT_AWAIT(q.reap(), "0 back; cancelled lost");
    for (const char* id : {"fails", "released", "lost"}) {
        EXPECT_AWAIT(q.state(id), "cancelled");
        const JobRow row = co_await q.show(id);
        EXPECT_EQ(row.attempt, 1) << id;
    }
    EXPECT_AWAIT(q.claim(5), "");
}

}  // namespace musher::test
