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
    /// The job died: its on_failure steps are next.
    void enter_on_failure();
    /// What the steps behind this one see of it: its fields, and the values that it names itself
    /// (nothing: they cannot be foretold).
    void add_step(const StepConfig& step,
                  const std::map<std::string, std::optional<Json>>& named = {});

    const Bindings& bindings() const { return bindings_; }
    /// Whether "event.row.total" lies in a map whose fields nobody can foretell.
    bool is_open(std::string_view field) const;

  private:
    void add_fields(Json& map, const std::string& path, const std::vector<Field>& fields);

    Bindings bindings_ = Json::object();
    std::vector<std::string> open_;  // "event.row"
};

}  // namespace musher
