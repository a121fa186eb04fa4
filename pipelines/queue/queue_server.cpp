#include "pipelines/queue/queue_server.h"

#include <unistd.h>

#include <algorithm>

#include "reactor/base/uuid.h"

namespace musher {

QueueServer::QueueServer(Loop& loop, const DaemonConfig& config, std::string connection)
    : loop_(loop),
      config_(config),
      connection_(std::move(connection)),
      reactor_(new_uuid7(loop.clock().wall_ms())) {}

QueueServer::~QueueServer() = default;

Task<Result<RedisTarget>> QueueServer::find_target(Cancel& stop) {
    if (!connection_.empty()) {
        const auto named = config_.connections.find(connection_);
        if (named == config_.connections.end() || named->second.kind != "redis") {
            co_return fail(Errc::usage, "there is no redis connection '" + connection_ + "'",
                           "add it under connections: in musher.yml");
        }
        co_return RedisTarget::from_options(named->second.options);
    }
    if (!config_.queue.embedded) co_return config_.queue.target;
    EmbeddedRedisOptions options;
    options.state = config_.state;
    options.fsync_always = config_.queue.fsync_always;
    embedded_ = std::make_unique<EmbeddedRedis>(loop_, std::move(options));
    MUSHER_CO_DO(co_await embedded_->start(stop));
    co_return embedded_->target();
}

Task<Result<void>> QueueServer::start(Cancel& stop) {
    MUSHER_CO_TRY(const RedisTarget target, co_await find_target(stop));
    shown_url_ = target.name();
    redis_ = std::make_unique<Redis>(loop_, target);
    subscription_ = std::make_unique<RedisSubscription>(loop_, target);
    co_return Result<void>();
}

void QueueServer::subscribe(std::function<void(std::string_view message)> on_wake) {
    RedisSubscription::Listener listener;
    listener.on_gap = [on_wake] { on_wake(""); };
    listener.on_message = std::move(on_wake);
    subscription_->subscribe(std::string(kWakeChannel), std::move(listener));
}

Task<void> QueueServer::stop() {
    if (subscription_) co_await subscription_->close();
    if (redis_) co_await redis_->close();
    subscription_.reset();
    redis_.reset();
    if (embedded_) co_await embedded_->stop();
    embedded_.reset();
}

std::string QueueServer::trouble() const {
    const Error error = redis_ ? redis_->status().last_error : Error();
    return error.message.empty() ? "" : cause_of(error).text();
}

Error QueueServer::cause_of(const Error& error) const {
    return embedded_ && embedded_->falters() ? embedded_->last_error() : error;
}

Task<Result<std::vector<std::string>>> QueueServer::queues(Cancel& cancel) {
    std::vector<std::string> ask{"SMEMBERS", std::string(kQueueRegistry)};
    const Result<RedisReply> reply = co_await redis_->command(std::move(ask), cancel);
    std::vector<std::string> names;
    if (!reply && reply.error().code == Errc::denied) co_return names;
    if (!reply) co_return fail(reply.error());
    for (const RedisReply& one : reply->items) names.push_back(one.text);
    std::sort(names.begin(), names.end());
    co_return names;
}

std::unique_ptr<RedisQueue> QueueServer::queue(const std::string& name, const std::string& node,
                                               const QueueOptions& options) {
    RedisQueueOptions more;
    const bool disk = embedded_ && config_.queue.fsync_always;
    more.durability = disk ? Durability::disk : Durability::memory;
    more.reactor = reactor_;
    more.node = node;
    more.about = Json{{"node", config_.node}, {"pid", ::getpid()}};
    return std::make_unique<RedisQueue>(loop_, *redis_, name, options, std::move(more));
}

}  // namespace musher
