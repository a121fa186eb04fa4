// What /metrics says.
#pragma once

#include <string>

#include "pipelines/app/process_stats.h"
#include "pipelines/run/measures.h"
#include "reactor/loop/loop.h"

namespace musher {

/// In the form of exposition.h.
std::string metrics_text(const Measures& measures, const ProcessStats& process, Loop& loop);

}  // namespace musher
