#include "pipelines/queue/queue_server.h"

#include <unistd.h>

#include "reactor/base/uuid.h"

namespace musher {

QueueServer::QueueServer(Loop& loop, const DaemonConfig& config)
    : loop_(loop), config_(config), reactor_(new_uuid7(loop.clock().wall_ms())) {}

QueueServer::~QueueServer() = default;

Task<Result<void>> QueueServer::start(Cancel& stop) {
    RedisTarget target;
    if (config_.queue.embedded) {
        EmbeddedRedisOptions options;
        options.state = config_.state;
        options.fsync_always = config_.queue.fsync_always;
        embedded_ = std::make_unique<EmbeddedRedis>(loop_, std::move(options));
        MUSHER_CO_DO(co_await embedded_->start(stop));
        target = embedded_->target();
    } else {
        target = config_.queue.target;
    }
    shown_url_ = target.name();
    redis_ = std::make_unique<Redis>(loop_, target);
    subscription_ = std::make_unique<RedisSubscription>(loop_, target);
    co_return Result<void>();
}

void QueueServer::subscribe(std::function<void(std::string_view queue)> on_wake) {
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

std::unique_ptr<RedisQueue> QueueServer::queue(const std::string& name, const std::string& node,
                                               const QueueOptions& options) {
    RedisQueueOptions more;
    const bool disk = config_.queue.embedded && config_.queue.fsync_always;
    more.durability = disk ? Durability::disk : Durability::memory;
    more.reactor = reactor_;
    more.node = node;
    more.about = Json{{"node", config_.node}, {"pid", ::getpid()}};
    return std::make_unique<RedisQueue>(loop_, *redis_, name, options, std::move(more));
}

}  // namespace musher
