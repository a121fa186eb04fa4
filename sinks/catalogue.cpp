#include "sinks/catalogue.h"

namespace musher {

const std::vector<StepEntry>& sink_catalogue() {
    static const std::vector<StepEntry> kAll = {};
    return kAll;
}

}  // namespace musher
