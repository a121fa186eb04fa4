// The option tables of the configuration files themselves: they are described like components.
#pragma once

#include <vector>

#include "reactor/component/schema.h"

namespace musher {

const std::vector<Option>& pipeline_table();    // the top level of a pipeline file
const std::vector<Option>& limits_table();
const std::vector<Option>& step_table();        // what stands beside a step's name
const std::vector<Option>& daemon_table();      // the top level of musher.yml
const std::vector<Option>& queue_table();       // musher.yml: queue
const std::vector<Option>& redis_table();       // a Redis that is no plain URL
const std::vector<Option>& http_table();
const std::vector<Option>& log_table();
const std::vector<Option>& history_table();
const std::vector<Option>& sentry_table();

/// The kinds that `connections:` knows, each with its options.
struct ConnectionKind {
    std::string_view name;
    std::string_view help;
    std::vector<Option> options;
};
const std::vector<ConnectionKind>& connection_kinds();

}  // namespace musher
