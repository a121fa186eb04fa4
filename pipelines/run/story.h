// Story: what happened to a job in one attempt, told in lines a person can read.
#pragma once

#include <string>

#include "pipelines/queue/job.h"
#include "pipelines/run/surroundings.h"
#include "reactor/base/json.h"

namespace musher {

/// A bounded list of {time, what, step, attempt, took_ms, detail}, shown on the terminal of
/// `log.tty` meanwhile. Loop thread only; outlived by what it is made of.
class Story {
  public:
    Story(const Surroundings& around, const Claim& claim) : around_(around), claim_(claim) {}
    /// For the terminal alone: a step begins.
    void begin(const std::string& step);
    void tell(std::string_view what, const std::string& step, Duration took,
              const std::string& detail);
    /// For the terminal alone: what became of the job.
    static void close(const Surroundings& around, const Claim& claim, std::string_view end);
    const Json& lines() const { return lines_; }
    Json take() { return std::move(lines_); }

  private:
    const Surroundings& around_;
    const Claim& claim_;
    Json lines_ = Json::array();
    std::string begun_;  // the step that the terminal shows
};

}  // namespace musher
