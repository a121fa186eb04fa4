// Who else may read a file that holds a secret.
#pragma once

#include <sys/stat.h>

#include "reactor/base/error.h"

namespace musher {

/// `denied`, with the chmod to do, when others may read or change the file: only its owner may,
/// and where that is root also its group may read it (0440 and 0640: what systemd and an
/// administrator give to a service). `what` names the file in the message.
Result<void> check_private(const struct stat& info, const std::string& what,
                           const std::string& path);

}  // namespace musher
