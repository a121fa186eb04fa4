#include "reactor/base/private_file.h"

#include <fmt/format.h>

namespace musher {

Result<void> check_private(const struct stat& info, const std::string& what,
                           const std::string& path) {
    const mode_t forbidden = info.st_uid == 0 ? 037 : 077;
    if ((info.st_mode & forbidden) == 0) return {};
    const bool readable = (info.st_mode & forbidden & 044) != 0;
    return fail(Errc::denied,
                fmt::format("{} can be {} by others (mode {:04o})", what,
                            readable ? "read" : "changed", info.st_mode & 07777u),
                "chmod 600 " + path);
}

}  // namespace musher
