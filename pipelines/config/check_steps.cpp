// How expressions are checked along the tree of steps: what each of them sees.
#include <fmt/format.h>

#include "pipelines/config/expression_check.h"
#include "pipelines/config/problems.h"

namespace musher {

void ExpressionCheck::run() {
    if (pipeline_.when) bare(*pipeline_.when, true);
    if (pipeline_.dedupe) bare(*pipeline_.dedupe, false);
    if (pipeline_.key) text(*pipeline_.key);
    samples_.enter_steps();
    pass(first_body(pipeline_));
    steps(pipeline_.steps);
    tests();
    samples_.enter_on_failure();
    pass(first_body(pipeline_));
    steps(pipeline_.on_failure);
}

void ExpressionCheck::steps(const std::vector<StepConfig>& list) {
    for (const StepConfig& step : list) {
        if (step.when) bare(*step.when, true);
        named_.clear();
        options(step);
        if (body_.folder) read_body(step);
        const std::map<std::string, std::optional<Json>> named = std::move(named_);
        inside(step);
        const bool loop = step.entry->spec.control == Control::for_each;
        loop ? show(step, named, {"index"}) : show(step, named, {});
        seen_.insert(step.id);
    }
}

void ExpressionCheck::read_body(const StepConfig& step) {
    if (!reads_body(step)) return;
    add_error(
        problems_, step.at, "reads_a_folder",
        fmt::format("`{}` reads a file, and with `unit: folder` the job brings a folder",
                    step.kind),
        "only exec can work on it, as ${event.path}; with stdout: body it makes a file of it");
}

void ExpressionCheck::pass(BodyState body) {
    body_ = body;
    samples_.know_digest(body.sha256);
}

/// What they expect of a job in the end, which has gone through all steps.
void ExpressionCheck::tests() {
    for (const TestCase& test : pipeline_.tests) {
        const Value* that = test.expect.find("that");
        if (!that) continue;
        if (!that->is(Value::Kind::list)) bare(*that, true);
        for (const Value& one : that->items) bare(one, true);
    }
}

/// A switch and a try hand a new body on; the others give back the one that they began with.
void ExpressionCheck::inside(const StepConfig& step) {
    const BodyState before = body_;
    switch (step.entry->spec.control) {
        case Control::choose:
        case Control::attempt:
            return branches(step);
        case Control::parallel:
            ++beside_;
            branches(step);
            --beside_;
            return pass(before);
        case Control::for_each:
            loop(step);
            return pass(before);
        case Control::wait:
            wait(step);
            return pass(before);
        case Control::none:
            return pass(body_behind(step, before));
    }
}

/// Each begins with what is seen here; what any of them gives is seen behind them. A rescue sees
/// what was tried too.
void ExpressionCheck::branches(const StepConfig& step) {
    const std::size_t before = samples_.mark();
    const BodyState body = body_;
    std::optional<BodyState> behind;  // a switch without `default` may be passed over
    if (step.entry->spec.control == Control::choose && !step.options.find("default")) behind = body;
    Json gone = Json::object();
    for (const StepBranch& branch : step.branches) {
        pass(body);
        const bool rescue = branch.option == "rescue";
        if (rescue) samples_.put_back(std::exchange(gone, Json::object()));
        if (branch.when) bare(*branch.when, true);
        Json job = rescue ? samples_.enter_rescue() : Json();
        steps(branch.steps);
        if (rescue) samples_.leave_rescue(std::move(job));
        gone.update(samples_.take_since(before));
        behind = either(behind.value_or(body_), body_);
    }
    pass(behind.value_or(body));
    samples_.put_back(std::move(gone));
}

/// A sample of what the loop goes through; nothing when that cannot be said.
std::optional<Json> ExpressionCheck::element(const StepConfig& step, std::string_view as) {
    const Value* in = step.options.find("in");
    const Value* name = step.options.find("as");
    if (std::find(loops_.begin(), loops_.end(), as) != loops_.end()) {
        add_error(problems_, name ? name->at : step.at, "name_taken",
                  fmt::format("a loop around this one calls its element `{}` already", as),
                  name ? "give one of them another name" : "name it: as: NAME");
    }
    const std::optional<Json> list = in ? bare(*in, false) : std::nullopt;
    // An empty map is a field that nobody can foretell.
    if (!list || (list->is_object() && list->empty())) return std::nullopt;
    if (list->is_array()) return list->empty() ? std::nullopt : std::optional<Json>(list->front());
    const std::string message =
        fmt::format("`in` is {}, not a list: `{}`", kind_of(*list), in->text);
    if (list->is_null()) {
        add_warning(problems_, in->at, "not_a_list", message + ", for a sample event",
                    "coalesce(…, {}) makes it an empty one");
    } else {
        add_error(problems_, in->at, "not_a_list", message,
                  list->is_string() ? "split(…, \",\") makes one" : "");
    }
    return std::nullopt;
}

void ExpressionCheck::loop(const StepConfig& step) {
    const Value* named = step.options.find("as");
    const std::string as = named ? named->text : "item";
    const std::optional<Json> sample = element(step, as);
    const std::size_t before = samples_.mark();
    show(step, {}, {"receipts"});
    // A name that is taken is reported; what it stands for there nobody can say.
    const bool own = check_free_name(as) && std::count(loops_.begin(), loops_.end(), as) == 0;
    if (own) samples_.bind(as, sample.value_or(nullptr));
    const std::size_t known = unknown_.size();
    if (!sample || !own) unknown_.push_back(as);
    loops_.push_back(as);
    for (const StepBranch& branch : step.branches) steps(branch.steps);
    loops_.pop_back();
    unknown_.resize(known);
    if (own) samples_.unbind(as);
    samples_.take_since(before);
}

void ExpressionCheck::wait(const StepConfig& step) {
    show(step, {}, {"looks"});
    for (const StepBranch& branch : step.branches) steps(branch.steps);
    if (const Value* until = step.options.find("until")) bare(*until, true);
}

/// Makes the step's fields visible, without some.
void ExpressionCheck::show(const StepConfig& step,
                           const std::map<std::string, std::optional<Json>>& named,
                           std::initializer_list<const char*> but) {
    samples_.add_step(step, named);
    for (const char* field : but) samples_.hide(step.id, field);
    const bool wait = step.entry->spec.control == Control::wait;
    if (wait && !step.options.find("path")) {
        for (const char* field : {"exists", "size", "mtime"}) samples_.hide(step.id, field);
    }
}

}  // namespace musher
