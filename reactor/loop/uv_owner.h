// A libuv handle whose memory lives until its close callback, whoever drops it first.
#pragma once

#include <uv.h>

#include <memory>
#include <utility>

namespace musher {

/// Owns a heap-allocated `Handle` (uv_timer_t, uv_poll_t, …). `handle->data` is the user's.
/// Dropping it closes the handle; the loop frees it on its next turn. Loop thread only.
template <class Handle>
class UvOwner {
  public:
    UvOwner() : handle_(new Handle{}) {}
    UvOwner(UvOwner&& other) noexcept
        : handle_(std::exchange(other.handle_, nullptr)),
          open_(std::exchange(other.open_, false)) {}
    UvOwner& operator=(UvOwner&& other) noexcept {
        std::swap(handle_, other.handle_);
        std::swap(open_, other.open_);
        return *this;
    }
    ~UvOwner() { close(); }

    Handle* get() const { return handle_; }
    Handle* operator->() const { return handle_; }
    /// Call after uv_*_init succeeded: from then on uv_close is due.
    void opened() { open_ = true; }
    bool is_open() const { return open_; }
    void close() {
        if (!handle_) return;
        Handle* handle = std::exchange(handle_, nullptr);
        if (!std::exchange(open_, false)) {
            delete handle;
            return;
        }
        handle->data = nullptr;
        uv_close(reinterpret_cast<uv_handle_t*>(handle),
                 [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
    }

  private:
    Handle* handle_;
    bool open_ = false;
};

}  // namespace musher
