#include "pipelines/run/probe.h"

#include "pipelines/config/component_options.h"
#include "pipelines/config/folder_use.h"

namespace musher {

namespace {
/// A source that is only probed asks nothing.
class NoLedger final : public Ledger {
  public:
    Task<Result<std::vector<Presence>>> find(std::vector<std::string> ids, Cancel&) override {
        co_return std::vector<Presence>(ids.size(), Presence::unknown);
    }
    Task<Result<Settlement>> settlement(std::string id, Cancel&) override {
        co_return fail(Errc::not_found, "no job " + id);
    }
};
}  // namespace

Task<std::vector<Problem>> probe_source(const Surroundings& around, const Program& program,
                                        Cancel& patience) {
    const PipelineConfig& config = program.config();
    Channel<Delivery> out(around.loop.ready(), 1);
    NoLedger ledger;
    SourceContext context{around.loop, config.name,        config.folder, out,
                          ledger,      config.connections, around.node};
    context.timezone = around.timezone;
    std::vector<Problem> found;
    const auto made = config.source->make(program.source_options(), context);
    if (!made) {
        found.push_back(Problem{config.source_options.at, Problem::Severity::error, "bad_source",
                                made.error().text(), made.error().hint});
        co_return found;
    }
    found = co_await (*made)->probe(patience);
    const FolderUse use = folder_use(config);
    for (Problem& problem : found) {
        const Position at =
            use.watched ? use.watched->at : place_of(problem.message, config.source_options);
        if (!problem.at.file) problem.at = at;
    }
    co_return found;
}

}  // namespace musher
