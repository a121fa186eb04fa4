// Steps inside steps that run more than once: what a JobRunner does for for_each and wait_for.
#include <fmt/format.h>
#include <sys/stat.h>

#include "pipelines/run/job_runner.h"
#include "reactor/base/limits.h"
#include "reactor/base/text.h"
#include "reactor/component/on_disk.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
std::string written(const ProgramStep& step, std::string_view option) {
    const Value* value = step.config->options.find(option);
    return value ? value->text : std::string();
}
}  // namespace

Result<Json> JobRunner::list_of(Track& track, const ProgramStep& step) {
    const Json* note = receipts_.note(track.place, step.config->kind);
    if (note && note->is_array()) return *note;
    MUSHER_TRY(const Options options, step.options.render(track.look()));
    const Json& items = options.json("in");
    if (!items.is_array()) {
        return fail(
            Errc::usage,
            fmt::format("`in` is {}, not a list: `{}`", kind_of(items), written(step, "in")),
            items.is_null() ? "coalesce(…, {}) makes it an empty one" : "");
    }
    if (items.size() > limits::kRounds) {
        return fail(
            Errc::usage,
            fmt::format("`in` has {} elements, more than {}", items.size(), limits::kRounds),
            "make a job of each: a `postgres_queue`, or files of a hot folder");
    }
    if (to_line(items).size() > limits::kListBytes) {
        return fail(
            Errc::usage,
            fmt::format("the elements of `in` are over {}", format_size(limits::kListBytes)),
            "let it give names or ids, and look the rest up inside");
    }
    return items;
}

Task<Result<void>> JobRunner::for_each(Track& track, const ProgramStep& step, Cancel& cancel) {
    const Instant began = around_.loop.clock().now();
    const std::string place = track.place;
    const std::string prefix = track.prefix;
    const std::string& id = step.config->id;
    MUSHER_CO_TRY(const Json items, list_of(track, step));
    Pin pin;
    pin.outer = track.pin;
    pin.note = flow_note(around_.loop.clock(), place, step.config->kind,
                         counted(items.size(), "element"), items);
    pin.stored = receipts_.note(place, step.config->kind) != nullptr;
    const Body body = track.body;
    Json receipts = std::exchange(track.receipts, Json::array());
    const bool unproven = track.unproven;
    track.pin = &pin;
    Result<void> done = co_await rounds(track, step, items, cancel);
    track.pin = pin.outer;
    track.prefix = prefix;
    track.place = place;
    track.body = body;
    track.pending.clear();
    track.unproven = track.unproven || unproven;
    track.view.erase(step.options.fixed().text("as"));
    track.forget(step.inside("steps"));
    track.outputs()[id] = Json{{"count", items.size()}, {"receipts", track.receipts}};
    for (Json& receipt : track.receipts) receipts.push_back(std::move(receipt));
    track.receipts = std::move(receipts);
    if (done) {
        const Duration took = around_.loop.clock().now() - began;
        tell(track, "ran", took, counted(items.size(), "element"));
    }
    co_return done;
}

Task<Result<void>> JobRunner::rounds(Track& track, const ProgramStep& step, const Json& items,
                                     Cancel& cancel) {
    const std::string place = track.place;
    const Body body = track.body;
    const std::string as = step.options.fixed().text("as");
    const Steps& steps = step.inside("steps");
    bool unproven = false;
    for (std::size_t i = 0; i < items.size(); ++i) {
        co_await next_turn(around_.loop.ready());
        const std::string round = fmt::format("{}[{}]", place, i);
        if (receipts_.note(round, step.config->kind)) {
            track.place = round;
            tell(track, "skipped", Duration(0), "done in an earlier attempt");
            for (Json& receipt : receipts_.below(round + ".")) {
                track.receipts.push_back(std::move(receipt));
            }
            unproven = true;
            continue;
        }
        track.prefix = round + ".";
        track.body = body;
        track.view[as] = items[i];
        track.outputs()[step.config->id] = Json{{"count", items.size()}, {"index", i + 1}};
        track.unproven = false;
        MUSHER_CO_DO(co_await run_apart(track, steps, cancel));
        MUSHER_CO_DO(co_await end_round(track, step, round));
        unproven = unproven || track.unproven;
        track.forget(steps);
    }
    track.unproven = unproven;
    co_return Result<void>();
}

