// The JSON API of the contract, over whatever transport.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipelines/app/control_server.h"
#include "pipelines/run/reactor.h"

namespace musher {

/// Loop thread only; the Reactor outlives it.
class Api {
  public:
    Api(Loop& loop, Reactor& reactor) : loop_(loop), reactor_(reactor) {}

    /// Checks Host and token for TCP, finds the path, answers {error} in the contract's shape.
    Task<ServerReply> handle(ServerRequest request, Cancel& cancel);

  private:
    struct Route;
    /// A request that found its route; `name` stands where the route has a hole.
    struct Call {
        const ServerRequest& request;
        std::string name;
        std::string verb;  // the last word of the path
    };
    using Answer = Task<Result<Json>>;
    using Reply = Task<Result<ServerReply>>;  // of what is not a JSON document

    static const std::vector<Route>& routes();
    Reply answer(const Route& route, const Call& call, Cancel& cancel);
    Task<ServerReply> respond(const ServerRequest& request, Cancel& cancel);
    static Result<void> known_host(const ServerRequest& request);
    Result<void> may_ask(const Route& route, const ServerRequest& request) const;

    // api_answers.cpp
    Answer index(const Call& call, Cancel& cancel);
    Answer health(const Call& call, Cancel& cancel);
    Reply metrics(const Call& call, Cancel& cancel);
    Reply events(const Call& call, Cancel& cancel);
    Answer status(const Call& call, Cancel& cancel);
    Answer tasks(const Call& call, Cancel& cancel);
    Answer why(const Call& call, Cancel& cancel);
    Answer get_pipeline(const Call& call, Cancel& cancel);
    Answer get_jobs(const Call& call, Cancel& cancel);
    Answer get_job(const Call& call, Cancel& cancel);
    Answer change_job(const Call& call, Cancel& cancel);
    Answer set_paused(const Call& call, Cancel& cancel);
    Answer release(const Call& call, Cancel& cancel);
    Answer rollback(const Call& call, Cancel& cancel);
    Answer purge(const Call& call, Cancel& cancel);
    Answer emit(const Call& call, Cancel& cancel);

    Loop& loop_;
    Reactor& reactor_;
};

/// The HTTP status for an error.
int status_of(Errc code);

}  // namespace musher
