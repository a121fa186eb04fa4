#include "pipelines/steps/switch.h"

#include "pipelines/steps/control_step.h"

namespace musher {

namespace {
Faults check_switch(const Options& options) {
    if (!options.json("cases").is_array() || !options.json("cases").empty()) return {};
    return {Error(Errc::usage, "`cases` is empty", "write - { when: …, steps: [ … ] }")};
}
}  // namespace

const Spec& switch_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "switch",
        "do the steps of the first case that is true",
        "The cases are looked at in order; without a true one the steps of `default` are done, or "
        "none. What a case does to the body the steps behind the switch see, as if it stood there "
        "itself. Once a sink of the chosen case has begun, later attempts keep to that case, "
        "whatever the expressions say by then.",
        {
            {.name = "cases",
             .type = OptionType::cases,
             .help = "list of { when, steps }",
             .required = true},
            {.name = "default",
             .type = OptionType::steps,
             .help = "what is done when none is true"},
        },
        {{"chosen", "cases[0] for the first, …, default; empty for none", "cases[0]"}},
        R"yaml(version: 1
pipeline: by_kind
source: { hotfolder: { path: /srv/in } }
steps:
  - switch:
      cases:
        - when: event.ext == "xz"
          steps:
            - xz_expand
            - directory: { to: /srv/plain, name: "${event.stem}" }
        - when: event.size > 100*MiB
          steps: [ directory: /srv/large ]
      default:
        - directory: /srv/plain
)yaml",
        Repeats::never,
        {},
        check_switch,
        Control::choose,
    };
    return kSpec;
}

std::unique_ptr<Step> make_switch() { return std::make_unique<ControlStep>(); }

}  // namespace musher
