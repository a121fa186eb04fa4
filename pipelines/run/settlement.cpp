#include "pipelines/run/settlement.h"

#include "pipelines/queue/job_records.h"

namespace musher {

bool is_released(const JobRow& row) {
    return row.state == JobState::cancelled && !row.story.empty() &&
           text_in(row.story.back(), "what") == kReleased;
}

Settlement settlement_of(JobRow row) {
    Settlement ended;
    ended.outcome = Outcome::dead;
    if (row.state == JobState::done) ended.outcome = Outcome::done;
    if (row.state == JobState::cancelled) ended.outcome = Outcome::cancelled;
    if (is_released(row)) ended.outcome = Outcome::released;
    if (row.error.is_object()) ended.error = error_from_json(row.error);
    if (ended.outcome != Outcome::done) {
        ended.report =
            Json{{"error", row.error}, {"job", row.to_json(false)}, {"story", row.story}};
    }
    ended.event = std::move(row.job.event);
    return ended;
}

}  // namespace musher
