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
    explicit ScriptedStep(const Script& script, bool body = true) : script_(script), body_(body) {}
    Task<Result<StepResult>> run(StepContext& context, const Options&) override {
        co_return script_(context);
    }
    bool uses_body() const override { return body_; }

  private:
    const Script& script_;
    bool body_;
};

/// Job `id` waits for the gate, others until they are cancelled.
class GatedStep final : public Step {
  public:
    GatedStep(std::string id, Waiters& gate) : id_(std::move(id)), gate_(gate) {}
    Task<Result<StepResult>> run(StepContext& context, const Options&) override {
        Waiters nobody(context.loop.ready());
        Waiters& awaited = context.job == id_ ? gate_ : nobody;
        const Result<void> woken = co_await awaited.wait(context.cancel);
        if (!woken) co_return fail(woken.error());
        co_return StepResult();
    }

  private:
    std::string id_;
    Waiters& gate_;
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
