#include "reactor/component/pool.h"

namespace musher {

void Pool::keep(const Connections& named) {
    for (auto slot = slots_.begin(); slot != slots_.end();) {
        const auto known = named.find(slot->first.second);
        const Json& settings = slot->second.settings;  // null: it is no connection's
        const bool same = known != named.end() && known->second.options == settings;
        if (same || settings.is_null()) {
            ++slot;
            continue;
        }
        retired_.push_back(std::move(slot->second));
        slot = slots_.erase(slot);
    }
    sweep();
}

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

std::map<std::string, std::string> Pool::troubles() const {
    std::map<std::string, std::string> found;
    for (const auto& [key, slot] : slots_) {
        const std::string& name = key.second;
        if (name.empty() || !slot.trouble) continue;
        std::string& trouble = found[name];
        if (trouble.empty()) trouble = slot.trouble(slot.client.get());
    }
    return found;
}

Task<void> Pool::retry(Cancel& cancel) {
    std::vector<std::pair<std::shared_ptr<void>, Mender>> broken;
    for (const auto& [key, slot] : slots_) {
        const bool trouble = slot.trouble && !slot.trouble(slot.client.get()).empty();
        if (trouble && slot.retry) broken.emplace_back(slot.client, slot.retry);
    }
    for (auto& [client, retry] : broken) co_await retry(std::move(client), cancel);
}

Task<void> Pool::close() {
    for (auto& [key, slot] : slots_) retired_.push_back(std::move(slot));
    slots_.clear();
    for (const Slot& slot : retired_) MUSHER_CHECK(slot.client.use_count() == 1);
    sweep();
    co_await scope_.join();
}

}  // namespace musher
