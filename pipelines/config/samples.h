// What an expression would see: the components' sample fields, as `check` evaluates on them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/config/daemon_file.h"
#include "pipelines/config/pipeline_file.h"
#include "pipelines/expr/expression.h"

namespace musher {

/// The Bindings of one pipeline at one point of its way, made of samples.
class Samples {
  public:
    /// At admission: nothing was done yet. `daemon` may be null.
    Samples(const PipelineConfig& pipeline, const DaemonConfig* daemon);

    /// The job runs: its steps are next.
    void enter_steps();
    /// Whether `body.sha256` is there from here on.
    void know_digest(bool known);
    /// The job died: its on_failure steps are next.
    void enter_on_failure();
    /// A try's step failed: those of its rescue are next. Returns what `job` was.
    Json enter_rescue();
    void leave_rescue(Json job) { bindings_["job"] = std::move(job); }
    /// The name by which a for_each's element is seen, until it is taken away again.
    void bind(const std::string& name, Json value) { bindings_[name] = std::move(value); }
    void unbind(const std::string& name) { bindings_.erase(name); }
    /// How many steps are shown; what was shown since can be taken out again, and put back.
    std::size_t mark() const { return shown_.size(); }
    Json take_since(std::size_t mark);
    void put_back(Json steps);
    void hide(const std::string& step, const char* field) { bindings_["steps"][step].erase(field); }
    /// What the steps behind this one see of it: its fields, and the values that it names itself
    /// (nothing: they cannot be foretold).
    void add_step(const StepConfig& step,
                  const std::map<std::string, std::optional<Json>>& named = {});

    const Bindings& bindings() const { return bindings_; }
    /// Whether "event.row.total" lies in a map whose fields nobody can foretell.
    bool is_open(std::string_view field) const;
    /// Whether the expression looks into such a map, or a list that stands for it.
    bool looks_into_open(std::string_view expression) const;

  private:
    void add_fields(Json& map, const std::string& path, const std::vector<Field>& fields);

    Bindings bindings_ = Json::object();
    std::vector<std::string> open_;   // "event.row"
    std::vector<std::string> shown_;  // ids of `steps`, in the order of coming
};

}  // namespace musher
