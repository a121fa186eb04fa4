#include "pipelines/run/track.h"

namespace musher {

namespace {
Json job_view(const Claim& claim) {
    Json job{{"id", claim.job.id},
             {"attempt", claim.attempt},
             {"pipeline", claim.job.pipeline},
             {"error", nullptr}};
    if (!claim.job.on_failure) return job;
    job["error"] = claim.job.failed.value("error", Json::object()).value("message", "");
    job["failed"] = claim.job.failed;
    return job;
}

Body first_body(const Event& event) {
    return Body{event.file, size_in(event.facts, "size"), "", identity_of(event.facts)};
}
}  // namespace

Track::Track(const Surroundings& surroundings, const Claim& claim)
    : around(surroundings),
      body(first_body(claim.job.event)),
      view(make_bindings(around, claim.job.event, job_view(claim), Json::object(), body)) {}

Track::Track(const Track& from, Pin* around_it)
    : around(from.around),
      body(from.body),
      view(from.view),
      prefix(from.prefix),
      scratch(from.scratch),
      pin(around_it),
      again(from.again) {
    MUSHER_CHECK(from.pending.empty());
}

const Bindings& Track::look() {
    view["body"] = body_view(body);
    view["now"] = format_time(around.loop.clock().wall_ms());
    return view;
}

void Track::forget(const std::vector<ProgramStep>& steps) {
    for (const ProgramStep& step : steps) {
        outputs().erase(step.config->id);
        for (const ProgramBranch& branch : step.branches) forget(branch.steps);
    }
}

std::vector<std::unique_ptr<Filter>> Track::take_filters(std::vector<std::string>& ids) {
    std::vector<std::unique_ptr<Filter>> filters;
    for (Pending& one : pending) {
        ids.push_back(one.step->config->id);
        filters.push_back(std::move(one.filter));
    }
    pending.clear();
    return filters;
}

void Track::note_filters(const std::vector<std::string>& ids,
                         const std::vector<std::unique_ptr<Filter>>& filters) {
    for (std::size_t i = 0; i < filters.size(); ++i) outputs()[ids[i]] = filters[i]->result();
}

}  // namespace musher
