// Steps that do what a test says.
#pragma once

#include <functional>

#include "reactor/component/step.h"
#include "reactor/task/waiters.h"

namespace musher::test {

/// What a scripted step does; the test's own state.
using Script = std::function<Result<StepResult>(StepContext&)>;

class ScriptedStep final : public Step {
  public:
    explicit ScriptedStep(const Script& script) : script_(script) {}
    Task<Result<StepResult>> run(StepContext& context, const Options&) override {
        co_return script_(context);
    }

  private:
    const Script& script_;
};

/// Waits until cancelled.
class EndlessStep final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options&) override {
        Waiters nobody(context.loop.ready());
        const Result<void> woken = co_await nobody.wait(context.cancel);
        co_return fail(woken.error());
    }
};

}  // namespace musher::test
