#include "pipelines/app/drop_in.h"

#include <algorithm>

#include "pipelines/packs/shards/shard_to_ssd.h"

namespace musher {

std::span<const DropIn> drop_ins() {
    constexpr std::string_view kShards =
        "copies a shard to an SSD and removes it there, as the script of that name";
    static constexpr DropIn kAll[] = {{"shard_to_ssd", run_shard_to_ssd, kShards},
                                      {"shard_to_ssd.py", run_shard_to_ssd, kShards}};
    return kAll;
}

const DropIn* find_drop_in(std::string_view argv0, std::span<const DropIn> known) {
    const std::string_view name = argv0.substr(argv0.rfind('/') + 1);
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const DropIn& one) { return one.name == name; });
    return found == known.end() ? nullptr : &*found;
}

}  // namespace musher
