#include "pipelines/steps/wait_for.h"

#include "pipelines/steps/control_step.h"

namespace musher {

const Spec& wait_for_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "wait_for",
        "wait until an expression is true",
        "Looks at once and then every `interval`, and goes on as soon as `until` is true. Each "
        "look "
        "is a fresh one: `now` is the time of it, a file named by `path` is looked at, the `steps` "
        "inside run again, and `until` sees what they gave: a query with `sql`, a program with "
        "`exec`. Sinks cannot stand inside: they would deliver at every look. A step inside that "
        "fails ends the wait; `try` around it passes that over.\n\n"
        "When `timeout` is over, the wait has failed as any other step does: the job tries again, "
        "as often as `limits.attempts` says. A waiting job holds no thread, but one of the places "
        "of `limits.parallel`; a stop gives it back to the queue, and it waits anew.",
        {
            {.name = "until",
             .type = OptionType::expression,
             .help = "what must become true",
             .required = true},
            {.name = "path",
             .type = OptionType::path,
             .help = "a file or folder to look at each time: steps.ID.exists, size and mtime",
             .templated = true},
            {.name = "steps", .type = OptionType::steps, .help = "what is done before each look"},
            {.name = "interval",
             .type = OptionType::duration,
             .help = "time from one look to the next",
             .fallback = "5s",
             .least = 10},
            {.name = "timeout",
             .type = OptionType::duration,
             .help = "longest wait; 0 is no limit",
             .fallback = "10m"},
        },
        {{"looks", "how many it took", 1},
         {"exists", "with `path`: whether it is there", true},
         {"size", "with `path`: bytes; 0 while it is not there", 1024},
         {"mtime", "with `path`: when it changed last, as event.time; empty while it is not there",
          "2024-05-06T07:08:09.000Z"}},
        R"yaml(version: 1
pipeline: pairs
source: { hotfolder: { path: /srv/in, match: "*.pdf" } }
steps:
  - id: ticket
    wait_for:
      path: /srv/tickets/${event.stem}.xml
      until: steps.ticket.exists and steps.ticket.size > 0
      interval: 2s
      timeout: 1h
  - directory: /srv/ready
)yaml",
        Repeats::never,
        {},
        nullptr,
        Control::wait,
    };
    return kSpec;
}

std::unique_ptr<Step> make_wait_for() { return std::make_unique<ControlStep>(); }

}  // namespace musher
