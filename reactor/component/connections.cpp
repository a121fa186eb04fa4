#include "reactor/component/connections.h"

namespace musher {

Result<const Json*> connection_options(const Connections& connections, std::string_view name,
                                       std::string_view kind) {
    const auto found = connections.find(name);
    if (found != connections.end() && found->second.kind == kind) return &found->second.options;
    return fail(Errc::usage,
                "there is no " + std::string(kind) + " connection '" + std::string(name) + "'",
                "add it under connections: in musher.yml");
}

}  // namespace musher
