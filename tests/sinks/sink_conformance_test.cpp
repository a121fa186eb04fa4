// What every sink must do, over each that is registered in tests/support/sink_rigs.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "pipelines/config/yaml.h"
#include "pipelines/expr/lua_sandbox.h"
#include "pipelines/expr/template.h"
#include "reactor/task/all.h"
#include "sinks/catalogue.h"
#include "tests/support/eventually.h"
#include "tests/support/run_loop.h"
#include "tests/support/sink_rigs.h"
#include "tests/support/temp_dir.h"

namespace musher {
namespace {

using test::NamedSinkRig;
using Words = std::vector<std::string>;

/// One step object and one pool for all its jobs, as in a running pipeline.
class Delivering {
  public:
    Delivering(Loop& loop, const NamedSinkRig& named)
        : rig(named.make()),
          spec(named.entry->spec),
          loop_(loop),
          step_(named.entry->make()),
          pool_(loop) {}
    Task<void> start() {
        co_await rig->start(loop_);
        connections_ = rig->connections();
    }
    Task<void> stop() {
        co_await pool_.close();
        co_await rig->stop();
    }
    /// A job that carries `word`; the job's id is made of it.
    Task<Result<StepResult>> deliver(std::string word, Cancel& cancel) {
        Event event;
        event.source = pipeline_;
        event.facts = Json{{"name", word}};
        Body body;
        body.path = dir_ / word;
        body.size = word.size();
        std::ofstream(body.path) << word;
        const std::string job = "job-" + word;
        MUSHER_CO_TRY(const Options options, render(event));
        const auto progress = [](int, const std::string&) {};
        StepContext context{loop_, cancel, event,       job,          pipeline_, id_,     id_,
                            1,     body,   dir_.path(), connections_, pool_,     progress};
        co_return co_await step_->run(context, options);
    }
    /// Delivers, and expects it to go well.
    Task<void> arrives(std::string word) {
        Cancel never;
        const Result<StepResult> result = co_await deliver(word, never);
        EXPECT_TRUE(result.has_value()) << word << ": " << result.error().text();
        if (!result) co_return;
        EXPECT_TRUE(result->receipt.has_value()) << "a sink gives a receipt";
        if (!result->receipt) co_return;
        EXPECT_FALSE(result->receipt->target.empty());
        EXPECT_EQ(result->receipt->bytes, word.size());
    }
    /// The same, tried again as a pipeline that is held would: while a driver waits before it
    /// connects again, it says so at once.
    Task<void> arrives_by_and_by(std::string word) {
        const RealClock real;
        const Instant limit = real.now() + std::chrono::seconds(20);
        Cancel never;
        for (bool there = false; !there && real.now() < limit;) {
            const Instant next = real.now() + milliseconds(20);
            const Result<StepResult> result = co_await deliver(word, never);
            there = result.has_value();
            auto rested = [&real, next] { return real.now() >= next; };
            co_await test::eventually(loop_, rested);
        }
        co_await arrives(word);
    }
    /// How often each word arrived, once they all have.
    Task<std::map<std::string, int>> counts(Words words) {
        const auto all_there = [&] {
            const Words arrived = rig->arrived();
            return std::all_of(words.begin(), words.end(), [&](const std::string& word) {
                return std::find(arrived.begin(), arrived.end(), word) != arrived.end();
            });
        };
        co_await test::eventually(loop_, all_there);
        std::map<std::string, int> count;
        for (const std::string& word : rig->arrived()) ++count[word];
        co_return count;
    }
    Loop& loop() { return loop_; }

    std::unique_ptr<test::SinkRig> rig;
    const Spec& spec;

  private:
    Result<Options> render(const Event& event) const {
        std::vector<Problem> problems;
        const auto value = parse_yaml(rig->yaml(), "rig.yml", problems);
        MUSHER_TRY(const std::shared_ptr<LuaSandbox> sandbox, LuaSandbox::create());
        const auto options = OptionsTemplate::compile(sandbox, spec.options,
                                                      value.value_or(Value()), spec.name, problems);
        if (!problems.empty()) return fail(Errc::usage, problems.front().message);
        return options.render(Bindings{{"event", event.view()}});
    }

    Loop& loop_;
    std::unique_ptr<Step> step_;
    Pool pool_;
    Connections connections_;
    test::TempDir dir_;
    const std::string pipeline_ = "conformance";
    const std::string id_ = "sink";
};

class SinkConformance : public testing::TestWithParam<NamedSinkRig> {
  protected:
    /// Runs `body` on a fresh loop that must end clean.
    void over(Task<void> (*body)(Delivering&)) {
        NamedSinkRig named = GetParam();
        auto run = [](Loop& loop, NamedSinkRig& rig, Task<void> (*&work)(Delivering&)) {
            return on_fresh_loop(loop, rig, work);
        };
        test::on_loop(run, named, body);
    }

