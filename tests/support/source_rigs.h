// What a source needs to pass the battery of source_conformance_test: its outside world. A new
// source adds its rig to source_rigs() and gets every case.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reactor/component/source.h"

namespace musher::test {

/// Blocking; one rig for one case.
class SourceRig {
  public:
    virtual ~SourceRig() = default;
    virtual std::string yaml() const = 0;  // its options
    virtual Connections connections() const { return {}; }
    virtual std::string state() const { return {}; }  // what outlives a process
    virtual Clock* clock() { return nullptr; }        // null: a fast one

    /// Makes something happen that becomes one event; `what` is one short word, used once.
    virtual void happen(const std::string& what) = 0;
    /// The word that an event came from.
    virtual std::string what(const Event& event) const = 0;

    // Only where events have a world outside.
    /// Whether the outside world shows that this has ended as settle() was told.
    virtual bool ended(const std::string&, Outcome) const { return false; }
    /// Whether it lies where it happened. Nothing: this source takes nothing out of the world.
    virtual std::optional<bool> in_place(const std::string&) const { return std::nullopt; }
    /// The outside world goes away (server killed, folder unmounted), and is there again.
    virtual void take_away() {}
    virtual void bring_back() {}
};

/// What a source's events are made of.
enum class World {
    none,   // they just happen: of what nobody takes, only the latest comes
    keeps,  // something outside that waits until the source takes it
    shows,  // … and on which the source leaves what became of it
};

struct NamedSourceRig {
    const SourceEntry* entry;
    std::unique_ptr<SourceRig> (*make)();
    World world = World::shows;
};
const std::vector<NamedSourceRig>& source_rigs();

}  // namespace musher::test
