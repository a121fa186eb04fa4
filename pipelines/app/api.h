// The JSON API of the contract, over whatever transport.
#pragma once

#include <string>

#include "pipelines/app/control_server.h"
#include "pipelines/run/reactor.h"

namespace musher {

/// Loop thread only; the Reactor outlives it.
class Api {
  public:
    explicit Api(Reactor& reactor) : reactor_(reactor) {}

    /// Checks Host and token for TCP, finds the path, answers {error} in the contract's shape.
    Task<ServerReply> handle(ServerRequest request, Cancel& cancel);

  private:
    Task<Result<Json>> route(const ServerRequest& request, Cancel& cancel);
    Task<Result<Json>> get_jobs(const ServerRequest& request, Cancel& cancel);
    Task<Result<Json>> get_job(std::string id, Cancel& cancel);
    Task<Result<Json>> change_job(std::string id, std::string verb, Cancel& cancel);
    Task<Result<Json>> change_pipeline(std::string name, std::string verb,
                                       const ServerRequest& request, Cancel& cancel);
    Task<Result<Json>> purge(std::string pipeline, std::string state, Cancel& cancel);
    Json tasks() const;
    Result<void> allowed(const ServerRequest& request) const;

    Reactor& reactor_;
};

/// The HTTP status for an error.
int status_of(Errc code);

}  // namespace musher
