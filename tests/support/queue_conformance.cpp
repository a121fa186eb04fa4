#include "tests/support/queue_conformance.h"

namespace musher::test {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(QueueConformance);

namespace {
std::string code_name(PutCode code) {
    constexpr const char* kNames[] = {"accepted", "known_id", "known_dedupe", "full"};
    return kNames[static_cast<std::size_t>(code)];
}
std::string code_name(BeatCode code) {
    constexpr const char* kNames[] = {"held", "gone", "stolen", "cancel"};
    return kNames[static_cast<std::size_t>(code)];
}
std::string code_name(AckCode code) {
    constexpr const char* kNames[] = {"acked", "gone", "stolen"};
    return kNames[static_cast<std::size_t>(code)];
}
std::string name_of(const Error& error) { return std::string(info(error.code).name); }

std::string name_of(const Result<void>& result) { return result ? "ok" : name_of(result.error()); }

Json line_of(const std::string& what) { return Json::array({Json{{"what", what}}}); }
}  // namespace

Job Trial::job(const std::string& id) {
    Job job;
    job.id = id;
    job.pipeline = job.queue = "orders";
    job.revision = 1;
    job.created_ms = 1'700'000'000'000;
    job.event.id = id;
    job.event.source = "orders";
    job.event.kind = "emit";
    job.event.time_ms = job.created_ms;
    job.event.date = "2023-11-14";
    job.event.facts = Json{{"number", 7}};
    return job;
}
Job Trial::keyed(const std::string& id, const std::string& key) {
    Job made = job(id);
    made.key = made.event.key = key;
    return made;
}
Job Trial::deduped(const std::string& id, const std::string& dedupe) {
    Job made = job(id);
    made.dedupe = dedupe;
    return made;
}
Job Trial::ranked(const std::string& id, int priority) {
    Job made = job(id);
    made.priority = priority;
    return made;
}
Job Trial::delayed(const std::string& id, milliseconds delay) {
    Job made = job(id);
    made.due_ms = rig_.now_ms() + delay.count();
    return made;
}

Task<std::string> Trial::put(Job job) {
    std::vector<Job> one;
    one.push_back(std::move(job));
    co_return co_await put_all(std::move(one));
}

Task<std::string> Trial::put_all(std::vector<Job> jobs) {
    const auto codes = co_await queue().put(std::move(jobs), never);
    if (!codes) co_return name_of(codes.error());
    std::string all;
    for (const PutCode code : *codes) all += (all.empty() ? "" : " ") + code_name(code);
    co_return all;
}

Task<std::string> Trial::claim(std::size_t most) {
    CycleIn in;
    in.claim = most;
    Result<CycleOut> out = co_await queue().cycle(std::move(in), never);
    if (!out) co_return name_of(out.error());
    std::string ids;
    for (Claim& one : out->claimed.claims) {
        ids += (ids.empty() ? "" : " ") + one.job.id;
        held_[one.job.id] = std::move(one);
    }
    co_return ids;
}

Task<std::string> Trial::ack(std::string id) {
    CycleIn in;
    in.acks.push_back(Ack{id, held_[id].token, line_of("done " + id)});
    const Result<CycleOut> out = co_await queue().cycle(std::move(in), never);
    if (!out) co_return name_of(out.error());
    co_return code_name(out->acks.at(0));
}

Task<std::string> Trial::beat(std::string id) {
    CycleIn in;
    in.beats.push_back(Beat{id, held_[id].token, Json{{"percent", 50}}});
    const Result<CycleOut> out = co_await queue().cycle(std::move(in), never);
    if (!out) co_return name_of(out.error());
    co_return code_name(out->beats.at(0));
}

Defeat Trial::defeat(const std::string& id) {
    Defeat defeat;
    defeat.id = id;
    defeat.token = held_[id].token;
    defeat.error = Error(Errc::denied, "no way");
    defeat.story = line_of("failed " + id);
    defeat.step = "s3";
    return defeat;
}

Task<std::string> Trial::fail(std::string id, bool retry, milliseconds delay, JobState state) {
    Defeat end = defeat(id);
    end.retry = retry;
    end.delay = delay;
    end.state = state;
    co_return co_await fail(std::move(end));
}

Task<std::string> Trial::hold(std::string id) {
    Defeat end = defeat(id);
    end.story = line_of("held " + id);
    end.spends_try = false;
    co_return co_await fail(std::move(end));
}

Task<std::string> Trial::fail(Defeat defeat) {
    const Result<bool> again = co_await queue().fail(std::move(defeat), never);
    if (!again) co_return name_of(again.error());
    co_return *again ? "again" : "dead";
}

Task<std::string> Trial::release(std::string id, milliseconds delay) {
    const std::string token = held_[id].token;
    const Result<void> done = co_await queue().release(std::move(id), token, delay, never);
    co_return name_of(done);
}

Task<std::string> Trial::receipt(std::string id, std::string step) {
    Receipt receipt;
    receipt.step = std::move(step);
    receipt.sink = "directory";
    receipt.target = "/out/a";
    const std::string token = held_[id].token;
    const Result<void> done =
        co_await queue().store_receipt(std::move(id), token, std::move(receipt), never);
    co_return name_of(done);
}

Task<std::string> Trial::reap() {
    const Result<Reaped> reaped = co_await queue().reap(never);
    if (!reaped) co_return name_of(reaped.error());
    std::string all = std::to_string(reaped->back) + " back";
    for (const JobRow& row : reaped->ended) {
        all += "; ";
        all += state_name(row.state);
        all += " " + row.job.id;
    }
    co_return all;
}

Task<std::string> Trial::state(std::string id) {
    const Result<JobRow> row = co_await queue().show(std::move(id), never);
    if (!row) co_return name_of(row.error());
    co_return std::string(state_name(row->state));
}

Task<JobRow> Trial::show(std::string id) {
    const Result<JobRow> row = co_await queue().show(std::move(id), never);
    EXPECT_TRUE(row.has_value());
    co_return row.value_or(JobRow());
}

Task<std::string> Trial::list(std::string state, std::size_t page) {
    std::string all;
    JobFilter filter;
    filter.state = state_from_name(state);
    filter.limit = page;
    for (;;) {
        const Result<JobPage> got = co_await queue().list(filter, never);
        if (!got) co_return name_of(got.error());
        for (const JobRow& row : got->items) {
            if (!all.empty() && all.back() != ' ') all += ' ';
            all += row.job.id;
        }
        if (got->next.empty()) break;
        all += " | ";
        filter.after = got->next;
    }
    co_return all;
}

Task<QueueStats> Trial::stats() {
    const Result<QueueStats> stats = co_await queue().stats(never);
    EXPECT_TRUE(stats.has_value());
    co_return stats.value_or(QueueStats());
}

Task<std::string> Trial::cancel_job(std::string id) {
    const Result<JobState> state = co_await queue().cancel_job(std::move(id), never);
    if (!state) co_return name_of(state.error());
    co_return std::string(state_name(*state));
}

Task<std::string> Trial::replay(std::string id) {
    const Result<void> done = co_await queue().replay(std::move(id), never);
    co_return name_of(done);
}

Task<std::string> Trial::hasten(std::string id) {
    const Result<void> done = co_await queue().hasten(std::move(id), never);
    co_return name_of(done);
}

Task<void> Trial::pause(bool paused) {
    const Result<void> done = co_await queue().set_paused(paused, never);
    EXPECT_TRUE(done.has_value());
}

Task<std::size_t> Trial::purge(JobState state) {
    const Result<std::size_t> purged = co_await queue().purge(state, never);
    EXPECT_TRUE(purged.has_value());
    co_return purged.value_or(0);
}

Task<std::string> Trial::withdraw(std::string id) {
    const Result<JobState> state = co_await queue().withdraw(std::move(id), never);
    if (!state) co_return name_of(state.error());
    co_return std::string(state_name(*state));
}

Task<std::string> Trial::forget(std::string id) {
    const Result<void> done = co_await queue().forget(std::move(id), never);
    co_return name_of(done);
}

Task<std::string> Trial::find(std::vector<std::string> ids) {
    constexpr const char* kNames[] = {"unknown", "live", "done", "dead"};
    const auto found = co_await queue().find(std::move(ids), never);
    if (!found) co_return name_of(found.error());
    std::string all;
    for (const Presence presence : *found) {
        all += all.empty() ? "" : " ";
        all += kNames[static_cast<std::size_t>(presence)];
    }
    co_return all;
}

Task<milliseconds> Trial::next_due() {
    CycleIn nothing;
    const Result<CycleOut> out = co_await queue().cycle(std::move(nothing), never);
    EXPECT_TRUE(out.has_value());
    co_return out ? out->claimed.next_due : milliseconds(-1);
}

Task<void> Trial::run(std::string id) {
    EXPECT_AWAIT(claim(1), id);
    EXPECT_AWAIT(ack(id), "acked");
}

namespace {
Task<void> run_case(Loop& loop, QueueRig& rig, Task<void> (*run)(Trial&),
                    const QueueOptions& options) {
    co_await rig.start(loop, options);
    {
        Trial trial(rig);
        co_await run(trial);
    }
    EXPECT_AWAIT(rig.faults(), "");
    co_await rig.stop();
}
}  // namespace

void QueueConformance::check(Case run, const QueueOptions& options) {
    RealClock clock;
    Loop loop(clock);
    const std::unique_ptr<QueueRig> rig = GetParam()();
    loop.run(run_case(loop, *rig, run, options));
    EXPECT_EQ(loop.close(), 0) << "a libuv handle was leaked";
}

}  // namespace musher::test
