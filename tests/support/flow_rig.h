// Runs the attempts of one job over a pipeline written as YAML, with steps that tell what they did.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "pipelines/config/check.h"
#include "pipelines/config/render_error.h"
#include "pipelines/queue/memory_queue.h"
#include "pipelines/run/job_runner.h"
#include "pipelines/steps/catalogue.h"
#include "sinks/catalogue.h"
#include "sources/catalogue.h"
#include "tests/support/away_queue.h"
#include "tests/support/run_loop.h"
#include "tests/support/staged_step.h"
#include "tests/support/temp_dir.h"

namespace musher::test {

/// One job, one attempt after the other.
class FlowRig {
  public:
    explicit FlowRig(Loop& loop)
        : pool_(loop), around_(loop, connections_, pool_), queue_("p", loop.clock()) {
        around_.scratch_root = dir / "scratch";
        ask_.asks_server = true;
        const auto make = [this](bool sink) {
            return [this, sink] { return std::make_unique<StagedStep>(stage, sink); };
        };
        steps_.push_back(StepEntry{act_, make(false)});
        steps_.push_back(StepEntry{ask_, make(false)});
        sinks_.push_back(StepEntry{deliver_, make(true)});
    }

    /// What `steps` (YAML, a list) is told by `check`; empty: nothing.
    std::string check(const std::string& steps, const std::string& on_failure = "") {
        std::ofstream(dir / "p.yml") << "version: 1\nsource: { hotfolder: { path: /srv/in } }\n"
                                     << "steps:\n"
                                     << steps << on_failure;
        const Catalogue catalogue{source_catalogue(), steps_, sinks_};
        Configuration read = read_pipelines({dir / "p.yml"}, catalogue);
        program_.reset();
        if (read.ok()) program_ = Program::compile(std::move(read.pipelines[0]), 1).value();
        return read.problems.empty() ? "" : render_problems(read.problems);
    }

    /// The next attempt of the one job, over what was checked last. A failed one goes on.
    Task<RunReport> attempt(Cancel& cancel) {
        MUSHER_CHECK(program_ != nullptr);
        Cancel never;
        if (!claimed_) co_await put();
        CycleIn in;
        in.claim = 1;
        Result<CycleOut> out = co_await queue_.cycle(in, never);
        MUSHER_CHECK(out && out->claimed.claims.size() == 1);
        const Claim claim = std::move(out->claimed.claims.front());
        stage.done.clear();
        const Stop stop{leave, over};
        JobRunner runner(around_, *program_, front, claim, cancel, stop, progress);
        RunReport report = co_await runner.run();
        receipts = Json::array();
        Result<JobRow> row = co_await queue_.show("1", never);
        if (row) receipts = row->receipts;
        Defeat defeat;
        defeat.id = "1";
        defeat.token = claim.token;
        defeat.error = Error(Errc::failed, "once more");
        EXPECT_TRUE(co_await queue_.fail(defeat, never));
        co_return report;
    }
    Task<RunReport> attempt() {
        Cancel never;
        co_return co_await attempt(never);
    }
    Task<void> close() { co_await pool_.close(); }

    /// Steps of the receipts that are stored, each with its target.
    std::vector<std::string> stored() const {
        std::vector<std::string> all;
        for (const Json& one : receipts)
            all.push_back(text_in(one, "step") + " " + text_in(one, "target"));
        return all;
    }
    /// "what step: detail" of each line.
    static std::vector<std::string> told(const RunReport& report) {
        std::vector<std::string> all;
        for (const Json& line : report.story) {
            const std::string detail = text_in(line, "detail");
            all.push_back(text_in(line, "what") + " " + text_in(line, "step") +
                          (detail.empty() ? "" : ": " + detail));
        }
        return all;
    }

    TempDir dir;
    Stage stage;
    Json facts = Json{{"name", "a.txt"}, {"size", 4}};
    std::string file;
    Json receipts = Json::array();
    Json progress;
    Cancel leave;             // a stop begins
    Cancel over;              // its grace period ends
    AwayQueue front{queue_};  // what the runner sees
    MemoryQueue& queue() { return queue_; }
    std::string& scratch_root() { return around_.scratch_root; }

  private:
    Task<void> put() {
        claimed_ = true;
        Job job;
        job.id = "1";
        job.pipeline = "p";
        job.queue = "p";
        job.max_attempts = 100;
        job.event.id = "1";
        job.event.kind = "hotfolder";
        job.event.facts = facts;
        job.event.file = file;
        std::vector<Job> jobs{job};
        Cancel never;
        EXPECT_TRUE(co_await queue_.put(std::move(jobs), never));
    }
    static Spec staged(ComponentKind kind, std::string_view name) {
        Spec spec{kind, name, "tells", "", {}, {{"said", "what", "text"}}, ""};
        spec.options = {{.name = "what", .help = "what", .required = true, .templated = true}};
        spec.scalar = "what";
        spec.fields.push_back(Field{"*", "more", nullptr});
        return spec;
    }

    Connections connections_;
    Pool pool_;
    Surroundings around_;
    MemoryQueue queue_;
    Spec act_ = staged(ComponentKind::step, "act");
    Spec ask_ = staged(ComponentKind::step, "ask");  // a server
    Spec deliver_ = staged(ComponentKind::sink, "deliver");
    std::vector<StepEntry> steps_ = step_catalogue();
    std::vector<StepEntry> sinks_ = sink_catalogue();
    std::shared_ptr<const Program> program_;
    bool claimed_ = false;
};

}  // namespace musher::test
