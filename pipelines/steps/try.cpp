#include "pipelines/steps/try.h"

#include "pipelines/steps/control_step.h"

namespace musher {

const Spec& try_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "try",
        "do steps, and others when one of them fails",
        "A fault of the item inside `steps` (a program that fails, a digest that differs, a "
        "time-out "
        "of such a step) does not end the attempt: the steps of `rescue` are done instead of what "
        "was left, and see `job.error`, its text, and `job.failed`: `step` and `error` (code, "
        "message, hint). They begin with the body as it was before the step. A fault of theirs is "
        "the step's own. A server that `sql` or `http_get` asks and that is away is rescued too. "
        "Not rescued are broken sinks (the pipeline is held, and goes on by itself), a cancelled "
        "job, a stop, and the time-out of the step or the job. Once a sink of `rescue` has begun, "
        "later attempts go there straight away.",
        {
            {.name = "steps", .type = OptionType::steps, .help = "what is tried", .required = true},
            {.name = "rescue",
             .type = OptionType::steps,
             .help = "what is done after a fault; an empty list passes it over",
             .required = true},
        },
        {{"rescued", "whether a fault was rescued", false}, {"error", "its text, or empty", ""}},
        R"yaml(version: 1
pipeline: careful
source: { hotfolder: { path: /srv/in, match: "*.jpg" } }
steps:
  - try:
      steps:
        - exec: { argv: [convert, "-", "-resize", "200x200", "jpg:-"], stdin: body, stdout: body }
        - directory: { to: /srv/thumbnails }
      rescue:
        - log: { message: "${event.name}: ${job.error}", level: warning }
        - directory: { to: /srv/no-thumbnail }
)yaml",
        Repeats::never,
        {},
        nullptr,
        Control::attempt,
    };
    return kSpec;
}

std::unique_ptr<Step> make_try() { return std::make_unique<ControlStep>(); }

}  // namespace musher
