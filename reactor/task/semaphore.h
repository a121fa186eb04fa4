// A counting semaphore for coroutines.
#pragma once

#include <cstddef>

#include "reactor/task/task.h"
#include "reactor/task/waiters.h"

namespace musher {

/// First come, first served. Loop thread only.
class Semaphore {
  public:
    Semaphore(ReadyList& ready, std::size_t units) : units_(units), waiters_(ready) {}

    /// A unit, given back by its destructor. Must not outlive the semaphore.
    class Permit {
      public:
        Permit() = default;
        explicit Permit(Semaphore& owner) : owner_(&owner) {}
        Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
        Permit& operator=(Permit&& other) noexcept {
            std::swap(owner_, other.owner_);
            return *this;
        }
        ~Permit() {
            if (owner_) owner_->release();
        }

      private:
        Semaphore* owner_ = nullptr;
    };

    Task<Result<Permit>> acquire(Cancel& cancel);
    std::size_t available() const { return units_; }
    bool contended() const { return !waiters_.empty(); }

  private:
    void release();
    std::size_t units_;
    Waiters waiters_;
};

}  // namespace musher
