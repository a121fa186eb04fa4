#include "sinks/catalogue.h"

#include "sinks/directory.h"

namespace musher {

const std::vector<StepEntry>& sink_catalogue() {
    static const std::vector<StepEntry> kAll = {
        {directory_spec(), make_directory},
    };
    return kAll;
}

}  // namespace musher
