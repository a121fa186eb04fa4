#include "pipelines/run/queue_counts.h"

namespace musher {

namespace {
constexpr Duration kFresh = std::chrono::seconds(1);
constexpr Duration kPatience = std::chrono::seconds(2);
}  // namespace

Task<void> QueueCounts::ask_one(std::shared_ptr<JobQueue> queue, Cancel& cancel,
                                Result<QueueStats>& answer) {
    answer = co_await queue->stats(cancel);
}

Task<QueueCounts::All> QueueCounts::ask(std::vector<NamedQueue> queues, Cancel& cancel) {
    All all;
    Scope questions("counts", loop_.ready(), loop_.clock());
    for (const NamedQueue& one : queues) {
        Result<QueueStats>& answer = all[one.name];
        questions.spawn(one.name, ask_one(one.queue, cancel, answer));
    }
    co_await questions.join();
    for (const auto& [name, stats] : all) {
        if (stats) known_[name] = *stats;
    }
    co_return all;
}

QueueStats QueueCounts::known(const std::string& name) const {
    const auto found = known_.find(name);
    return found == known_.end() ? QueueStats{} : found->second;
}

bool QueueCounts::fresh() const {
    return asked_at_ != Instant{} && loop_.clock().now() - asked_at_ < kFresh;
}

Task<std::shared_ptr<const QueueCounts::All>> QueueCounts::look(std::vector<NamedQueue> queues,
                                                                Cancel& cancel) {
    if (asking_) {
        const Result<void> answered = co_await answered_.wait(cancel);
        static_cast<void>(answered);  // what is known must do
        co_return last_;
    }
    if (fresh()) co_return last_;
    asking_ = true;
    Cancel patience(cancel);
    const Deadline limit(loop_.timers(), patience, kPatience);
    All all = co_await ask(std::move(queues), patience);
    last_ = std::make_shared<const All>(std::move(all));
    asked_at_ = loop_.clock().now();
    asking_ = false;
    answered_.wake_all();
    co_return last_;
}

}  // namespace musher