  private:
    static Task<void> on_fresh_loop(Loop& loop, NamedSinkRig& named,
                                    Task<void> (*work)(Delivering&)) {
        Delivering delivering(loop, named);
        co_await delivering.start();
        co_await work(delivering);
        co_await delivering.stop();
    }
};

std::string_view code_of(const Result<StepResult>& result) {
    return result ? "delivered" : info(result.error().code).name;
}

Task<void> many(Delivering& sink) {
    Words words;
    Scope scope("jobs", sink.loop().ready(), sink.loop().clock());
    for (int i = 0; i < 20; ++i) {
        words.push_back("w" + std::to_string(10 + i));
        scope.spawn(words.back(), sink.arrives(words.back()));
    }
    co_await scope.join();
    const std::map<std::string, int> counts = co_await sink.counts(words);
    EXPECT_EQ(counts.size(), words.size());
    for (const auto& [word, count] : counts) EXPECT_EQ(count, 1) << word;
}
TEST_P(SinkConformance, DeliversJobsSideBySideEachOnce) { over(many); }

/// As after a crash between the effect and its receipt.
Task<void> repeated(Delivering& sink) {
    co_await sink.arrives("a");
    co_await sink.arrives("a");
    co_await sink.arrives("b");
    Words words{"a", "b"};
    std::map<std::string, int> counts = co_await sink.counts(words);
    EXPECT_EQ(counts["a"], sink.spec.repeats == Repeats::idempotent ? 1 : 2)
        << "`describe` promises otherwise";
    EXPECT_NE(sink.spec.repeats == Repeats::never, true) << "a sink says what a repeat does";
}
TEST_P(SinkConformance, ARepeatDoesWhatItsSpecSays) { over(repeated); }

Task<void> away(Delivering& sink) {
    co_await sink.arrives("before");
    sink.rig->take_away();
    Cancel never;
    const Result<StepResult> failed = co_await sink.deliver("meanwhile", never);
    EXPECT_FALSE(failed.has_value());
    if (!failed) {
        const ErrcInfo& about = info(failed.error().code);
        EXPECT_TRUE(about.retryable) << failed.error().text();
        EXPECT_EQ(about.fault == Fault::sink, true)
            << about.name << ": the pipeline shall hold, not bury its jobs";
    }
    sink.rig->bring_back();
    co_await sink.arrives_by_and_by("meanwhile");
    co_await sink.arrives("after");
}
TEST_P(SinkConformance, ABrokenWorldIsTheSinksFaultAndItComesBackByItself) { over(away); }

Task<void> ends_while_away(Delivering& sink) {
    co_await sink.arrives("a");
    sink.rig->take_away();
}
TEST_P(SinkConformance, EndsCleanWhileTheWorldIsAway) { over(ends_while_away); }

Task<void> cancelled(Delivering& sink) {
    Cancel cancel;
    cancel.request();
    const Result<StepResult> failed = co_await sink.deliver("never", cancel);
    EXPECT_EQ(code_of(failed), "cancelled");
    co_await sink.arrives("b");
    Words words{"b"};
    const std::map<std::string, int> counts = co_await sink.counts(words);
    EXPECT_FALSE(counts.contains("never"));
}
TEST_P(SinkConformance, ACancelledJobDeliversNothing) { over(cancelled); }

Task<void> into(Delivering& sink, std::string word, Cancel& cancel, Result<StepResult>& result) {
    result = co_await sink.deliver(std::move(word), cancel);
}
Task<void> hanging(Delivering& sink) {
    co_await sink.arrives("a");
    if (!sink.rig->hang()) co_return;
    Cancel cancel;
    Cancel timed;
    const Deadline deadline(sink.loop().timers(), timed, milliseconds(50));
    Result<StepResult> first;
    Result<StepResult> second;
    Scope scope("jobs", sink.loop().ready(), sink.loop().clock());
    scope.spawn("cancelled", into(sink, "lost", cancel, first));
    scope.spawn("timed out", into(sink, "late", timed, second));
    cancel.request();
    const RealClock clock;
    const Instant began = clock.now();
    co_await scope.join();
    EXPECT_LT(clock.now() - began, std::chrono::seconds(4));
    EXPECT_EQ(code_of(first), "cancelled");
    EXPECT_EQ(code_of(second), "timeout");
    sink.rig->wake();
    co_await sink.arrives("after");
}
TEST_P(SinkConformance, ASilentWorldIsLeftByCancelAndTimeout) { over(hanging); }

INSTANTIATE_TEST_SUITE_P(All, SinkConformance, testing::ValuesIn(test::sink_rigs()),
                         [](const auto& one) { return std::string(one.param.entry->spec.name); });

TEST(SinkRigs, EverySinkHasOne) {
    for (const StepEntry& sink : sink_catalogue()) {
        const auto& rigs = test::sink_rigs();
        EXPECT_TRUE(std::any_of(
            rigs.begin(), rigs.end(),
            [&](const NamedSinkRig& rig) { return rig.entry->spec.name == sink.spec.name; }))
            << sink.spec.name << " passes no conformance test";
    }
}

}  // namespace
}  // namespace musher
