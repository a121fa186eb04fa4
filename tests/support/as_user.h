// Runs a piece of a test as another user, with or without CAP_LEASE.
#pragma once

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "reactor/base/check.h"

namespace musher::test {

inline constexpr unsigned kMusherUser = 4001;  // who musher runs as
inline constexpr unsigned kUploadUser = 4002;  // who drops files

inline bool is_root() { return ::geteuid() == 0; }

/// Becomes `user`; of all capabilities only CAP_LEASE stays, and only when wanted.
inline void become(unsigned user, bool may_lease) {
    MUSHER_CHECK(::prctl(PR_SET_KEEPCAPS, may_lease ? 1 : 0, 0, 0, 0) == 0);
    MUSHER_CHECK(::syscall(SYS_setgroups, 0, nullptr) == 0);
    MUSHER_CHECK(::setgid(user) == 0 && ::setuid(user) == 0);
    if (!may_lease) return;
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    data[0].effective = data[0].permitted = 1u << CAP_LEASE;
    MUSHER_CHECK(::syscall(SYS_capset, &header, data) == 0);
}

/// True when `body()` (bool) held in a forked child of that user. Only before any thread exists.
template <class F>
bool holds_as(unsigned user, bool may_lease, F body) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    MUSHER_CHECK(child >= 0);
    if (child == 0) {
        become(user, may_lease);
        const bool held = body();
        std::fflush(nullptr);
        ::_exit(held ? 0 : 1);
    }
    int status = 0;
    MUSHER_CHECK(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace musher::test
