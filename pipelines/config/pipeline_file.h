// One pipeline file, checked against every table: what `run`, `check` and `explain` share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipelines/config/test_case.h"
#include "reactor/component/connections.h"
#include "reactor/component/schema.h"
#include "reactor/component/source.h"
#include "reactor/component/step.h"

namespace musher {

struct StepBranch;

struct StepConfig {
    std::string kind;  // xz_compress, directory, …
    std::string id;    // given, or kind, or kind-2, … unique in the file
    const StepEntry* entry = nullptr;
    bool sink = false;
    Value options;                     // a map; positions are the file's
    std::optional<Value> when;         // bare expression
    Duration timeout{0};               // 0: none
    Position at;                       // of the kind
    Position id_at;                    // of an id that was given
    std::vector<StepBranch> branches;  // of control steps: the steps inside, in the file's order
};

/// Steps inside a step: one per item of `cases` and `branches`, one for a list of `steps`.
struct StepBranch {
    std::string option;         // cases, default, steps, rescue, …
    std::optional<Value> when;  // of a case
    std::vector<StepConfig> steps;
};

struct LimitsConfig {
    int parallel = 4;
    int attempts = 5;
    Duration backoff_from = std::chrono::seconds(1);
    Duration backoff_to = std::chrono::minutes(5);
    Duration timeout{0};
    int waiting = 1000;
    int rate = 0;  // jobs started per second; 0: no limit
};

struct PipelineConfig {
    std::string name;
    Position name_at;    // of its name; where the file begins when that is the file's
    std::string file;    // absolute path
    std::string shown;   // the same as people wrote it, as in Problems
    std::string folder;  // of the file
    std::string text;    // the file's content, for revisions
    std::string description;
    std::string source_kind;
    const SourceEntry* source = nullptr;
    Value source_options;
    Connections connections;  // that the source names, as musher.yml had them
    std::optional<Value> when, key, dedupe;  // bare / ${…} / bare
    std::vector<StepConfig> steps, on_failure;
    LimitsConfig limits;
    bool direct = false;  // via: direct
    std::string queue;    // a redis connection's name; empty: the default queue
    int priority = 0;
    std::vector<TestCase> tests;  // for `musher test`
};

}  // namespace musher
