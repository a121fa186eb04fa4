// What runs between fork and exec of every child: `musher child OPTION… -- PROGRAM ARG…`.
#pragma once

#include <string>
#include <vector>

#include "reactor/loop/child_spec.h"

namespace musher {

inline constexpr int kLauncherStatusFd = 3;

/// Call first in main, when argv[1] is "child": sets the death signal, limits, no_new_privs, the
/// files and the working directory, closes every other descriptor, then becomes the program.
/// Returns only on failure: 127 for a missing program, else 126; then the status pipe holds
/// "ERRNO what failed". The pipe is closed by a successful exec.
int child_main(int argc, char** argv);

/// The launcher's argv for `spec`.
std::vector<std::string> launcher_argv(const ChildSpec& spec);

}  // namespace musher
