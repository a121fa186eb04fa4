// What steps do with a job's body, as far as their options tell before any job runs.
#pragma once

#include "pipelines/config/pipeline_file.h"

namespace musher {

/// The body at one point of a pipeline's way.
struct BodyState {
    bool folder = false;  // of unit: folder; no step has put a file in its place
    bool sha256 = false;  // some step has computed its digest
};

/// As a job brings it along.
BodyState first_body(const PipelineConfig& pipeline);
/// Whether the step reads a file's bytes, which a folder does not have.
bool reads_body(const StepConfig& step);
/// Behind the step, which is no control step; it may be passed over if it has a `when`.
BodyState body_behind(const StepConfig& step, BodyState before);
/// Where one of two ways was taken: what may be known is not denied.
BodyState either(BodyState one, BodyState other);

}  // namespace musher
