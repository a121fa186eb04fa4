// The sinks of the packs: only app may know them all.
#include "pipelines/config/catalogue.h"
#include "pipelines/packs/shards/shard_sinks.h"

namespace musher {

const std::vector<StepEntry>& pack_sinks() {
    static const std::vector<StepEntry> kAll = {
        {shard_copy_spec(), make_shard_copy},
        {shard_remove_spec(), make_shard_remove},
    };
    return kAll;
}

}  // namespace musher
