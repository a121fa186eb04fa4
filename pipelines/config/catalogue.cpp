#include "pipelines/config/catalogue.h"

#include "pipelines/steps/catalogue.h"
#include "sinks/catalogue.h"
#include "sources/catalogue.h"

namespace musher {

namespace {
template <class Entry>
const Entry* find_in(const std::vector<Entry>& entries, std::string_view name) {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const Entry& entry) { return entry.spec.name == name; });
    return found == entries.end() ? nullptr : &*found;
}
}  // namespace

const SourceEntry* Catalogue::find_source(std::string_view name) const {
    return find_in(sources, name);
}

const StepEntry* Catalogue::find_step(std::string_view name) const {
    const StepEntry* step = find_in(steps, name);
    return step ? step : find_in(sinks, name);
}

std::vector<std::string_view> Catalogue::source_names() const {
    std::vector<std::string_view> names;
    for (const SourceEntry& entry : sources) names.push_back(entry.spec.name);
    return names;
}

std::vector<std::string_view> Catalogue::step_names() const {
    std::vector<std::string_view> names;
    for (const StepEntry& entry : steps) names.push_back(entry.spec.name);
    for (const StepEntry& entry : sinks) names.push_back(entry.spec.name);
    return names;
}

const Catalogue& full_catalogue() {
    static const std::vector<StepEntry> kSinks = [] {
        std::vector<StepEntry> all = sink_catalogue();
        for (const StepEntry& entry : pack_sinks()) all.push_back(entry);
        return all;
    }();
    static const Catalogue kFull{source_catalogue(), step_catalogue(), kSinks};
    return kFull;
}

}  // namespace musher
