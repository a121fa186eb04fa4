// QueueServer: a Redis with queues (the private one, a shared one, or one that a pipeline names),
// its one wake-up subscription, and the queues on it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pipelines/config/daemon_file.h"
#include "pipelines/queue/embedded_redis.h"
#include "pipelines/queue/redis_queue.h"
#include "reactor/drivers/redis.h"
#include "reactor/drivers/redis_subscription.h"

namespace musher {

/// Loop thread only.
class QueueServer {
  public:
    /// `connection`: a redis connection of musher.yml; "" is what its `queue` says.
    QueueServer(Loop& loop, const DaemonConfig& config, std::string connection = {});
    ~QueueServer();  // after stop()

    /// Starts the embedded server where there is one, in a state directory that the caller has
    /// locked, and connects. A shared server that does not answer is no error: what needs it
    /// waits.
    Task<Result<void>> start(Cancel& stop);
    /// `on_wake` gets the messages of kWakeChannel, and "" when some may have been missed.
    void subscribe(std::function<void(std::string_view message)> on_wake);
    /// Closes the connections, then ends the embedded server.
    Task<void> stop();

    /// A queue on this server; open() it before its first use. `node`: of the state directory.
    std::unique_ptr<RedisQueue> queue(const std::string& name, const std::string& node,
                                      const QueueOptions& options);
    /// Names of all queues that were ever opened on this server; none when its registry is not for
    /// us to read.
    Task<Result<std::vector<std::string>>> queues(Cancel& cancel);
    /// Of musher.yml; "" for what its `queue` says.
    const std::string& connection() const { return connection_; }
    /// Without secrets.
    const std::string& shown_url() const { return shown_url_; }
    /// Why the server cannot be used just now; empty while it can, and before the first try ended.
    std::string trouble() const;
    /// What lies behind an error of its queues: the end of the embedded server, where that just
    /// ended.
    Error cause_of(const Error& error) const;

  private:
    Task<Result<RedisTarget>> find_target(Cancel& stop);

    Loop& loop_;
    const DaemonConfig& config_;
    std::string connection_;
    std::unique_ptr<EmbeddedRedis> embedded_;
    std::unique_ptr<Redis> redis_;
    std::unique_ptr<RedisSubscription> subscription_;
    std::string shown_url_;
    std::string reactor_;  // UUID of this process
};

}  // namespace musher
