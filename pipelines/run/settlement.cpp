#include "pipelines/run/settlement.h"

#include "pipelines/queue/job_records.h"
#include "reactor/base/uuid.h"

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
    ended.report = Json{{"error", row.error}, {"job", row.to_json(false)}, {"story", row.story}};
    ended.event = std::move(row.job.event);
    return ended;
}

std::string on_failure_id(const std::string& job) { return uuid_of(job + "/on_failure"); }

Task<Result<std::vector<Presence>>> find_originals(JobQueue& queue, std::vector<std::string> ids,
                                                   Cancel& cancel) {
    MUSHER_CO_TRY(std::vector<Presence> known, co_await queue.find(ids, cancel));
    std::vector<std::string> alarms;
    std::vector<std::size_t> dead;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (known[i] != Presence::dead) continue;
        dead.push_back(i);
        alarms.push_back(on_failure_id(ids[i]));
    }
    if (dead.empty()) co_return known;
    MUSHER_CO_TRY(const std::vector<Presence> ringing, co_await queue.find(alarms, cancel));
    for (std::size_t i = 0; i < dead.size(); ++i) {
        if (ringing[i] == Presence::live) known[dead[i]] = Presence::live;
    }
    co_return known;
}

}  // namespace musher
