#include "sources/lease_probe.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>

namespace musher::hotfolder {

ReadLease::ReadLease(int fd) : fd_(fd), answer_(LeaseAnswer::held) {
    // A break is told by SIGIO, which kills by default; SIGURG is ignored by default.
    ::fcntl(fd, F_SETSIG, SIGURG);
    if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) return;
    answer_ = errno == EAGAIN || errno == EBUSY ? LeaseAnswer::writers : LeaseAnswer::refused;
}

ReadLease::~ReadLease() {
    if (answer_ == LeaseAnswer::held) ::fcntl(fd_, F_SETLEASE, F_UNLCK);
}

bool ReadLease::unbroken() const {
    // While a break is pending the kernel already shows the type that it will become.
    return answer_ == LeaseAnswer::held && ::fcntl(fd_, F_GETLEASE) == F_RDLCK;
}

}  // namespace musher::hotfolder
