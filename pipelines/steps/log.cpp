#include "pipelines/steps/log.h"

#include "reactor/base/log.h"

namespace musher {

namespace {
class LogStep final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        MUSHER_CO_TRY(const log::Level level, log::parse_level(options.text("level")));
        if (log::enabled(level)) {
            const Json fields{{"pipeline", context.pipeline},
                              {"job", context.job},
                              {"step", context.place},
                              {"message", options.text("message")}};
            log::write(level, "job.log", fields);
        }
        co_return StepResult();
    }
    bool uses_body() const override { return false; }
    bool may_overtake() const override { return true; }
};
}  // namespace

const Spec& log_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "log",
        "write a line to the log",
        "The line carries the pipeline, the job and the step beside the message.",
        {
            {.name = "message",
             .type = OptionType::text,
             .help = "what to say",
             .required = true,
             .templated = true},
            {.name = "level",
             .type = OptionType::choice,
             .help = "of importance",
             .fallback = "info",
             .choices = {"debug", "info", "warning", "error"}},
        },
        {},
        R"(version: 1
pipeline: watch
source: { hotfolder: { path: /srv/in } }
steps:
  - log: "${event.name} has ${event.size} bytes"
)",
        Repeats::never,
        "message"};
    return kSpec;
}

std::unique_ptr<Step> make_log() { return std::make_unique<LogStep>(); }

}  // namespace musher
