#include "pipelines/steps/parallel.h"

#include "pipelines/steps/control_step.h"

namespace musher {

namespace {
Faults check_parallel(const Options& options) {
    if (!options.json("branches").is_array() || !options.json("branches").empty()) return {};
    return {Error(Errc::usage, "`branches` is empty", "write - [ STEP, STEP, … ]")};
}
}  // namespace

const Spec& parallel_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "parallel",
        "do several lists of steps at once",
        "All branches begin together, and the step ends with the last of them. The first fault "
        "stops the other branches and is the step's own. Each branch begins with the body as it "
        "is here, and what it does to it nobody else sees: behind the step the body is as before. "
        "A branch sees what the steps before saw to, not what the other branches do; behind the "
        "step all results can be seen.",
        {
            {.name = "branches",
             .type = OptionType::branches,
             .help = "list of lists of steps",
             .required = true},
        },
        {},
        R"yaml(version: 1
pipeline: twice
source: { hotfolder: { path: /srv/in } }
steps:
  - parallel:
      branches:
        - - xz_compress: { level: 6 }
          - directory: { to: /srv/archive, name: "${event.name}.xz" }
        - - directory: /srv/work
)yaml",
        Repeats::never,
        {},
        check_parallel,
        Control::parallel,
    };
    return kSpec;
}

std::unique_ptr<Step> make_parallel() { return std::make_unique<ControlStep>(); }

}  // namespace musher