Task<Result<void>> JobRunner::run_apart(Track& track, const Steps& steps, Cancel& cancel) {
    std::string own = fmt::format("{}/apart-{}", scratch_, ++scratch_names_);
    const std::string outer = std::exchange(track.scratch, own);
    Result<void> done = co_await run_list(track, steps, Rest::flush, cancel);
    track.scratch = outer;
    if (scratch_made_.erase(own) > 0) co_await remove_scratch(std::move(own));
    co_return done;
}

/// kill -9 before the note: what has a receipt in the round is skipped, the rest is done again.
Task<Result<void>> JobRunner::end_round(Track& track, const ProgramStep& step, std::string round) {
    if (track.again || !track.unproven) co_return Result<void>();
    MUSHER_CO_DO(co_await store_pins(track, receipts_.last()));
    Receipt note = flow_note(around_.loop.clock(), std::move(round), step.config->kind, "", true);
    track.part = Track::Part::queue;
    co_return co_await receipts_.store(std::move(note), receipts_.last());
}

namespace {
/// What `until` sees of the file.
Result<Json> look_at(const std::string& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR;
        if (!absent) return fail(errno_error(errno, "looking at " + escape_name(path)));
        return Json{{"exists", false}, {"size", 0}, {"mtime", ""}};
    }
    const std::int64_t changed = info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1'000'000;
    return Json{{"exists", true}, {"size", info.st_size}, {"mtime", format_time(changed)}};
}
}  // namespace

Task<Result<bool>> JobRunner::look_once(Track& track, const ProgramStep& step, Cancel& cancel) {
    if (step.options.fixed().has("path")) {
        MUSHER_CO_TRY(const Options first, step.options.render(track.look(), "until"));
        const std::string path = on_disk(claim_.job.event, first.text("path"));
        auto look = [&path] { return look_at(path); };
        MUSHER_CO_TRY(Json seen, co_await offload(around_.loop, look));
        track.outputs()[step.config->id] = std::move(seen);
    }
    MUSHER_CO_DO(co_await run_apart(track, step.inside("steps"), cancel));
    track.part = Track::Part::step;
    MUSHER_CO_TRY(const Options options, step.options.render(track.look()));
    const Json& until = options.json("until");
    if (until.is_boolean()) co_return until.get<bool>();
    co_return fail(Errc::usage, fmt::format("`until` is {}, not true or false: `{}`",
                                            kind_of(until), written(step, "until")));
}

Task<Result<void>> JobRunner::wait(Track& track, const ProgramStep& step, Cancel& cancel) {
    const Instant began = around_.loop.clock().now();
    const std::string place = track.place;
    const Body body = track.body;
    const Options& fixed = step.options.fixed();
    const Duration longest = fixed.duration("timeout");
    Cancel patience(cancel);
    const Deadline deadline(around_.loop.timers(), patience, longest);
    CancelHook hook;
    hook.attach(stop_.begun, [&patience] { patience.request(Errc::cancelled, "musher stops"); });
    const bool again = std::exchange(track.again, true);
    Result<bool> came = false;
    std::size_t looks = 0;
    while (came && !*came) {
        if (looks++ > 0) {
            const Duration interval = fixed.duration("interval");
            const Result<void> slept = co_await around_.loop.timers().sleep(interval, patience);
            if (!slept) came = fail(slept.error());
        }
        if (came) came = co_await look_once(track, step, patience);
        track.body = body;
        track.place = place;
    }
    track.again = again;
    track.outputs()[step.config->id]["looks"] = looks;
    if (came) {
        track.unproven = true;
        tell(track, "ran", around_.loop.clock().now() - began, counted(looks, "look"));
        co_return Result<void>();
    }
    if (!patience.requested() || cancel.requested()) co_return fail(came.error());
    track.blame.reset();
    const bool left = patience.error().code == Errc::cancelled;
    track.part = left ? Track::Part::stop : Track::Part::step;
    if (left) co_return fail(patience.error());
    co_return fail(
        Errc::timeout,
        fmt::format("waited {} in vain for `{}`", format_duration(longest), written(step, "until")),
        "raise its `timeout`, or find out why it does not come true");
}

}  // namespace musher
