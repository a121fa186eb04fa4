#include "pipelines/run/job_runner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "reactor/base/backoff.h"
#include "reactor/filters/chain.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr Duration kReceiptPause = milliseconds(100);
constexpr Duration kLongestReceiptPause = std::chrono::seconds(5);
}  // namespace

JobRunner::JobRunner(const Surroundings& around, const Program& program, JobQueue& queue,
                     const Claim& claim, Cancel& cancel, Json& progress)
    : around_(around),
      program_(program),
      queue_(queue),
      claim_(claim),
      cancel_(cancel),
      progress_(progress),
      story_(around, claim),
      // Of this attempt alone: one whose lease ran out may still be on its way to its end.
      scratch_(fmt::format("{}/{}.{}", around.scratch_root, claim.job.id, claim.attempt)) {
    body_.path = claim.job.event.file;
    body_.identity = identity_of(claim.job.event.facts);
    body_.size = size_in(claim.job.event.facts, "size");
}

Task<RunReport> JobRunner::run() {
    RunReport report;
    report.outcome = co_await run_steps();
    if (!report.outcome) {
        report.failed_step = current_;
        const Fault fault = info(report.outcome.error().code).fault;
        if (in_sink_ && fault == Fault::sink) report.sink_fault = co_await body_readable();
        story_.tell("failed", current_, Duration(0), report.outcome.error().text());
    }
    if (scratch_made_) co_await remove_scratch();
    report.story = story_.take();
    report.passed_sinks = std::move(passed_sinks_);
    co_return report;
}

Task<Result<void>> JobRunner::run_steps() {
    // Intake could not evaluate `when`, `key` or `dedupe`: the item's fault, told here.
    if (!claim_.job.on_failure && claim_.job.failed.is_object()) {
        co_return fail(error_from_json(claim_.job.failed));
    }
    for (const ProgramStep& step : program_.steps(claim_.job.on_failure)) {
        if (cancel_.requested()) co_return fail(cancel_.error());
        MUSHER_CO_DO(co_await run_step(step));
    }
    // A filter that nobody read from may still be there to prove something: unseal, xz_expand.
    if (!pending_.empty()) MUSHER_CO_DO(co_await materialize(cancel_));
    co_return Result<void>();
}

Task<Result<void>> JobRunner::run_step(const ProgramStep& step) {
    current_ = step.config->id;
    in_sink_ = step.config->sink;
    if (const Json* receipt = receipt_of(current_)) {
        outputs_[current_] = *receipt;
        story_.tell("skipped", current_, Duration(0), "done in an earlier attempt");
        co_return Result<void>();
    }
    Cancel limited(cancel_);
    const Deadline deadline(around_.loop.timers(), limited, step.config->timeout);
    if (!pending_.empty() && step.reads_results) MUSHER_CO_DO(co_await materialize(limited));
    const Json view = bindings();
    if (step.when) {
        MUSHER_CO_TRY(const bool wanted, step.when->test(view));
        if (!wanted) {
            story_.tell("passed over", current_, Duration(0), step.when->text());
            co_return Result<void>();
        }
    }
    MUSHER_CO_TRY(const Options options, step.options.render(view));
    if (step.step->is_filter()) {
        if (body_.path.empty()) {
            co_return fail(Errc::usage, "this job carries no file for `" + current_ + "` to read");
        }
        MUSHER_CO_TRY(std::unique_ptr<Filter> filter, step.step->filter(options));
        Pending pending{&step, std::move(filter)};
        pending_.push_back(std::move(pending));
        co_return Result<void>();
    }
    const Instant began = around_.loop.clock().now();
    story_.begin(current_);
    MUSHER_CO_TRY(StepResult result, co_await execute(step, options, limited));
    story_.tell("ran", current_, around_.loop.clock().now() - began,
                result.receipt ? result.receipt->target : std::string());
    if (in_sink_) passed_sinks_.push_back(current_);
    co_return co_await record(step, std::move(result));
}

Task<Result<StepResult>> JobRunner::execute(const ProgramStep& step, const Options& options,
                                            Cancel& cancel) {
    if (step.step->needs_scratch()) MUSHER_CO_DO(co_await ensure_scratch());
    if (!pending_.empty() && step.step->uses_body()) {
        if (fuses_into(step)) {
            std::vector<std::unique_ptr<Filter>> filters = take_filters();
            StepContext fused = context(step, cancel);
            MUSHER_CO_TRY(StepResult result,
                          co_await step.step->run_filtered(fused, options, filters));
            note_filters(filters);
            co_return result;
        }
        MUSHER_CO_DO(co_await materialize(cancel));
    }
    StepContext plain = context(step, cancel);
    co_return co_await step.step->run(plain, options);
}

