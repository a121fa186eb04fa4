// Step: one thing done to a job. A sink is a step that returns a Receipt.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "reactor/base/body_file.h"
#include "reactor/component/connections.h"
#include "reactor/component/event.h"
#include "reactor/component/pool.h"
#include "reactor/component/schema.h"
#include "reactor/filters/filter.h"
#include "reactor/loop/loop.h"

namespace musher {

/// The job's one body: a file. Filters and exec replace it by a scratch file. Only open_body()
/// opens it.
struct Body {
    std::string path;  // empty: the event carries no file
    std::uint64_t size = 0;
    std::string sha256;     // hex, "" until somebody computed it
    FileIdentity identity;  // of the original; unknown of scratch files
};

/// Proof that a sink did its work; stored with the job before the next step runs.
struct Receipt {
    std::string step;    // id of the step
    std::string sink;    // its kind
    std::string target;  // path, URL without secrets, channel
    std::uint64_t bytes = 0;
    std::string sha256;
    std::int64_t time_ms = 0;
    Json extra = Json::object();  // the sink's own fields, seen as steps.ID.NAME

    Json to_json() const;
};

struct StepResult {
    Json outputs = Json::object();  // seen as steps.ID
    std::optional<Receipt> receipt = std::nullopt;
};

/// What a running step may touch; owned by the JobRunner's frame.
struct StepContext {
    Loop& loop;
    Cancel& cancel;
    const Event& event;
    const std::string& job;  // id: idempotence keys come from it and from `place`
    const std::string& pipeline;
    const std::string& step;   // id of this step
    const std::string& place;  // the same, but of this run alone: each[6].step inside a for_each
    int attempt;               // from 1
    Body& body;
    const std::string& scratch;  // a folder of this attempt's own, removed after it
    const Connections& connections;
    Pool& pool;  // live clients shared by all jobs of the reactor
    std::function<void(int percent, const std::string& text)> progress;
};

/// What a step may touch while it is tried out without a job.
struct StepProbe {
    Loop& loop;
    const Connections& connections;
    Cancel& cancel;
};

/// Loop thread only; one object serves all jobs of a pipeline revision, so it keeps no job state.
class Step {
  public:
    virtual ~Step() = default;
    /// An error ends the attempt; its code says whether the item or the sink is at fault.
    virtual Task<Result<StepResult>> run(StepContext& context, const Options& options) = 0;
    /// Filters only: the runner fuses adjacent ones into one pass and never calls run().
    virtual Result<std::unique_ptr<Filter>> filter(const Options&) const { return nullptr; }
    virtual bool is_filter() const { return false; }
    /// False: the step neither reads nor replaces the body.
    virtual bool uses_body() const { return true; }
    /// True: nobody outside acts on what it does (log, set), so that it may run before the filters
    /// in front of it. What others act on waits until those have proved the body.
    virtual bool may_overtake() const { return false; }
    /// True: `context.scratch` exists when run() is called.
    virtual bool needs_scratch() const { return false; }
    /// For `check --live`: what the server would refuse, asked without any effect; each names its
    /// option in backticks, where there is one. Nothing of a server that is away: others say that.
    /// `options` as written, with their ${…}.
    virtual Task<Faults> probe(const StepProbe& on, const Options& options);
    /// Sinks only: can take the body through `filters` in its own pass. The caller reads their
    /// result() afterwards.
    virtual bool takes_filters() const { return false; }
    virtual Task<Result<StepResult>> run_filtered(StepContext& context, const Options& options,
                                                  std::vector<std::unique_ptr<Filter>>& filters);
};

using StepFactory = std::function<std::unique_ptr<Step>()>;
struct StepEntry {
    const Spec& spec;
    StepFactory make;
    bool pure = false;  // touches the job alone: `musher test` lets it run as it is
};

}  // namespace musher
