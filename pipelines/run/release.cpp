#include "pipelines/run/release.h"

#include "pipelines/config/catalogue.h"
#include "pipelines/run/settlement.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr std::size_t kPage = 50;

const SourceEntry* source_of(const JobRow& row) {
    const SourceEntry* entry = full_catalogue().find_source(row.job.event.kind);
    return entry && entry->put_back ? entry : nullptr;
}

/// One call of release_waiting.
class Release {
  public:
    Release(JobQueue& queue, PutBack put_back) : queue_(queue), put_back_(std::move(put_back)) {}
    /// What a process held that was killed waits again.
    Task<Result<void>> free_lost(Cancel& cancel);
    /// All jobs of one state: those withdrawn earlier (cancelled), then those that wait.
    Task<Result<void>> all(JobState state, Cancel& cancel);

    Released told;

  private:
    Task<Result<void>> page(std::vector<JobRow> rows, Cancel& cancel);
    Task<Result<void>> finish(std::vector<JobRow> withdrawn, Cancel& cancel);

    JobQueue& queue_;
    PutBack put_back_;
};

Task<Result<void>> Release::free_lost(Cancel& cancel) {
    MUSHER_CO_TRY(Reaped reaped, co_await queue_.reap(cancel));
    if (reaped.ended.empty()) co_return Result<void>();
    std::vector<Settlement> cancelled;
    for (JobRow& row : reaped.ended) cancelled.push_back(settlement_of(std::move(row)));
    co_return co_await put_back_(std::move(cancelled));
}

Task<Result<void>> Release::all(JobState state, Cancel& cancel) {
    JobFilter filter;
    filter.state = state;
    filter.limit = kPage;
    do {
        MUSHER_CO_TRY(JobPage found, co_await queue_.list(filter, cancel));
        filter.after = std::move(found.next);
        MUSHER_CO_DO(co_await page(std::move(found.items), cancel));
    } while (!filter.after.empty());
    co_return Result<void>();
}

Task<Result<void>> Release::page(std::vector<JobRow> rows, Cancel& cancel) {
    std::vector<JobRow> withdrawn;
    for (JobRow& row : rows) {
        if (is_released(row)) {
            withdrawn.push_back(std::move(row));
        } else if (row.state == JobState::cancelled) {
            continue;
        } else if (!source_of(row)) {
            ++told.kept;
        } else {
            const Result<JobState> now = co_await queue_.withdraw(row.job.id, cancel);
            if (!now && now.error().code == Errc::not_found) continue;
            if (!now) co_return fail(now.error());
            if (*now == JobState::cancelled) withdrawn.push_back(std::move(row));
        }
    }
    co_return co_await finish(std::move(withdrawn), cancel);
}

Task<Result<void>> Release::finish(std::vector<JobRow> withdrawn, Cancel& cancel) {
    if (withdrawn.empty()) co_return Result<void>();
    std::vector<std::string> ids;
    std::vector<Settlement> settled;
    for (JobRow& row : withdrawn) {
        ids.push_back(row.job.id);
        Settlement one;
        one.outcome = Outcome::released;
        one.event = std::move(row.job.event);
        settled.push_back(std::move(one));
    }
    MUSHER_CO_DO(co_await put_back_(std::move(settled)));
    for (const std::string& id : ids) {
        MUSHER_CO_DO(co_await queue_.forget(id, cancel));
        ++told.released;
    }
    co_return Result<void>();
}
}  // namespace

Json to_json(const std::string& pipeline, const Released& told) {
    return Json{{"pipeline", pipeline}, {"released", told.released}, {"kept", told.kept}};
}

Task<Result<Released>> release_waiting(JobQueue& queue, PutBack put_back, Cancel& cancel) {
    Release release(queue, std::move(put_back));
    MUSHER_CO_DO(co_await release.free_lost(cancel));
    MUSHER_CO_DO(co_await release.all(JobState::cancelled, cancel));
    MUSHER_CO_DO(co_await release.all(JobState::waiting, cancel));
    MUSHER_CO_DO(co_await release.all(JobState::delayed, cancel));
    co_return release.told;
}

Task<Result<void>> give_back_waiting(JobQueue& queue, Source& source, Cancel& cancel) {
    std::vector<Settlement> released;
    for (const JobState state : {JobState::waiting, JobState::delayed}) {
        JobFilter filter;
        filter.state = state;
        do {
            MUSHER_CO_TRY(JobPage found, co_await queue.list(filter, cancel));
            filter.after = std::move(found.next);
            for (JobRow& row : found.items) {
                // An on_failure job stands for one that has failed: not to be run by another.
                if (row.job.on_failure) continue;
                Settlement& one = released.emplace_back();
                one.outcome = Outcome::released;
                one.event = std::move(row.job.event);
            }
        } while (!filter.after.empty());
    }
    co_return co_await source.settle(released, cancel);
}

Task<Result<void>> put_back_orphans(Loop& loop, std::vector<Settlement> released) {
    for (const SourceEntry& entry : full_catalogue().sources) {
        std::vector<Settlement> own;
        for (const Settlement& one : released) {
            if (entry.put_back && one.event.kind == entry.spec.name) own.push_back(one);
        }
        if (own.empty()) continue;
        auto work = [&] { return entry.put_back(own); };
        MUSHER_CO_DO(co_await offload(loop, work));
    }
    co_return Result<void>();
}

}  // namespace musher
