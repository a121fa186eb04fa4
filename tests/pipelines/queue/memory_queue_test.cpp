// The queue in memory passes the suite.
#include "tests/support/memory_queue_rig.h"

namespace musher::test {
namespace {

std::unique_ptr<QueueRig> make_rig() { return std::make_unique<MemoryQueueRig>(); }
INSTANTIATE_TEST_SUITE_P(Memory, QueueConformance, testing::Values(make_rig));

}  // namespace
}  // namespace musher::test
