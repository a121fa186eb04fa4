// The components that a pipeline file can name.
#pragma once

#include <string_view>
#include <vector>

#include "reactor/component/source.h"
#include "reactor/component/step.h"

namespace musher {

struct Catalogue {
    const std::vector<SourceEntry>& sources;
    const std::vector<StepEntry>& steps;
    const std::vector<StepEntry>& sinks;

    const SourceEntry* find_source(std::string_view name) const;
    /// Steps and sinks.
    const StepEntry* find_step(std::string_view name) const;
    std::vector<std::string_view> source_names() const;
    std::vector<std::string_view> step_names() const;  // sinks too
};

/// Of the packs, which include this room and not the other way round: pipelines/app/packs.cpp.
const std::vector<StepEntry>& pack_sinks();

/// Everything that is built in.
const Catalogue& full_catalogue();

}  // namespace musher
