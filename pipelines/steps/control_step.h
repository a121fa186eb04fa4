// ControlStep: the body of every step whose steps inside the runner carries out.
#pragma once

#include "reactor/component/step.h"

namespace musher {

/// Keeps nothing: Spec::control says what the runner does.
class ControlStep final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options&) override {
        co_return fail(Errc::internal, context.step + " is carried out by its runner");
    }
    bool uses_body() const override { return false; }
};

}  // namespace musher
