#include "pipelines/run/tally.h"

#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::size_t kMost = 1024;  // bytes of a name or reason; `jobs show` has the rest

/// The first bytes of it, no character of UTF-8 cut in two.
std::string_view beginning(std::string_view text) {
    std::size_t end = std::min(text.size(), kMost);
    const auto inside = [&] { return (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80; };
    for (int bytes = 0; bytes < 3 && end > 0 && end < text.size() && inside(); ++bytes) --end;
    return text.substr(0, end);
}

void cut_into(std::string& slot, const std::string& text) { slot = beginning(text); }
}  // namespace

Happening& Tally::tell_job(std::string_view state, const std::string& id, const Event& event,
                           int attempt) {
    Happening& told = ring_.add(Happening::Kind::job, state, pipeline_);
    told.job = id;
    told.attempt = attempt;
    const auto name = event.facts->find("name");
    if (name != event.facts->end() && name->is_string()) {
        // An event by hand may have a name of a MiB; its first bytes are as good to escape.
        const std::string& whole = name->get_ref<const std::string&>();
        cut_into(told.name, escape_name(beginning(whole)));
    }
    return told;
}

void Tally::put(const Job& job, PutCode code) {
    if (code == PutCode::full) return;  // it is tried again
    if (code != PutCode::accepted) {
        ++counts_.duplicates;
        return;
    }
    ++counts_.accepted;
    if (ring_.deaf()) return;
    tell_job(state_name(job.due_ms > 0 ? JobState::delayed : JobState::waiting), job.id, job.event,
             0);
}

void Tally::started(const Claim& claim) {
    if (claim.attempt == 1) {
        const std::int64_t waited = clock_.wall_ms() - claim.job.created_ms;
        counts_.wait.add(milliseconds(std::max<std::int64_t>(waited, 0)));
    }
    if (ring_.deaf()) return;
    tell_job(state_name(JobState::running), claim.job.id, claim.job.event, claim.attempt);
}

void Tally::done(const std::string& id, int attempt, const Event& event) {
    ++counts_.done;
    if (!ring_.deaf()) tell_job(state_name(JobState::done), id, event, attempt);
}

void Tally::delayed(const Claim& claim, bool spends_try, const std::string& step,
                    const Error& why) {
    counts_.retried += spends_try ? 1 : 0;
    if (ring_.deaf()) return;
    Happening& told =
        tell_job(state_name(JobState::delayed), claim.job.id, claim.job.event, claim.attempt);
    told.step = step;
    cut_into(told.reason, why.text());
}

void Tally::released(const Claim& claim) {
    if (ring_.deaf()) return;
    tell_job(state_name(JobState::waiting), claim.job.id, claim.job.event, claim.attempt);
}

void Tally::ended(const Job& job, int attempt, JobState state, const std::string& step,
                  const std::string& why) {
    ++(state == JobState::cancelled ? counts_.cancelled : counts_.dead);
    if (ring_.deaf()) return;
    Happening& told = tell_job(state_name(state), job.id, job.event, attempt);
    told.step = step;
    cut_into(told.reason, why);
}

void Tally::replayed(const Job& job) {
    if (!ring_.deaf()) tell_job(state_name(JobState::waiting), job.id, job.event, 0);
}

void Tally::held(const std::string& sink, const std::string& why) {
    ++counts_.holds;
    if (ring_.deaf()) return;
    Happening& told = ring_.add(Happening::Kind::pipeline, "held", pipeline_);
    told.step = sink;
    cut_into(told.reason, why);
}

void Tally::recovered(const std::string& sink) {
    if (!ring_.deaf()) ring_.add(Happening::Kind::pipeline, "recovered", pipeline_).step = sink;
}

void Tally::paused(bool paused) {
    if (ring_.deaf()) return;
    ring_.add(Happening::Kind::pipeline, paused ? "paused" : "resumed", pipeline_);
}

}  // namespace musher
