// The options of one source, step or sink, as a pipeline file writes them.
#pragma once

#include "pipelines/config/pipeline_reader.h"

namespace musher {

/// The map behind `NAME:` with bare values put under their option, and ${…} of options that are
/// fixed for all jobs (source paths and the like) replaced by what env and vars say. Checked
/// against the table: types, connections.
Value read_component_options(const Spec& spec, const Value::Entry& written, const Reading& reading);

/// Where to show what a component says of its own options, named in backticks: the option, or one
/// entry of it; else the whole component.
Position place_of(const std::string& message, const Value& options);

/// Reports a connection name that musher.yml does not have or has as another kind.
void check_connection(const Option& option, const Value& named, const Reading& reading);

/// Replaces ${…} in the leaves of `map` that no job renders. Faulty leaves stay, marked.
void render_fixed(const std::vector<Option>& table, Value& map, const Reading& reading);

}  // namespace musher
