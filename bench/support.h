// What the benches share: machine facts, medians, tables, goals, and programs beside ours.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "reactor/base/fd.h"
#include "reactor/base/json.h"

namespace musher::bench {

struct Options {
    int runs = 5;  // interleaved; every figure is their median
    bool quick = false;
};
/// `--quick`: 2 runs, and less of everything. Ends the program (2) at any other word.
Options read_options(int argc, char** argv);

/// Prints what the figures depend on: machine, kernel, load, musher's commit, and `facts`.
void print_machine(const std::string& title, const std::vector<std::string>& facts);
/// The first line that `argv` prints, or the last on stderr; "not installed" when it cannot run.
std::string version_of(const std::vector<std::string>& argv);
/// Processor time of this process and of its ended children.
double cpu_seconds();
/// Where the tree lies (bench/peers is under it), and where this program and its siblings lie.
std::string source_path(const std::string& path);
std::string program_path(const std::string& name);

/// The samples of one figure; no samples: it was not measured.
class Figure {
  public:
    void add(double sample) { samples_.push_back(sample); }
    bool known() const { return !samples_.empty(); }
    double median() const;
    /// "12,345", "0.123" or "-"; a ratio "x4.2".
    std::string text() const;
    std::string ratio_to(const Figure& other) const;

  private:
    std::vector<double> samples_;
};
std::string number(double value);

/// The first row is the head; columns are as wide as they need.
void print_table(const std::vector<std::vector<std::string>>& rows);

enum class Want { at_least, at_most };
/// "goal: enqueue / BullMQ addBulk: 5.2, at least 4: met".
void print_goal(const std::string& what, const Figure& figure, Want want, double bound);
void print_goal(const std::string& what, double value, Want want, double bound);

/// A program beside ours; its stdout is read by lines, its stderr goes to a file. Dies with us.
class Program {
  public:
    explicit Program(const std::vector<std::string>& argv);
    Program(const Program&) = delete;
    ~Program();  // kills its whole group
    pid_t pid() const { return pid_; }
    /// The next line; nothing after `timeout_s`, or when stdout is at its end.
    std::optional<std::string> line(double timeout_s);
    void kill();
    /// Its exit status; kills it after `timeout_s`.
    int wait(double timeout_s);
    /// The last line of its stderr.
    std::string complaint() const;

  private:
    pid_t pid_ = -1;
    Fd out_;
    Fd errors_;
    std::string read_;
};
/// Runs it to its end; the JSON of its last line, or null after a message on stderr.
Json run_json(const std::vector<std::string>& argv, double timeout_s);

}  // namespace musher::bench
