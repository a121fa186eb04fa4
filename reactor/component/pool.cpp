#include "reactor/component/pool.h"

namespace musher {

/// Closes replaced clients that nobody holds any more.
void Pool::sweep() {
    for (auto slot = retired_.begin(); slot != retired_.end();) {
        if (slot->client.use_count() > 1) {
            ++slot;
            continue;
        }
        if (slot->close) scope_.spawn("close", slot->close(std::move(slot->client)));
        slot = retired_.erase(slot);
    }
}

Task<void> Pool::close() {
    for (auto& [key, slot] : slots_) retired_.push_back(std::move(slot));
    slots_.clear();
    for (const Slot& slot : retired_) MUSHER_CHECK(slot.client.use_count() == 1);
    sweep();
    co_await scope_.join();
}

}  // namespace musher
