#include "pipelines/run/job_runner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "reactor/filters/chain.h"
#include "reactor/loop/offload.h"

namespace musher {

JobRunner::JobRunner(const Surroundings& around, const Program& program, JobQueue& queue,
                     const Claim& claim, Cancel& cancel, Stop stop, Json& progress)
    : around_(around),
      program_(program),
      claim_(claim),
      cancel_(cancel),
      stop_(stop),
      progress_(progress),
      story_(around, claim),
      receipts_(around.loop, queue, claim, stop.over),
      // Of this attempt alone: one whose lease ran out may still be on its way to its end.
      scratch_(fmt::format("{}/{}.{}", around.scratch_root, claim.job.id, claim.attempt)) {}

Task<RunReport> JobRunner::run() {
    RunReport report;
    Track track(around_, claim_);
    track.scratch = scratch_;
    report.outcome = co_await run_job(track);
    if (!report.outcome) {
        const Blame blame = track.blame.value_or(Blame());
        report.failed_step = blame.place;
        report.broken_sink = blame.sink;
        report.left = blame.left;
        story_.tell("failed", blame.place, blame.took, report.outcome.error().text());
    }
    if (!scratch_made_.empty()) co_await remove_scratch(scratch_);
    report.story = story_.take();
    report.passed_sinks = std::move(passed_sinks_);
    co_return report;
}

Task<Result<void>> JobRunner::run_job(Track& track) {
    // Intake could not evaluate `when`, `key` or `dedupe`: the item's fault, told here.
    if (!claim_.job.on_failure && claim_.job.failed.is_object()) {
        co_return fail(error_from_json(claim_.job.failed));
    }
    co_return co_await run_list(track, program_.steps(claim_.job.on_failure), Rest::flush, cancel_);
}

Task<Result<void>> JobRunner::run_list(Track& track, const Steps& steps, Rest rest,
                                       Cancel& cancel) {
    for (const ProgramStep& step : steps) {
        const Instant began = around_.loop.clock().now();
        Result<void> done = co_await run_step(track, step, cancel);
        // A filter that nobody read from may still be there to prove something: unseal, xz_expand.
        const bool last = rest == Rest::flush && &step == &steps.back();
        if (done && last && !track.pending.empty()) done = co_await materialize(track, cancel);
        if (done) continue;
        co_await lay_blame(track, step, began, done.error());
        co_return done;
    }
    co_return Result<void>();
}

Task<Result<void>> JobRunner::run_step(Track& track, const ProgramStep& step, Cancel& cancel) {
    track.place = track.prefix + step.config->id;
    track.part = step.reaches_out() ? Track::Part::outside : Track::Part::step;
    if (cancel.requested()) co_return fail(cancel.error());
    const bool control = step.control() != Control::none;
    if (const Json* receipt = receipts_.find(track.place); receipt && !control) {
        track.outputs()[step.config->id] = *receipt;
        track.receipts.push_back(*receipt);
        tell(track, "skipped", Duration(0), "done in an earlier attempt");
        co_return Result<void>();
    }
    // A branch that fails does not cut off a neighbour's sink, which would have to deliver again.
    Cancel& parent = step.config->sink && track.whole ? *track.whole : cancel;
    // A filter that has its own time runs by itself: those before it have theirs.
    const bool alone = step.step->is_filter() && step.config->timeout > Duration(0);
    if (alone && !track.pending.empty()) MUSHER_CO_DO(co_await materialize(track, parent));
    Cancel limited(parent);
    const Deadline deadline(around_.loop.timers(), limited, step.config->timeout);
    if (!track.pending.empty() && step.reads_results) {
        MUSHER_CO_DO(co_await materialize(track, limited));
    }
    // A control step that left a note, or a receipt inside, was wanted.
    const bool begun = control && has_begun(track.prefix, step);
    if (step.when && !begun) {
        MUSHER_CO_TRY(const bool wanted, step.when->test(track.look()));
        if (!wanted) {
            tell(track, "passed over", Duration(0), step.when->text());
            co_return Result<void>();
        }
    }
    if (control) co_return co_await run_control(track, step, limited);
    co_return co_await run_leaf(track, step, limited);
}

bool JobRunner::has_begun(const std::string& prefix, const ProgramStep& step) const {
    const std::string place = prefix + step.config->id;
    if (receipts_.find(place) || receipts_.note(place, step.config->kind)) return true;
    for (const ProgramBranch& branch : step.branches) {
        for (const ProgramStep& inner : branch.steps) {
            if (has_begun(prefix, inner)) return true;
        }
    }
    return false;
}

Task<Result<void>> JobRunner::run_leaf(Track& track, const ProgramStep& step, Cancel& cancel) {
    MUSHER_CO_TRY(const Options options, step.options.render(track.look()));
    if (step.step->is_filter()) {
        if (track.body.path.empty()) {
            co_return fail(Errc::usage,
                           "this job carries no file for `" + track.place + "` to read");
        }
        MUSHER_CO_TRY(std::unique_ptr<Filter> filter, step.step->filter(options));
        Track::Pending pending{&step, std::move(filter)};
        track.pending.push_back(std::move(pending));
        if (step.config->timeout > Duration(0)) co_return co_await materialize(track, cancel);
        co_return Result<void>();
    }
    const Instant began = around_.loop.clock().now();
    if (!track.again) story_.begin(track.place);
    MUSHER_CO_TRY(StepResult result, co_await execute(track, step, options, cancel));
    tell(track, "ran", around_.loop.clock().now() - began,
         result.receipt ? result.receipt->target : std::string());
    if (step.reaches_out()) passed_sinks_[step.config->id] = around_.loop.clock().now();
    co_return co_await record(track, step, std::move(result));
}

Task<Result<StepResult>> JobRunner::execute(Track& track, const ProgramStep& step,
                                            const Options& options, Cancel& cancel) {
    // A sink leaves a receipt; any step of a round makes the round leave one.
    if (step.config->sink || (!track.prefix.empty() && !track.again)) {
        MUSHER_CO_DO(receipts_.room());
    }
    if (step.config->sink) MUSHER_CO_DO(co_await store_pins(track, cancel));
    if (step.step->needs_scratch()) MUSHER_CO_DO(co_await ensure_scratch(track));
    if (!track.pending.empty() && !step.step->may_overtake()) {
        if (step.step->takes_filters() && step.last_reader) {
            co_return co_await run_fused(track, step, options, cancel);
        }
        MUSHER_CO_DO(co_await materialize(track, cancel));
    }
    StepContext plain = context(track, step, cancel);
    co_return co_await step.step->run(plain, options);
}

Task<Result<StepResult>> JobRunner::run_fused(Track& track, const ProgramStep& step,
                                              const Options& options, Cancel& cancel) {
    std::vector<std::string> ids;
    std::vector<std::unique_ptr<Filter>> filters = track.take_filters(ids);
    StepContext fused = context(track, step, cancel);
    const Instant began = around_.loop.clock().now();
    Result<StepResult> result = co_await step.step->run_filtered(fused, options, filters);
    tell_filters(track, ids, filters, result.has_value(), began);
    co_return result;
}

StepContext JobRunner::context(Track& track, const ProgramStep& step, Cancel& cancel) {
    return StepContext{
        around_.loop,
        cancel,
        claim_.job.event,
        claim_.job.id,
        claim_.job.pipeline,
        step.config->id,
        track.place,
        claim_.attempt,
        track.body,
        track.scratch,
        around_.connections,
        around_.pool,
        [this, &track](int percent, const std::string& text) {
            progress_ = Json{{"step", track.place}, {"percent", percent}, {"text", text}};
        },
    };
}

Task<Result<void>> JobRunner::materialize(Track& track, Cancel& cancel) {
    MUSHER_CO_DO(co_await ensure_scratch(track));
    const Track::Part part = std::exchange(track.part, Track::Part::step);
    std::vector<std::string> ids;
    std::vector<std::unique_ptr<Filter>> filters = track.take_filters(ids);
    const std::string target = fmt::format("{}/body-{}", track.scratch, ++scratch_names_);
    const Instant began = around_.loop.clock().now();
    Chain chain(around_.loop, filters);
    const Result<ChainResult> made =
        co_await chain.file_to_file(track.body.path, target, cancel, track.body.identity);
    tell_filters(track, ids, filters, made.has_value(), began);
    if (!made) co_return fail(made.error());
    track.body = Body{target, made->bytes_out, made->sha256_out, {}};
    track.part = part;
    co_return Result<void>();
}

/// A pass is of several steps: each has run, or one of them is to blame.
void JobRunner::tell_filters(Track& track, const std::vector<std::string>& ids,
                             const std::vector<std::unique_ptr<Filter>>& filters, bool well,
                             Instant began) {
    const Duration took = around_.loop.clock().now() - began;
    if (!well) {
        for (std::size_t i = 0; i < filters.size() && !track.blame; ++i) {
            if (!filters[i]->failed()) continue;
            track.blame.emplace();
            track.blame->place = track.prefix + ids[i];
            track.blame->took = took;
        }
        return;
    }
    track.note_filters(ids, filters);
    const std::string place = track.place;
    for (const std::string& id : ids) {
        track.place = track.prefix + id;
        tell(track, "ran", took, "");
    }
    track.place = place;
}

Task<Result<void>> JobRunner::record(Track& track, const ProgramStep& step, StepResult result) {
    Json& outputs = track.outputs()[step.config->id];
    outputs = std::move(result.outputs);
    if (!result.receipt) {
        track.unproven = true;
        co_return Result<void>();
    }
    Receipt receipt = std::move(*result.receipt);
    receipt.step = track.place;
    receipt.sink = step.config->kind;
    receipt.time_ms = around_.loop.clock().wall_ms();
    outputs.update(receipt.to_json());
    track.receipts.push_back(outputs);
    track.part = Track::Part::queue;
    // kill -9 before this line: the sink's effect is repeated under the same job id.
    co_return co_await receipts_.store(std::move(receipt), receipts_.last());
}

Task<void> JobRunner::lay_blame(Track& track, const ProgramStep& step, Instant began,
                                const Error& error) {
    if (track.blame) co_return;
    Blame blame;
    blame.place = track.prefix + step.config->id;
    blame.took = around_.loop.clock().now() - began;
    blame.queue = track.part == Track::Part::queue;
    blame.left = track.part == Track::Part::stop;
    if (track.part == Track::Part::outside && info(error.code).fault == Fault::sink) {
        const bool readable = co_await body_readable(track.body);
        if (readable) blame.sink = step.config->id;
        blame.asked = !step.config->sink;
    }
    track.blame = std::move(blame);
}

Task<bool> JobRunner::body_readable(const Body& body) {
    if (body.path.empty()) co_return true;
    auto check = [&body] { return ::access(body.path.c_str(), R_OK) == 0; };
    const bool readable = co_await offload(around_.loop, check);
    co_return readable;
}

void JobRunner::tell(const Track& track, std::string_view what, Duration took,
                     const std::string& detail) {
    if (!track.again) story_.tell(what, track.place, took, detail);
}

Task<Result<void>> JobRunner::ensure_scratch(const Track& track) {
    if (scratch_made_.contains(track.scratch)) co_return Result<void>();
    const std::string& folder = track.scratch;
    auto make = [&folder]() -> Result<void> {
        std::error_code failed;
        std::filesystem::create_directories(folder, failed);
        if (failed) return tl::unexpected(errno_error(failed.value(), "creating " + folder));
        return {};
    };
    MUSHER_CO_DO(co_await offload(around_.loop, make));
    scratch_made_.insert(folder);
    scratch_made_.insert(scratch_);
    co_return Result<void>();
}

Task<void> JobRunner::remove_scratch(std::string folder) {
    auto remove = [&folder] {
        std::error_code ignored;  // what stays is swept at the next start
        return std::filesystem::remove_all(folder, ignored);
    };
    co_await offload(around_.loop, remove);
}

}  // namespace musher
