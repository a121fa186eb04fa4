// The client of a named connection, which all steps of a reactor share.
#pragma once

#include <memory>
#include <string>

#include "reactor/component/step.h"

namespace musher {

/// What `name` says of its server, as read by `Target::from_options`. `usage` unless it is a
/// connection of that kind.
template <class Target>
Result<Target> connection_target(const Connections& connections, const std::string& name,
                                 std::string_view kind) {
    MUSHER_TRY(const Json* settings, connection_options(connections, name, kind));
    return Target::from_options(*settings);
}

/// A connection of its own to the server of `name`, for Step::probe(). Nothing when it is no such
/// connection, or its server is away: others say that.
template <class Link, class Target>
Task<std::unique_ptr<Link>> dial_probed(const StepProbe& on, std::string name,
                                        std::string_view kind) {
    const Result<Target> target = connection_target<Target>(on.connections, name, kind);
    if (!target) co_return nullptr;
    Result<std::unique_ptr<Link>> link = co_await Link::dial(on.loop, *target, on.cancel);
    co_return link ? std::move(*link) : nullptr;
}

/// `Target::from_options` reads the connection's options, `Client(loop, target)` connects when it
/// is first used. `usage` unless `name` is a connection of that kind.
template <class Client, class Target>
Result<std::shared_ptr<Client>> shared_client(const StepContext& context, const std::string& name,
                                              std::string_view kind) {
    MUSHER_TRY(const Json* settings, connection_options(context.connections, name, kind));
    MUSHER_TRY(const Target target, Target::from_options(*settings));
    const auto make = [&] { return std::make_shared<Client>(context.loop, target); };
    return context.pool.get<Client>(name, *settings, make);
}

}  // namespace musher
