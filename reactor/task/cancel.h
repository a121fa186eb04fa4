// Cancel: the only way to stop work. It destroys nothing; every awaiter ends with its reason.
#pragma once

#include <functional>
#include <list>
#include <string>

#include "reactor/base/error.h"

namespace musher {

/// Loop thread only. A child is requested when its parent is; outlives all that wait on it.
class Cancel {
  public:
    Cancel() = default;
    explicit Cancel(Cancel& parent);
    Cancel(const Cancel&) = delete;
    ~Cancel();

    /// The first reason stays. Runs the hooks now; they only post to a ready list.
    void request(Errc reason = Errc::cancelled, std::string message = "cancelled");
    bool requested() const { return requested_; }
    /// The reason as an error; only when requested.
    const Error& error() const;

  private:
    friend class CancelHook;
    using Hooks = std::list<std::function<void()>>;
    Hooks hooks_;
    bool requested_ = false;
    Error reason_;
    Cancel* parent_ = nullptr;
    Hooks::iterator in_parent_;
};

/// A callback on a Cancel, detached by its destructor.
class CancelHook {
  public:
    CancelHook() = default;
    CancelHook(const CancelHook&) = delete;
    ~CancelHook() { detach(); }
    /// Runs `run` once, when `cancel` is requested; at once if it already is.
    void attach(Cancel& cancel, std::function<void()> run);
    void detach();

  private:
    Cancel* cancel_ = nullptr;
    Cancel::Hooks::iterator place_;
};

}  // namespace musher
