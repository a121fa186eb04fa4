#include "pipelines/run/pipeline_set.h"

#include "reactor/base/log.h"

namespace musher {

PipelineSet::PipelineSet(Loop& loop, Ways ways)
    : ways_(std::move(ways)),
      scope_("pipelines", loop.ready(), loop.clock(), &loop.root()) {}

std::vector<std::shared_ptr<Pipeline>> PipelineSet::all() const {
    std::vector<std::shared_ptr<Pipeline>> pipelines;
    pipelines.reserve(entries_.size());
    for (const auto& [name, entry] : entries_) pipelines.push_back(entry.pipeline);
    return pipelines;
}

std::shared_ptr<Pipeline> PipelineSet::find(const std::string& name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : found->second.pipeline;
}

Result<void> PipelineSet::add(std::shared_ptr<const Program> program) {
    const std::string name = program->config().name;
    MUSHER_TRY(std::shared_ptr<Pipeline> pipeline, ways_.make(std::move(program)));
    Entry& entry = entries_[name];
    entry.pipeline = std::move(pipeline);
    if (stop_) live(entry);
    return {};
}

void PipelineSet::start(Cancel& stop, Duration grace) {
    stop_ = &stop;
    grace_ = grace;
    for (auto& [name, entry] : entries_) live(entry);
}

void PipelineSet::live(Entry& entry) {
    entry.over = std::make_unique<Cancel>(*stop_);
    scope_.spawn(entry.pipeline->name(), life(entry.pipeline->name()));
}

void PipelineSet::end(Entry& entry) {
    entry.pipeline->retire();
    entry.over->request(Errc::cancelled, "the pipeline was taken out of the configuration");
}

/// One pipeline from its start to its end, and what an edit has put into its place meanwhile.
Task<void> PipelineSet::life(std::string name) {
    const std::shared_ptr<Pipeline> pipeline = entries_.at(name).pipeline;
    co_await pipeline->run(*entries_.at(name).over, grace_);
    if (stop_->requested()) co_return;  // asked about until the process ends
    const std::shared_ptr<const Program> after = std::move(entries_.at(name).after);
    entries_.erase(name);
    log::info("pipeline.ended", Json{{"pipeline", name}});
    if (!after) {
        ways_.gone();
        co_return;
    }
    const Result<void> added = add(after);
    if (added) co_return;
    log::error("pipeline.not_built", Json{{"pipeline", name}, {"reason", added.error().text()}});
}

Result<void> PipelineSet::bring(Entry& entry, std::shared_ptr<const Program> program) {
    Pipeline& pipeline = *entry.pipeline;
    if (entry.over->requested()) {
        entry.after = std::move(program);
        return {};
    }
    if (&pipeline.newest() == program.get()) return {};
    if (ways_.queue_of(*program) == pipeline.queue().name() &&
        program->config().queue == pipeline.config().queue &&
        program->config().direct == pipeline.config().direct) {
        const QueueOptions limits = ways_.limits_of(*program);
        MUSHER_DO(pipeline.adopt(std::move(program)));
        pipeline.limit(limits);
        return {};
    }
    entry.after = std::move(program);
    end(entry);
    return {};
}

std::map<std::string, Error> PipelineSet::apply(const Programs& wanted) {
    std::map<std::string, Error> refused;
    if (!stop_ || stop_->requested()) return refused;
    for (auto& [name, entry] : entries_) {
        if (wanted.contains(name)) continue;
        entry.after.reset();
        if (!entry.over->requested()) end(entry);
    }
    for (const auto& [name, program] : wanted) {
        const auto found = entries_.find(name);
        const Result<void> done =
            found == entries_.end() ? add(program) : bring(found->second, program);
        if (!done) refused.emplace(name, done.error());
    }
    return refused;
}

Task<void> PipelineSet::join() { co_await scope_.join(); }

}  // namespace musher
