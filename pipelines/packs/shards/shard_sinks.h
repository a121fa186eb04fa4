// shard_copy, shard_remove: a job registers a user of a shard, or takes one off.
#pragma once

#include "reactor/component/step.h"

namespace musher {

const Spec& shard_copy_spec();
std::unique_ptr<Step> make_shard_copy();
const Spec& shard_remove_spec();
std::unique_ptr<Step> make_shard_remove();

}  // namespace musher
