// A real `musher run` in a folder of its own, as a user starts it.
#pragma once

#include <memory>

#include "bench/support.h"
#include "tests/support/temp_dir.h"

namespace musher::bench {

/// What /proc says of one process, over all of its threads.
struct Usage {
    double rss_mib = 0, peak_mib = 0;
    double switches = 0;  // voluntary and not, since the start
};
Usage usage_of(pid_t pid);
/// Processor time of a process and of its ended children; 0 when it is gone.
double processor_s(pid_t pid);

class RunningMusher {
  public:
    /// `more` is appended to musher.yml, whose log goes to stderr; `pipelines` are name → YAML, in
    /// pipelines/, so that a folder NAME of ours is ../NAME there. Does not start it yet.
    RunningMusher(const std::string& more, const std::map<std::string, std::string>& pipelines);
    /// Returns once it is ready; aborts with its log when it is not within a minute.
    void start();
    /// SIGTERM; its exit status.
    int stop();

    std::string operator/(const std::string& name) const { return *dir_ / name; }
    /// A line of its log; nothing after `timeout_s`.
    std::optional<std::string> line(double timeout_s) { return program_->line(timeout_s); }
    pid_t pid() const { return program_->pid(); }
    /// Its private redis-server.
    pid_t redis_pid() const { return redis_pid_; }

  private:
    std::unique_ptr<test::TempDir> dir_;
    std::unique_ptr<Program> program_;
    pid_t redis_pid_ = 0;
};

}  // namespace musher::bench
