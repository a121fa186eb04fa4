#include "pipelines/app/visit.h"

#include <unistd.h>

#include "pipelines/app/api.h"
#include "reactor/base/log.h"

namespace musher {

namespace {

Task<void> serve(Api& api, ServerRequest request, Cancel& cancel, ServerReply& reply) {
    reply = co_await api.handle(std::move(request), cancel);
}

Task<void> answer_call(Loop& loop, Configuration configuration, const ApiCall& call,
                       Result<Json>& answer) {
    Reactor reactor(loop, std::move(configuration));
    Api api(loop, reactor);
    Cancel never;
    ServerRequest request;
    request.method = call.method;
    request.path = std::string(kApiRoot) + call.path;
    request.query = call.query;
    if (!call.body.is_null()) request.body = call.body.dump();
    request.local = true;
    ServerReply reply;
    const auto work = [&] { return serve(api, request, never, reply); };
    const Result<void> visited = co_await reactor.visit(work, never);
    if (visited && reply.status == 200) {
        answer = std::move(reply.body);
    } else if (visited) {
        answer = fail(error_from_json(reply.body["error"]));
    } else if (visited.error().code == Errc::conflict) {
        answer = fail(Errc::unavailable, visited.error().message + ", which does not answer",
                      "it may still be starting: try again in a moment, or look at its log");
    } else {
        answer = fail(visited.error());
    }
}

}  // namespace

Result<Json> visit_queue(Configuration configuration, const ApiCall& call) {
    const std::string state = configuration.daemon.state;
    if (::access((state + "/node").c_str(), F_OK) != 0) {
        return fail(Errc::unavailable,
                    "no musher answers on " + state + "/control.sock, and none has run there yet",
                    "start it: musher run -c FILE");
    }
    log::set_level(log::Level::error);  // the answer is what people asked for
    RealClock clock;
    Loop loop(clock);
    Result<Json> answer = tl::unexpected(Error());
    loop.run(answer_call(loop, std::move(configuration), call, answer));
    MUSHER_CHECK(loop.close() == 0);
    return answer;
}

}  // namespace musher
