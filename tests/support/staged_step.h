// Steps that tell what they did, and fail or hang when a test says so.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "reactor/component/step.h"
#include "reactor/task/waiters.h"

namespace musher::test {

/// What the rig's own steps do and did.
struct Stage {
    std::vector<std::string> done;                // "each[1].act: text", in order
    std::map<std::string, Error> faults;          // by what they say: it was not done
    std::map<std::string, Json> outputs;          // by what they say
    std::function<void(const std::string&)> on;   // called with what they say, before anything else
    std::map<std::string, int> running;           // now, of those that hang
    std::function<void(const std::string&)> cut;  // called when one of them is ended
    std::map<std::string, Waiters*> gates;        // by what they say: waited for, or their Cancel
};

/// `act: TEXT` and `ask: TEXT`, steps, and `deliver: TEXT`, a sink. `hang` in the text waits for
/// its Cancel.
class StagedStep final : public Step {
  public:
    StagedStep(Stage& stage, bool sink) : stage_(stage), sink_(sink) {}
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        const std::string what = options.text("what");
        if (stage_.on) stage_.on(what);
        if (what.starts_with("hang")) {
            Waiters nobody(context.loop.ready());
            ++stage_.running[what];
            const Result<void> woken = co_await nobody.wait(context.cancel);
            --stage_.running[what];
            if (stage_.cut) stage_.cut(what);
            co_return fail(woken.error());
        }
        if (const auto gate = stage_.gates.find(what); gate != stage_.gates.end()) {
            const Result<void> open = co_await gate->second->wait(context.cancel);
            if (!open) co_return fail(open.error());
        }
        co_await next_turn(context.loop.ready());
        if (const auto fault = stage_.faults.find(what); fault != stage_.faults.end()) {
            co_return fail(fault->second);
        }
        stage_.done.push_back(context.place + ": " + what);
        StepResult result;
        result.outputs =
            stage_.outputs.contains(what) ? stage_.outputs[what] : Json{{"said", what}};
        if (!sink_) co_return result;
        result.receipt.emplace();
        result.receipt->target = what;
        co_return result;
    }
    bool uses_body() const override { return sink_; }

  private:
    Stage& stage_;
    bool sink_;
};

}  // namespace musher::test
