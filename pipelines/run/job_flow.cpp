// Steps inside steps: what a JobRunner does for switch, parallel and try.
#include <fmt/format.h>

#include <list>

#include "pipelines/run/job_runner.h"

namespace musher {

namespace {
/// "cases[0]", …, "default".
std::string case_name(const ProgramStep& step, const ProgramBranch& branch) {
    if (branch.config->option != "cases") return branch.config->option;
    return fmt::format("cases[{}]", &branch - step.branches.data());
}

/// What a choice is kept as: an edit may put other cases before it.
std::string condition(const ProgramBranch& branch) {
    return branch.when ? branch.when->text() : branch.config->option;
}
}  // namespace

Task<Result<void>> JobRunner::run_control(Track& track, const ProgramStep& step, Cancel& cancel) {
    // A switch stands where its case would stand; of the others several look at the body as it is.
    if (!track.pending.empty() && step.control() != Control::choose) {
        MUSHER_CO_DO(co_await materialize(track, cancel));
    }
    MUSHER_CO_DO(co_await run_inside(track, step, cancel));
    if (around_.on_control) around_.on_control(step.config->id, track.outputs()[step.config->id]);
    co_return Result<void>();
}

Task<Result<void>> JobRunner::run_inside(Track& track, const ProgramStep& step, Cancel& cancel) {
    switch (step.control()) {
        case Control::choose:
            co_return co_await choose(track, step, cancel);
        case Control::parallel:
            co_return co_await parallel(track, step, cancel);
        case Control::for_each:
            co_return co_await for_each(track, step, cancel);
        case Control::attempt:
            co_return co_await attempt(track, step, cancel);
        case Control::wait:
            co_return co_await wait(track, step, cancel);
        case Control::none:
            break;
    }
    co_return fail(Errc::internal, track.place + " is no control step");
}

/// kill -9 before the pin: the expressions decide anew, and nothing inside has left an effect.
Task<Result<void>> JobRunner::store_pins(Track& track, Cancel& cancel) {
    std::vector<Pin*> open;
    for (Pin* pin = track.pin; pin; pin = pin->outer) {
        if (!pin->stored) open.push_back(pin);
    }
    const Track::Part part = std::exchange(track.part, Track::Part::queue);
    for (auto pin = open.rbegin(); pin != open.rend(); ++pin) {
        MUSHER_CO_DO(co_await receipts_.store((*pin)->note, cancel));
        (*pin)->stored = true;
    }
    track.part = part;
    co_return Result<void>();
}

Result<const ProgramBranch*> JobRunner::pick(Track& track, const ProgramStep& step) {
    if (const Json* note = receipts_.note(track.place, step.config->kind)) {
        const std::string chosen = note->is_string() ? note->get<std::string>() : "";
        for (const ProgramBranch& branch : step.branches) {
            if (condition(branch) == chosen) return &branch;
        }
        return fail(Errc::usage,
                    fmt::format("an earlier attempt has begun with the case `{}`, which is not "
                                "there any more",
                                chosen),
                    "put the case back and replay the job, or admit the event anew");
    }
    for (const ProgramBranch& branch : step.branches) {
        if (!branch.when) return &branch;  // the default comes last
        MUSHER_TRY(const bool taken, branch.when->test(track.look()));
        if (taken) return &branch;
    }
    return nullptr;
}

Task<Result<void>> JobRunner::choose(Track& track, const ProgramStep& step, Cancel& cancel) {
    const std::string place = track.place;
    MUSHER_CO_TRY(const ProgramBranch* const branch, pick(track, step));
    const std::string name = branch ? case_name(step, *branch) : std::string();
    tell(track, "chose", Duration(0), branch ? name : "none");
    track.outputs()[step.config->id]["chosen"] = name;
    if (!branch) co_return Result<void>();
    Pin pin;
    pin.outer = track.pin;
    pin.note = flow_note(around_.loop.clock(), place, step.config->kind, name, condition(*branch));
    pin.stored = receipts_.note(place, step.config->kind) != nullptr;
    track.pin = &pin;
    Result<void> done = co_await run_list(track, branch->steps, Rest::leave, cancel);
    track.pin = pin.outer;
    co_return done;
}

struct JobRunner::Branch {
    Branch(const Track& from, const Steps& list) : track(from, from.pin), steps(list) {}
    Track track;
    const Steps& steps;
};

struct JobRunner::Race {
    explicit Race(Cancel& parent) : together(parent) {}
    Cancel together;
    std::optional<Error> error;  // the first fault; before one, that of who left
    Blame blame;
};

/// Both outlive it: its Scope is joined in their frame.
Task<void> JobRunner::run_branch(Branch& branch, Race& race) {
    const Result<void> done =
        co_await run_list(branch.track, branch.steps, Rest::flush, race.together);
    if (done) co_return;
    const Blame blame = branch.track.blame.value_or(Blame());
    if (race.error && (blame.left || !race.blame.left)) co_return;
    race.error = done.error();
    race.blame = blame;
    // Who waited leaves when a stop begins, the others have their time to end.
    if (!blame.left) race.together.request(Errc::cancelled, "another branch has failed");
}

Task<Result<void>> JobRunner::parallel(Track& track, const ProgramStep& step, Cancel& cancel) {
    const Instant began = around_.loop.clock().now();
    const std::string place = track.place;
    Race race(cancel);
    std::list<Branch> branches;
    for (const ProgramBranch& one : step.branches) {
        track.forget(one.steps);  // of an earlier look of a wait_for around
        Branch& branch = branches.emplace_back(track, one.steps);
        branch.track.whole = track.whole ? track.whole : &cancel;
    }
    {
        Scope scope(place, around_.loop.ready(), around_.loop.clock());
        for (Branch& branch : branches) scope.spawn(place, run_branch(branch, race));
        co_await scope.join();
    }
    if (race.error) {
        track.blame = race.blame;
        co_return fail(*race.error);
    }
    for (Branch& branch : branches) {
        track.outputs().update(branch.track.outputs());
        track.unproven = track.unproven || branch.track.unproven;
        for (Json& receipt : branch.track.receipts) track.receipts.push_back(std::move(receipt));
    }
    track.place = place;
    track.outputs()[step.config->id] = Json::object();
    tell(track, "ran", around_.loop.clock().now() - began, "");
    co_return Result<void>();
}

/// The receipts of steps that an earlier attempt did before it went on elsewhere.
void JobRunner::recall(Track& track, const Steps& steps) {
    for (const ProgramStep& step : steps) {
        if (step.control() == Control::for_each) continue;
        for (const ProgramBranch& branch : step.branches) recall(track, branch.steps);
        const Json* receipt = receipts_.find(track.prefix + step.config->id);
        if (!receipt || step.control() != Control::none) continue;
        track.outputs()[step.config->id] = *receipt;
        track.receipts.push_back(*receipt);
    }
}

Task<Result<void>> JobRunner::attempt(Track& track, const ProgramStep& step, Cancel& cancel) {
    const std::string place = track.place;
    const Body body = track.body;
    const Steps& tried = step.inside("steps");
    const Json* note = receipts_.note(place, step.config->kind);
    if (note && note->is_object()) {
        recall(track, tried);
        co_return co_await rescue(track, step, *note, cancel);
    }
    Result<void> done = co_await run_list(track, tried, Rest::flush, cancel);
    if (done) {
        track.outputs()[step.config->id] = Json{{"rescued", false}, {"error", ""}};
        co_return done;
    }
    // Of an item, or of a server that a step asks: a broken sink, a lost queue and a stop are for
    // the whole job to bear.
    const Blame blame = track.blame.value_or(Blame());
    const bool sink = !blame.sink.empty() && !blame.asked;
    if (cancel.requested() || sink || blame.queue || blame.left) co_return done;
    Json failed{{"step", blame.place}, {"error", to_json(done.error())}};
    track.blame.reset();
    track.unproven = true;
    track.body = body;
    track.pending.clear();
    track.place = place;
    tell(track, "rescued", blame.took,
         fmt::format("{}: {}", text_in(failed, "step"), done.error().text()));
    co_return co_await rescue(track, step, std::move(failed), cancel);
}

Task<Result<void>> JobRunner::rescue(Track& track, const ProgramStep& step, Json failed,
                                     Cancel& cancel) {
    const std::string place = track.place;
    const std::string message = text_in(failed["error"], "message");
    Pin pin;
    pin.outer = track.pin;
    pin.note = flow_note(around_.loop.clock(), place, step.config->kind, "rescue", failed);
    pin.stored = receipts_.note(place, step.config->kind) != nullptr;
    track.pin = &pin;
    Json job = track.view["job"];
    track.view["job"]["error"] = message;
    track.view["job"]["failed"] = std::move(failed);
    Result<void> done = co_await run_list(track, step.inside("rescue"), Rest::leave, cancel);
    track.view["job"] = std::move(job);
    track.pin = pin.outer;
    track.outputs()[step.config->id] = Json{{"rescued", true}, {"error", message}};
    co_return done;
}

}  // namespace musher
