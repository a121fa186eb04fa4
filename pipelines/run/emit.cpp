#include "pipelines/run/emit.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "reactor/base/fd.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"
#include "sources/file_facts.h"

namespace musher {

namespace {
Result<Json> read_facts(const std::string& file) {
    MUSHER_TRY(const Fd opened, Fd::open(file, O_RDONLY | O_NONBLOCK));
    struct stat info{};
    if (::fstat(opened.get(), &info) != 0) return fail(errno_error(errno, "reading " + file));
    if (!S_ISREG(info.st_mode)) return fail(Errc::usage, escape_name(file) + " is not a file");
    return file_facts(file, file, hotfolder::sample_of(info));
}

/// What sources say of files, steps rely on.
Result<void> check_fact(const std::string& key, const Json& value) {
    constexpr std::string_view kTexts[] = {"path", "name", "dir", "stem", "ext", "mtime"};
    constexpr std::string_view kNumbers[] = {"size", "uid"};
    constexpr std::string_view kOwn[] = {"id", "source", "key", "time", "date"};
    if (std::find(std::begin(kOwn), std::end(kOwn), key) != std::end(kOwn)) {
        return fail(Errc::usage, fmt::format("musher itself gives every event its `{}`", key),
                    "choose another name");
    }
    const bool text = std::find(std::begin(kTexts), std::end(kTexts), key) != std::end(kTexts);
    const bool number =
        std::find(std::begin(kNumbers), std::end(kNumbers), key) != std::end(kNumbers);
    if ((!text || value.is_string()) && (!number || value.is_number_unsigned())) return {};
    return fail(Errc::usage, fmt::format("the fact `{}` wants {}, found {}", key,
                                         text ? "text" : "a whole number", to_line(value)));
}

Json rehearse_step(const ProgramStep& step, const Bindings& view);

/// The steps inside a step: [{in: cases, when, steps}].
Json rehearse_inside(const ProgramStep& step, const Bindings& view) {
    Json all = Json::array();
    for (const ProgramBranch& branch : step.branches) {
        Json& row = all.emplace_back(Json{{"in", branch.config->option}, {"steps", Json::array()}});
        if (branch.when) {
            const Result<bool> taken = branch.when->test(view);
            row["when"] = taken ? Json(*taken) : Json(taken.error().text());
        }
        for (const ProgramStep& one : branch.steps) {
            row["steps"].push_back(rehearse_step(one, view));
        }
    }
    return all;
}

Json rehearse_step(const ProgramStep& step, const Bindings& view) {
    Json row{{"id", step.config->id}, {"kind", step.config->kind}};
    if (step.when) {
        const Result<bool> wanted = step.when->test(view);
        row["when"] = wanted ? Json(*wanted) : Json(wanted.error().text());
    }
    const Result<Options> options = step.options.render(view);
    // Maybe not renderable before the steps it names have run: as written, and why.
    row["options"] = options ? options->values() : step.options.fixed().values();
    if (!options) row["unrendered"] = options.error().text();
    mask_secrets(row["options"], step.config->options);
    for (const Option& option : step.config->entry->spec.options) {
        if (holds_steps(option)) row["options"].erase(std::string(option.name));
    }
    if (!step.branches.empty()) row["inside"] = rehearse_inside(step, view);
    return row;
}
}  // namespace

void mask_secrets(Json& rendered, const Value& written) {
    if (written.secret) {
        rendered = "***";
        return;
    }
    for (const Value::Entry& entry : written.entries) {
        if (rendered.is_object() && rendered.contains(entry.key)) {
            mask_secrets(rendered[entry.key], entry.value);
        }
    }
    for (std::size_t i = 0; i < written.items.size(); ++i) {
        if (rendered.is_array() && i < rendered.size()) mask_secrets(rendered[i], written.items[i]);
    }
}

Task<Result<Event>> hand_made_event(Loop& loop, std::string file, Json facts) {
    Event event;
    event.kind = "emit";
    if (!file.empty()) {
        auto read = [&]() -> Result<Json> {
            // Steps follow no link, but who names one here means what it leads to.
            std::error_code failed;
            event.file = std::filesystem::canonical(file, failed);
            if (failed) event.file = file;
            return read_facts(file);
        };
        MUSHER_CO_TRY(event.facts, co_await offload(loop, read));
    }
    for (const auto& [key, value] : facts.items()) MUSHER_CO_DO(check_fact(key, value));
    event.facts.edit().update(facts);
    co_return event;
}

Result<Json> rehearse(const Surroundings& around, const Intake& intake, const Program& program,
                      Event event) {
    MUSHER_TRY(const std::optional<Job> job, intake.make_job(std::move(event), ""));
    if (!job) return Json{{"when", false}, {"key", ""}, {"steps", Json::array()}};
    if (job->failed.is_object()) return fail(error_from_json(job->failed));
    Body body;
    body.path = job->event.file;
    body.size = size_in(job->event.facts, "size");
    const Json about{
        {"id", job->id}, {"pipeline", job->pipeline}, {"attempt", 1}, {"error", nullptr}};
    const Json view = make_bindings(around, job->event, about, Json::object(), body);
    Json steps = Json::array();
    for (const ProgramStep& step : program.steps(false)) {
        steps.push_back(rehearse_step(step, view));
    }
    return Json{{"when", true}, {"key", job->key}, {"steps", std::move(steps)}};
}

Task<Result<Json>> admit_by_hand(Pipeline& pipeline, Event event, Cancel& cancel) {
    if (pipeline.config().direct) {
        co_return fail(Errc::usage, "the pipeline " + pipeline.name() + " goes `via: direct`",
                       "no queue would keep the job: give its source something to find");
    }
    MUSHER_CO_TRY(std::optional<Job> job, pipeline.intake().make_job(std::move(event), ""));
    if (!job) {
        Json refused{{"id", nullptr}, {"accepted", false}};
        co_return refused;
    }
    const std::string id = job->id;
    const std::string dedupe = job->dedupe;
    std::vector<Job> one{*job};
    MUSHER_CO_TRY(const std::vector<PutCode> codes,
                  co_await pipeline.queue().put(std::move(one), cancel));
    pipeline.tally().put(*job, codes.front());
    if (codes.front() == PutCode::full) {
        co_return fail(Errc::unavailable, "the queue of " + pipeline.name() + " is full",
                       "wait until jobs are done, or raise limits.waiting");
    }
    if (codes.front() == PutCode::known_dedupe) {
        co_return fail(Errc::conflict, "a live job already has the dedupe value '" + dedupe + "'");
    }
    pipeline.wake();
    Json accepted{{"id", id}, {"accepted", true}};
    co_return accepted;
}

}  // namespace musher
