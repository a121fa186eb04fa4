// Pool: the live clients (Redis, HTTP, S3, …) that the steps of one reactor share.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <typeindex>
#include <utility>
#include <vector>

#include "reactor/base/json.h"
#include "reactor/component/connections.h"
#include "reactor/loop/loop.h"

namespace musher {

/// One client per type and name. A client that has `Task<void> close()` is closed before it is
/// destroyed. Owned by the Reactor; close() before its loop ends. Loop thread only.
class Pool {
  public:
    explicit Pool(Loop& loop) : scope_("pool", loop.ready(), loop.clock()) {}

    /// The client called `name` (a connection's, or "" for one that needs none), made by `make()`
    /// at the first call and again once `settings` differ: who still holds the old client keeps
    /// it to its end. `make` returns a shared_ptr<Client> and does not wait. Hold the result for
    /// the length of one step, no longer.
    template <class Client, class Make>
    std::shared_ptr<Client> get(const std::string& name, const Json& settings, Make make) {
        sweep();
        Slot& slot = slots_[{std::type_index(typeid(Client)), name}];
        if (!slot.client || slot.settings != settings) {
            std::shared_ptr<void> fresh = make();
            if (slot.client) retired_.push_back(std::move(slot));
            slot = Slot{settings, std::move(fresh), closer<Client>(), judge<Client>(),
                        mender<Client>()};
        }
        return std::static_pointer_cast<Client>(slot.client);
    }

    /// Of each client with a name that can say so (`std::string trouble() const`): what is wrong,
    /// "" when nothing is.
    std::map<std::string, std::string> troubles() const;
    /// Clients in trouble that can (`Task<void> retry(Cancel&)`) try again, one after the other: no
    /// step may come that would.
    Task<void> retry(Cancel& cancel);
    /// Lets go of clients whose settings are no longer those of the connection `named` so: closed
    /// by the sweep() that finds that nobody holds them.
    void keep(const Connections& named);
    /// Closes replaced clients that nobody holds any more; get() does so, too.
    void sweep();
    /// Closes every client; nobody may hold one any more.
    Task<void> close();

  private:
    using Closer = Task<void> (*)(std::shared_ptr<void> client);
    using Judge = std::string (*)(const void* client);
    using Mender = Task<void> (*)(std::shared_ptr<void> client, Cancel& cancel);
    struct Slot {
        Json settings;
        std::shared_ptr<void> client;
        Closer close = nullptr;
        Judge trouble = nullptr;
        Mender retry = nullptr;
    };

    template <class Client>
    static Task<void> close_one(std::shared_ptr<void> client) {
        co_await static_cast<Client*>(client.get())->close();
    }
    template <class Client>
    static Closer closer() {
        if constexpr (requires(Client& client) { client.close(); }) return &close_one<Client>;
        return nullptr;
    }
    template <class Client>
    static Judge judge() {
        if constexpr (requires(const Client& client) { std::string(client.trouble()); }) {
            return [](const void* client) {
                return std::string(static_cast<const Client*>(client)->trouble());
            };
        }
        return nullptr;
    }
    template <class Client>
    static Task<void> retry_one(std::shared_ptr<void> client, Cancel& cancel) {
        co_await static_cast<Client*>(client.get())->retry(cancel);
    }
    template <class Client>
    static Mender mender() {
        if constexpr (requires(Client& client, Cancel& cancel) { client.retry(cancel); }) {
            return &retry_one<Client>;
        }
        return nullptr;
    }

    std::map<std::pair<std::type_index, std::string>, Slot> slots_;
    std::vector<Slot> retired_;  // replaced, maybe still held by a running step
    Scope scope_;
};

}  // namespace musher
