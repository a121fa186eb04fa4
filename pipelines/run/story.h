// Story: what happened to a job in one attempt, told in lines a person can read.
#pragma once

#include <string>

#include "reactor/base/clock.h"
#include "reactor/base/json.h"

namespace musher {

/// A bounded list of {time, what, step, attempt, took_ms, detail}. Loop thread only.
class Story {
  public:
    Story(const Clock& clock, int attempt) : clock_(clock), attempt_(attempt) {}
    void tell(std::string_view what, const std::string& step, Duration took,
              const std::string& detail);
    const Json& lines() const { return lines_; }
    Json take() { return std::move(lines_); }

  private:
    const Clock& clock_;
    int attempt_;
    Json lines_ = Json::array();
};

}  // namespace musher
