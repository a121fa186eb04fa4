// Terminal: the whole screen, for as long as a verb shows something that changes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "reactor/base/fd.h"
#include "reactor/loop/poll.h"

namespace musher {

struct ScreenSize {
    int columns = 80;
    int rows = 24;
};
/// Of the terminal on stdout; 80×24 when it does not say.
ScreenSize screen_size();

/// Takes /dev/tty: alternate screen, no cursor, keys one by one. Its destructor gives all that
/// back, and so do a crash and release(). One at a time; loop thread only.
class Terminal {
  public:
    /// `on_key` gets each byte that is typed. `usage` when stdout is no terminal.
    static Result<std::unique_ptr<Terminal>> take(Loop& loop, std::function<void(char)> on_key);
    Terminal(const Terminal&) = delete;
    ~Terminal();

    /// Replaces what is shown; `text` has at most as many lines as fit.
    void show(const std::string& text);
    /// As it was before, while the process is stopped (ctrl-Z), and taken again.
    void release();
    void retake();

  private:
    Terminal(Fd keys, std::function<void(char)> on_key)
        : keys_(std::move(keys)), on_key_(std::move(on_key)) {}
    void read_keys();

    Fd keys_;
    std::function<void(char)> on_key_;
    std::unique_ptr<Poll> poll_;
};

}  // namespace musher
