// ReadLease: the kernel's own proof that nobody has a file open for writing.
#pragma once

namespace musher::hotfolder {

enum class LeaseAnswer {
    held,     // nobody writes, and whoever wants to is made to wait until it is dropped
    writers,  // open for writing, or mapped shared and writable, somewhere on this host
    refused,  // another's file without CAP_LEASE, or a file system without leases
};

/// Takes a read lease on `fd` (open for reading only) and drops it when destroyed: writers that
/// come meanwhile wait, so hold it for one rename and no longer. Pool threads.
class ReadLease {
  public:
    explicit ReadLease(int fd);
    ReadLease(const ReadLease&) = delete;
    ~ReadLease();

    LeaseAnswer answer() const { return answer_; }
    /// Still held, and nobody waits to write.
    bool unbroken() const;

  private:
    int fd_;
    LeaseAnswer answer_;
};

}  // namespace musher::hotfolder
