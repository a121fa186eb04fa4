// Child processes: confined, supervised, always waited for.
//
// Every child starts through `/proc/self/exe child …` (child_launcher.h), because libuv sets
// neither a death signal nor limits. It leads a process group of its own; what is left of the
// group when it ends is killed.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "reactor/base/fd.h"
#include "reactor/loop/child_spec.h"
#include "reactor/loop/loop.h"
#include "reactor/loop/poll.h"

namespace musher {

/// A process that runs until it ends or is stopped. Must have ended when destroyed. Start it on
/// the main thread: the death signal comes when the starting thread ends. Loop thread only.
class Child {
  public:
    /// Returns when the program itself runs. `not_found` or `denied` naming the program, the
    /// working directory or the file that could not be had; nothing is left behind then.
    static Task<Result<std::unique_ptr<Child>>> start(Loop& loop, const ChildSpec& spec,
                                                      Cancel& cancel);
    Child(const Child&) = delete;
    ~Child();

    pid_t pid() const { return pid_; }
    bool ended() const { return ended_; }
    /// To the whole group; nothing once it has ended.
    void signal(int number);
    /// Until it has ended; a Cancel ends only the wait.
    Task<Result<void>> wait(Cancel& cancel);
    /// TERM, `grace`, KILL; returns when it has ended. May be called at any time.
    Task<void> stop();
    /// How it ended, with the output; once, after it has ended.
    ChildExit take_exit();

  private:
    struct Capture {
        Fd fd;
        std::optional<Poll> poll;
        std::size_t limit = 0;
        bool last = false;
        std::string text;
        bool truncated = false;
    };
    Child(Loop& loop, Duration grace);
    Result<Fd> spawn(const ChildSpec& spec);
    Result<void> watch(Capture& capture, const ChildOutput& output, Fd& child_end);
    Task<Result<void>> started(Fd status);
    void on_exit(std::int64_t code, int number);
    static void drain(Capture& capture);
    static void keep(Capture& capture, std::string_view bytes);

    Loop& loop_;
    Duration grace_;
    UvOwner<uv_process_t> process_;
    Capture out_, err_;
    pid_t pid_ = 0;
    Instant began_;
    bool ended_ = false;
    ChildExit exit_;
    Waiters waiters_;
};

/// Runs a program to its end. A nonzero exit, a signal and the spec's timeout are ChildExits; an
/// Error is what kept it from starting, or the Cancel's reason after the group was ended.
Task<Result<ChildExit>> run_child(Loop& loop, const ChildSpec& spec, Cancel& cancel);

}  // namespace musher
