// Teletype: a terminal that shows each job's story as it happens, with nobody logged in there.
#pragma once

#include <optional>
#include <string>

#include "reactor/base/fd.h"
#include "reactor/loop/poll.h"

namespace musher {

/// Never waits for the terminal: one that is stopped (ctrl-S), slow or gone costs lines, which are
/// counted and told, and no job's time. Loop thread only.
class Teletype {
  public:
    explicit Teletype(Loop& loop) : loop_(loop) {}

    /// Shows from now on at `path`, nowhere for "". On error it tries again before later lines, at
    /// most every 10 s; `usage` for what is no terminal.
    Result<void> open(const std::string& path);

    /// One line of what `who` tells; under a heading of its own when another spoke before. What a
    /// terminal would obey is shown as '?'.
    void tell(const std::string& who, const std::string& heading, std::string_view line);
    bool on() const { return !path_.empty(); }

  private:
    Result<void> connect();
    void send();
    void hang_up(const std::string& why);

    Loop& loop_;
    std::string path_;
    Fd terminal_;
    std::optional<Poll> room_;  // waits for it; dropped before terminal_
    Instant retry_at_;
    std::string waiting_;   // bytes, at most kWaiting
    std::size_t lost_ = 0;  // lines that did not fit
    std::string speaker_;
};

}  // namespace musher
