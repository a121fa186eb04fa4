#include "pipelines/steps/for_each.h"

#include "pipelines/expr/expression.h"
#include "pipelines/steps/control_step.h"

namespace musher {

namespace {
Faults check_for_each(const Options& options) {
    Faults faults;
    if (!options.has("as")) return faults;
    const Result<void> free = check_free_name(options.text("as"));
    if (free) return faults;
    faults.emplace_back(Errc::usage, "`as`: " + free.error().message, free.error().hint);
    return faults;
}
}  // namespace

const Spec& for_each_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "for_each",
        "do the steps for each element of a list",
        "One element after the other, in order. Inside, expressions see the element by the name of "
        "`as`, and its number as `steps.ID.index`. Each round begins with the body as it was "
        "before "
        "the step, and so do the steps behind it. What steps inside give is seen in their own "
        "round "
        "only; behind the step `steps.ID.receipts` has what the sinks did.\n\n"
        "Up to 1000 elements, 256KiB as JSON. The first sink or round that ends fixes the list for "
        "later attempts. A round that has ended is not done again, whatever steps it has; the "
        "round "
        "in which an attempt failed, or the process died, goes on behind its last receipt.",
        {
            {.name = "in",
             .type = OptionType::expression,
             .help = "gives the list",
             .required = true},
            {.name = "as",
             .type = OptionType::text,
             .help = "what expressions inside call the element",
             .fallback = "item"},
            {.name = "steps",
             .type = OptionType::steps,
             .help = "what is done for each",
             .required = true},
        },
        {{"count", "how many elements there are", 3},
         {"index", "inside: the number of the element, from 1", 1},
         {"receipts", "behind it: a list of the sinks' receipts, in order", Json::object()}},
        R"yaml(version: 1
pipeline: spread
source: { hotfolder: { path: /srv/in } }
steps:
  - for_each:
      in: split(vars.branches, ",")
      as: branch
      steps:
        - directory: { to: "/srv/branches/${branch}" }
)yaml",
        Repeats::never,
        {},
        check_for_each,
        Control::for_each,
    };
    return kSpec;
}

std::unique_ptr<Step> make_for_each() { return std::make_unique<ControlStep>(); }

}  // namespace musher
