// PipelineSet: the pipelines of a process, each with a life of its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/run/pipeline.h"

namespace musher {

using Programs = std::map<std::string, std::shared_ptr<const Program>>;  // by pipeline

/// Loop thread only.
class PipelineSet {
  public:
    /// `make` builds a pipeline that was not opened; `queue_of` names the queue of its jobs,
    /// `limits_of` says what it takes. `gone`: one has ended, and none takes its place.
    struct Ways {
        std::function<Result<std::shared_ptr<Pipeline>>(std::shared_ptr<const Program>)> make;
        std::function<std::string(const Program&)> queue_of;
        std::function<QueueOptions(const Program&)> limits_of;
        std::function<void()> gone;
    };
    PipelineSet(Loop& loop, Ways ways);

    /// Those that work, and those that are about to end. Hold what you await on.
    std::vector<std::shared_ptr<Pipeline>> all() const;
    std::shared_ptr<Pipeline> find(const std::string& name) const;
    bool empty() const { return entries_.empty(); }

    /// Before start(): builds one. `usage` when its source cannot be built.
    Result<void> add(std::shared_ptr<const Program> program);
    /// Starts all, and from now on what apply() adds. `grace` is what running jobs get at an end.
    void start(Cancel& stop, Duration grace);
    /// Brings what works in line with `wanted`: adds, edits in place, takes out. A pipeline whose
    /// jobs move to another queue ends and starts anew; one that is put back while it ends starts
    /// when it has ended. What cannot be built stays as it was, and is answered by its name.
    std::map<std::string, Error> apply(const Programs& wanted);
    /// Returns when all have ended, after `stop`.
    Task<void> join();
    /// Nobody works any more.
    void clear() { entries_.clear(); }

  private:
    struct Entry {
        std::shared_ptr<Pipeline> pipeline;
        std::unique_ptr<Cancel> over;          // ends this life; null before start()
        std::shared_ptr<const Program> after;  // of the next life; only while this one ends
    };
    Result<void> bring(Entry& entry, std::shared_ptr<const Program> program);
    void end(Entry& entry);
    void live(Entry& entry);
    Task<void> life(std::string name);

    Ways ways_;
    std::map<std::string, Entry> entries_;
    Cancel* stop_ = nullptr;
    Duration grace_{};
    Scope scope_;
};

}  // namespace musher