StepContext JobRunner::context(const ProgramStep& step, Cancel& cancel) {
    return StepContext{
        around_.loop,
        cancel,
        claim_.job.event,
        claim_.job.id,
        claim_.job.pipeline,
        step.config->id,
        claim_.attempt,
        body_,
        scratch_,
        around_.connections,
        around_.pool,
        [this](int percent, const std::string& text) {
            progress_ = Json{{"step", current_}, {"percent", percent}, {"text", text}};
        },
    };
}

bool JobRunner::fuses_into(const ProgramStep& sink) const {
    if (!sink.step->takes_filters()) return false;
    bool after = false;
    for (const ProgramStep& other : program_.steps(claim_.job.on_failure)) {
        if (after && (other.step->uses_body() || other.reads_results)) return false;
        after = after || &other == &sink;
    }
    return true;
}

std::vector<std::unique_ptr<Filter>> JobRunner::take_filters() {
    std::vector<std::unique_ptr<Filter>> filters;
    fused_.clear();
    for (Pending& pending : pending_) {
        fused_.push_back(pending.step->config->id);
        filters.push_back(std::move(pending.filter));
    }
    pending_.clear();
    return filters;
}

void JobRunner::note_filters(const std::vector<std::unique_ptr<Filter>>& filters) {
    for (std::size_t i = 0; i < filters.size(); ++i) outputs_[fused_[i]] = filters[i]->result();
}

Task<Result<void>> JobRunner::materialize(Cancel& cancel) {
    MUSHER_CO_DO(co_await ensure_scratch());
    const bool was_in_sink = std::exchange(in_sink_, false);
    std::vector<std::unique_ptr<Filter>> filters = take_filters();
    const std::string target = scratch_ + "/body-" + std::to_string(++scratch_files_);
    const Instant began = around_.loop.clock().now();
    Chain chain(around_.loop, filters);
    MUSHER_CO_TRY(const ChainResult made,
                  co_await chain.file_to_file(body_.path, target, cancel, body_.identity));
    note_filters(filters);
    for (const std::string& id : fused_) {
        story_.tell("ran", id, around_.loop.clock().now() - began, "");
    }
    body_ = Body{target, made.bytes_out, made.sha256_out, {}};
    in_sink_ = was_in_sink;
    co_return Result<void>();
}

Task<Result<void>> JobRunner::record(const ProgramStep& step, StepResult result) {
    outputs_[current_] = result.outputs;
    if (!result.receipt) co_return Result<void>();
    Receipt receipt = std::move(*result.receipt);
    receipt.step = current_;
    receipt.sink = step.config->kind;
    receipt.time_ms = around_.loop.clock().wall_ms();
    outputs_[current_].update(receipt.to_json());
    in_sink_ = false;  // from here on a fault is the queue's
    // kill -9 before this line: the sink's effect is repeated under the same job id.
    for (int tries = 1;; ++tries) {
        Result<void> stored =
            co_await queue_.store_receipt(claim_.job.id, claim_.token, receipt, cancel_);
        const bool away = !stored && stored.error().code == Errc::unavailable;
        if (!away || cancel_.requested()) co_return stored;
        // The effect is there: a queue that is away is waited for, rather than doing it again.
        const Duration pause = backoff_delay(kReceiptPause, kLongestReceiptPause, tries);
        const Result<void> slept = co_await around_.loop.timers().sleep(pause, cancel_);
        if (!slept) co_return stored;
    }
}

const Json* JobRunner::receipt_of(const std::string& step) const {
    for (const Json& receipt : claim_.receipts) {
        if (receipt.value("step", "") == step) return &receipt;
    }
    return nullptr;
}

Json JobRunner::bindings() const {
    Json job{{"id", claim_.job.id},
             {"attempt", claim_.attempt},
             {"pipeline", claim_.job.pipeline},
             {"error", nullptr}};
    if (claim_.job.on_failure) {
        job["error"] = claim_.job.failed.value("error", Json::object()).value("message", "");
        job["failed"] = claim_.job.failed;
    }
    return make_bindings(around_, claim_.job.event, std::move(job), outputs_, body_);
}

Task<bool> JobRunner::body_readable() {
    if (body_.path.empty()) co_return true;
    auto check = [this] { return ::access(body_.path.c_str(), R_OK) == 0; };
    const bool readable = co_await offload(around_.loop, check);
    co_return readable;
}

Task<Result<void>> JobRunner::ensure_scratch() {
    if (scratch_made_) co_return Result<void>();
    auto make = [this]() -> Result<void> {
        std::error_code failed;
        std::filesystem::create_directories(scratch_, failed);
        if (failed) return tl::unexpected(errno_error(failed.value(), "creating " + scratch_));
        return {};
    };
    MUSHER_CO_DO(co_await offload(around_.loop, make));
    scratch_made_ = true;
    co_return Result<void>();
}

Task<void> JobRunner::remove_scratch() {
    auto remove = [this] {
        std::error_code ignored;  // what stays is swept at the next start
        return std::filesystem::remove_all(scratch_, ignored);
    };
    co_await offload(around_.loop, remove);
}

}  // namespace musher
