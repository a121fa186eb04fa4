// Filter: one transformation of a stream of bytes, a slice at a time, on a pool thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reactor/base/bytes.h"
#include "reactor/base/json.h"

namespace musher {

/// Used by one Chain, from one pool thread at a time. After an error it is only destroyed.
class Filter {
  public:
    virtual ~Filter() = default;
    virtual std::string_view name() const = 0;
    /// Takes all of `input` and/or gives output into `out` (appends at out.tail(), at most
    /// out.room()). Advances `input` past what was taken; it may take nothing while it still has
    /// output to give. Call again while input is left or more_output() is true.
    virtual Result<void> push(ByteView& input, Slice& out) = 0;
    /// No more input follows. Appends the rest to `out`; call again until it returns true.
    virtual Result<bool> finish(Slice& out) = 0;
    virtual bool more_output() const { return false; }
    /// After finish(): what the step's outputs show (digest, sizes). Empty by default.
    virtual Json result() const { return Json::object(); }

    /// Whether its error ended the pass, as the Chain has seen.
    bool failed() const { return failed_; }
    void mark_failed() { failed_ = true; }

  private:
    bool failed_ = false;
};

}  // namespace musher
