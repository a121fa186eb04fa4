// One case of a pipeline file's `tests:`, checked.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reactor/base/clock.h"
#include "reactor/component/value.h"

namespace musher {

/// What a simulated step answers.
struct TestAnswer {
    int times = 0;  // calls that it serves; 0: all that follow
    std::optional<Error> failure;
    Json returns = Json::object();       // the step's fields, over their samples
    std::optional<std::string> content;  // the body's from then on
    Duration takes{0};
    bool real = false;  // the step acts as it would in earnest
};

struct TestCase {
    std::string name;
    Position at;
    Json event = Json::object();         // facts, over the source's sample
    std::string file;                    // the job's, an absolute path; empty: none is named
    std::optional<std::string> content;  // the job's file's
    Json vars = Json::object();          // over those of musher.yml
    Json environment = Json::object();
    std::optional<std::int64_t> at_ms;                       // wall clock of the event
    std::map<std::string, std::vector<TestAnswer>> answers;  // by step, in turn
    Value expect;                                            // a map of expect_table()
    std::string golden;                                      // an absolute path; empty: none
    Position golden_at;
};

}  // namespace musher
