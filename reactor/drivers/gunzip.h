// Gunzip: what was in a gzip stream, a piece at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "reactor/base/error.h"

namespace musher {

/// One stream, or several that follow each other. After an error it is only destroyed. From one
/// thread at a time.
class Gunzip {
  public:
    Gunzip();
    Gunzip(Gunzip&&) noexcept;
    ~Gunzip();

    /// Appends to `plain` what `packed` holds, at most `room` bytes, and takes from the front of
    /// `packed` what it has read. True: call again, there is more. `failed`: the stream is damaged.
    Result<bool> unpack(std::string_view& packed, std::string& plain, std::size_t room);
    /// What was given ended where a stream ends. Nothing at all is no stream.
    bool whole() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace musher
