// Events made by hand: `musher emit`, and its rehearsal.
#pragma once

#include <string>

#include "pipelines/run/pipeline.h"

namespace musher {

/// An event of kind `emit`; `file` (absolute, or empty) becomes its body and adds the facts of a
/// hot folder's file. `not_found` or `denied` when the file cannot be read.
Task<Result<Event>> hand_made_event(Loop& loop, std::string file, Json facts);
/// What the event would do: {when, key, steps: [{id, kind, when, options}]}; secrets are ***.
/// Options that need an earlier step's results are shown as written.
Result<Json> rehearse(const Surroundings& around, const Intake& intake, const Program& program,
                      Event event);
/// Replaces what stands as a secret in the file, wherever the rendered value holds it.
void mask_secrets(Json& rendered, const Value& written);
/// Stores the job: {id, accepted}; `accepted` is false when `when` says no. `conflict` when its
/// dedupe value is taken, `unavailable` when the queue is full or away.
Task<Result<Json>> admit_by_hand(Pipeline& pipeline, Event event, Cancel& cancel);

}  // namespace musher
