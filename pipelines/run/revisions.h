// Revisions: the last texts of each pipeline's file that ran, in <state>/revisions/PIPELINE/.
#pragma once

#include <map>
#include <string>

#include "pipelines/config/pipeline_file.h"

namespace musher {

/// Blocking: pool threads, one record() at a time. A file is whole or not there (AtomicFile), 0600.
class Revisions {
  public:
    static constexpr std::size_t kKept = 10;

    /// `folder`: <state>/revisions; made when needed.
    explicit Revisions(std::string folder) : folder_(std::move(folder)) {}

    /// The number of `text`: that of the newest one if it is the same, else the next; then it is on
    /// disk and the oldest are removed. kill -9 before that: the next start counts it.
    Result<int> record(const std::string& pipeline, const std::string& text);
    /// Of the text that ran last; 0: none is known.
    int newest(const std::string& pipeline) const;
    /// Number → file, of those that are kept.
    Result<std::map<int, std::string>> list(const std::string& pipeline) const;
    /// `not_found` with the numbers that there are.
    Result<std::string> read(const std::string& pipeline, int number) const;

  private:
    std::string folder_;
};

/// Puts the text of revision `number` into `config`'s file, links followed, with its mode and
/// owner; 0: that of `running` when the file holds another text, else of the one before it.
/// Returns its number. Blocking: pool threads.
Result<int> roll_back(const Revisions& revisions, const PipelineConfig& config, int running,
                      int number);

}  // namespace musher
