// redis_publish: a message to whoever listens on a channel.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& redis_publish_spec();
std::unique_ptr<Step> make_redis_publish();
}  // namespace musher
