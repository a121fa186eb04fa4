// Pool: the live clients (Redis, HTTP, S3, …) that the steps of one reactor share.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <typeindex>
#include <utility>

#include "reactor/base/json.h"

namespace musher {

/// One client per type and name. Owned by the Reactor, dropped before its loop closes. Loop
/// thread only.
class Pool {
  public:
    /// The client called `name` (a connection's, or "" for one that needs none), made by `make()`
    /// at the first call and again once `settings` differ: who still holds the old client keeps
    /// it to its end. `make` returns a shared_ptr<Client> and does not wait.
    template <class Client, class Make>
    std::shared_ptr<Client> get(const std::string& name, const Json& settings, Make make) {
        Slot& slot = slots_[{std::type_index(typeid(Client)), name}];
        if (!slot.client || slot.settings != settings) slot = Slot{settings, make()};
        return std::static_pointer_cast<Client>(slot.client);
    }
    /// Forgets every client; those in use end with their last holder.
    void clear() { slots_.clear(); }

  private:
    struct Slot {
        Json settings;
        std::shared_ptr<void> client;
    };
    std::map<std::pair<std::type_index, std::string>, Slot> slots_;
};

}  // namespace musher
