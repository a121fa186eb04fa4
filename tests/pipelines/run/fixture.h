// A pipeline of scripted steps over the memory queue, for the tests of run/.
#pragma once

#include <gtest/gtest.h>

#include "pipelines/config/yaml.h"
#include "pipelines/queue/memory_queue.h"
#include "pipelines/run/dispatcher.h"
#include "tests/pipelines/run/scripted_step.h"
#include "tests/support/away_queue.h"
#include "tests/support/run_loop.h"

namespace musher::test {

/// One pipeline "p" whose steps are added one by one; keeps everything alive for a Dispatcher.
class Workshop {
  public:
    explicit Workshop(Loop& loop, const QueueOptions& options = {})
        : loop_(loop),
          pool_(loop),
          around_(loop, connections_, pool_),
          queue_("p", loop.clock(), options) {
        config_.name = "p";
        config_.source = &source_;
        config_.source_kind = "test";
        config_.source_options.kind = Value::Kind::map;
        config_.limits.backoff_from = milliseconds(1);
        config_.limits.backoff_to = milliseconds(2);
        around_.scratch_root = testing::TempDir() + "musher-run";
    }

    void step(const std::string& id, bool sink, Script script, bool body = true) {
        const Script& kept = keep(std::move(script));
        const auto make = [&kept, body] { return std::make_unique<ScriptedStep>(kept, body); };
        add(config_.steps, id, sink, make);
    }
    /// A step of a catalogue with its options as they stand in YAML.
    void real(const StepEntry& entry, const std::string& yaml, bool sink = false) {
        std::vector<Problem> problems;
        StepConfig step;
        step.kind = entry.spec.name;
        step.id = entry.spec.name;
        step.sink = sink;
        step.entry = &entry;
        step.options = parse_yaml(yaml, "workshop.yml", problems).value_or(Value());
        EXPECT_TRUE(problems.empty()) << problems.front().message;
        config_.steps.push_back(std::move(step));
    }
    void on_failure(const std::string& id, Script script) {
        const Script& kept = keep(std::move(script));
        add(config_.on_failure, id, false, [&] { return std::make_unique<ScriptedStep>(kept); });
    }
    void endless(const std::string& id, Duration timeout) {
        add(config_.steps, id, false, [] { return std::make_unique<EndlessStep>(); });
        config_.steps.back().timeout = timeout;
    }

    void waits_for(const std::string& step, const std::string& id, Waiters& gate) {
        add(config_.steps, step, false, [&, id] { return std::make_unique<GatedStep>(id, gate); });
    }

    /// Compiles and starts; settlements are collected in `ended`.
    Task<void> start(Scope& scope, Cancel& stop) {
        program_ = Program::compile(config_, 1).value();
        dispatcher_ = std::make_unique<Dispatcher>(around_, program_, away_, tally_, nullptr,
                                                   [this](std::vector<Settlement> batch) {
                                                       const std::size_t count = batch.size();
                                                       for (Settlement& one : batch)
                                                           ended.push_back(std::move(one));
                                                       dispatcher_->settled_done(count);
                                                       arrived_.wake_all();
                                                   });
        scope.spawn("dispatcher", dispatcher_->run(stop, milliseconds(50)));
        co_return;
    }
    Task<void> close() { co_await pool_.close(); }  // last
    Task<void> put(const std::string& id, std::string file = {}) {
        co_await store(id, std::move(file));
        dispatcher_->wake();
    }
    /// Without a word to the dispatcher.
    Task<void> store(const std::string& id, std::string file = {},
                     milliseconds later = milliseconds(0)) {
        Job job;
        job.id = id;
        job.pipeline = "p";
        job.queue = "p";
        job.max_attempts = config_.limits.attempts;
        job.event.id = id;
        job.event.kind = "test";
        if (later.count() > 0) job.due_ms = loop_.clock().wall_ms() + later.count();
        job.event.file = std::move(file);
        std::vector<Job> jobs{job};
        Cancel never;
        EXPECT_TRUE((co_await queue_.put(std::move(jobs), never)).has_value());
    }
    /// Returns when `count` settlements have arrived, or fails the test after 5 s.
    Task<void> ends(std::size_t count) {
        Cancel enough;
        const Deadline deadline(loop_.timers(), enough, std::chrono::seconds(5));
        while (ended.size() < count) {
            const Result<void> woken = co_await arrived_.wait(enough);
            if (woken) continue;
            ADD_FAILURE() << "only " << ended.size() << " jobs ended";
            co_return;
        }
    }

    PipelineConfig& config() { return config_; }
    Surroundings& around() { return around_; }
    const Tally::Counts& counts() const { return tally_.counts(); }
    MemoryQueue& queue() { return queue_; }
    AwayQueue& away() { return away_; }
    Dispatcher& dispatcher() { return *dispatcher_; }
    std::vector<Settlement> ended;

  private:
    const Script& keep(Script script) {
        return *scripts_.emplace_back(std::make_unique<Script>(std::move(script)));
    }
    void add(std::vector<StepConfig>& list, const std::string& id, bool sink, StepFactory make) {
        entries_.push_back(std::make_unique<StepEntry>(StepEntry{spec_, std::move(make)}));
        StepConfig step;
        step.kind = "test";
        step.id = id;
        step.sink = sink;
        step.entry = entries_.back().get();
        step.options.kind = Value::Kind::map;
        list.push_back(std::move(step));
    }

    Loop& loop_;
    Connections connections_;
    Pool pool_;
    Surroundings around_;
    MemoryQueue queue_;
    AwayQueue away_{queue_};
    EventRing happenings_{loop_.clock()};
    Tally tally_{loop_.clock(), happenings_, "p"};
    Spec spec_{ComponentKind::step, "test", "", "", {}, {}, ""};
    SourceEntry source_{spec_, {}};
    std::vector<std::unique_ptr<Script>> scripts_;
    std::vector<std::unique_ptr<StepEntry>> entries_;
    PipelineConfig config_;
    std::shared_ptr<const Program> program_;
    std::unique_ptr<Dispatcher> dispatcher_;
    Waiters arrived_{loop_.ready()};
};

}  // namespace musher::test
