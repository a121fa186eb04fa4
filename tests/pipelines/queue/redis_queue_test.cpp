// The queue on a real Redis passes the same suite; and what only Redis can do wrong.
#include "pipelines/queue/redis_queue.h"

#include "tests/support/redis_queue_rig.h"

namespace musher::test {
namespace {

const RedisServer& server() {
    static const RedisServer one;
    return one;
}
std::unique_ptr<QueueRig> make_rig() { return std::make_unique<RedisQueueRig>(server()); }
INSTANTIATE_TEST_SUITE_P(Redis, QueueConformance, testing::Values(make_rig));

}  // namespace
}  // namespace musher::test
