#include "pipelines/steps/set.h"

namespace musher {

namespace {
class Set final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext&, const Options& options) override {
        StepResult result;
        result.outputs = options.json("values");
        co_return result;
    }
    bool uses_body() const override { return false; }
    bool may_overtake() const override { return true; }
};
}  // namespace

const Spec& set_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "set",
        "work out values for later steps",
        "Each value is a bare expression of any type; later steps see it as `steps.ID.NAME`. It is "
        "worked out again on every attempt.",
        {
            {.name = "values",
             .type = OptionType::expression_map,
             .help = "name: expression",
             .required = true},
        },
        {},
        R"yaml(version: 1
pipeline: sorted
source: { hotfolder: { path: /srv/in } }
steps:
  - id: names
    set: { values: { year: "event.date:sub(1, 4)", big: "event.size > 10*MiB" } }
  - directory: { to: "/srv/out/${steps.names.year}" }
    when: not steps.names.big
)yaml"};
    return kSpec;
}

std::unique_ptr<Step> make_set() { return std::make_unique<Set>(); }

}  // namespace musher
