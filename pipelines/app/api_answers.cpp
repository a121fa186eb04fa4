// What each path of the API answers.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "pipelines/app/api.h"
#include "pipelines/app/event_stream.h"
#include "pipelines/app/exposition.h"
#include "pipelines/app/metrics.h"
#include "pipelines/app/request_body.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr std::size_t kMostJobs = 1000;  // of one page

std::string query(const ServerRequest& request, const char* name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? "" : found->second;
}

Result<std::optional<JobState>> parse_state(const std::string& text) {
    if (text.empty()) return std::optional<JobState>();
    if (const auto state = state_from_name(text)) return state;
    return fail(Errc::usage, "there is no state '" + text + "'",
                "waiting, delayed, running, done, dead and cancelled are known");
}

Result<std::size_t> parse_limit(const std::string& text) {
    if (text.empty()) return JobFilter().limit;
    std::size_t limit = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, limit);
    const bool number = read.ec == std::errc() && read.ptr == end;
    if (number && limit >= 1 && limit <= kMostJobs) return limit;
    return fail(Errc::usage,
                fmt::format("limit wants a whole number from 1 to {}, found '{}'", kMostJobs, text),
                "the next page begins after `next` of this one");
}

/// Where a listing goes on: `after` is PIPELINE:CURSOR, of the queue that the page before ended in,
/// or PIPELINE: for the whole of a queue.
struct Place {
    std::size_t queue = 0;
    std::string cursor;
};
Result<Place> find_place(const std::string& after, const std::vector<NamedQueue>& queues) {
    if (after.empty()) return Place();
    const std::size_t colon = after.find(':');
    const auto found = std::find_if(queues.begin(), queues.end(), [&](const NamedQueue& one) {
        return one.name == after.substr(0, colon);
    });
    if (colon == std::string::npos || found == queues.end()) {
        return fail(Errc::usage, "not a place in this listing: " + after,
                    "take it from `next` of the page before");
    }
    return Place{static_cast<std::size_t>(found - queues.begin()), after.substr(colon + 1)};
}
}  // namespace

Api::Answer Api::health(const Call&, Cancel&) {
    co_return reactor_.health();
}

Api::Reply Api::metrics(const Call&, Cancel& cancel) {
    const Measures measures = co_await reactor_.measures(cancel);
    auto ask_system = [] { return process_stats(); };
    const ProcessStats process = co_await offload(loop_, ask_system);
    ServerReply reply;
    reply.type = kExpositionType;
    reply.body = metrics_text(measures, process, loop_);
    co_return reply;
}

Api::Reply Api::events(const Call& call, Cancel&) {
    const ServerRequest& request = call.request;
    for (const auto& [name, value] : request.query) {
        MUSHER_CO_DO(check_known(name, {"pipeline", "state", "after"}));
    }
    EventRing& ring = reactor_.events();
    EventWish wish;
    wish.pipeline = query(request, "pipeline");
    if (!wish.pipeline.empty()) MUSHER_CO_DO(reactor_.check_pipeline(wish.pipeline));
    wish.state = query(request, "state");
    MUSHER_CO_DO(check_event_state(wish.state));
    wish.after = query(request, "after");
    if (!request.last_event_id.empty()) wish.after = request.last_event_id;
    if (ring.listeners() >= kMostEventReaders) {
        co_return fail(Errc::unavailable,
                       fmt::format("{} readers listen already", kMostEventReaders),
                       "close some: a browser's tab, musher tap");
    }
    ServerReply reply;
    reply.type = "text/event-stream";
    reply.stream = std::make_shared<EventStream>(loop_, ring, std::move(wish));
    co_return reply;
}

Api::Answer Api::status(const Call&, Cancel& cancel) { co_return co_await reactor_.status(cancel); }

Api::Answer Api::tasks(const Call&, Cancel&) {
    Json rows = Json::array();
    for (const TaskRow& row : reactor_.tasks()) {
        const auto age = std::chrono::duration_cast<milliseconds>(row.age).count();
        rows.push_back(
            Json{{"name", row.name}, {"depth", row.depth}, {"age_ms", age}, {"where", row.where}});
    }
    Json all{{"tasks", std::move(rows)}};
    co_return all;
}

Api::Answer Api::why(const Call& call, Cancel& cancel) {
    std::string path = query(call.request, "path");
    if (!path.starts_with('/')) {
        co_return fail(Errc::usage, "why wants the absolute path of a file, found '" + path + "'",
                       "ask for /api/v1/why?path=/folder/file");
    }
    co_return co_await reactor_.why(std::move(path), cancel);
}

Api::Answer Api::get_pipeline(const Call& call, Cancel& cancel) {
    MUSHER_CO_TRY(const Json status, co_await reactor_.status(cancel));
    for (const Json& row : status["pipelines"]) {
        if (row["name"] == call.name) co_return row;
    }
    co_return fail(Errc::not_found, "no pipeline is named '" + call.name + "'");
}

Api::Answer Api::get_jobs(const Call& call, Cancel& cancel) {
    const ServerRequest& request = call.request;
    for (const auto& [name, value] : request.query) {
        MUSHER_CO_DO(check_known(name, {"pipeline", "state", "after", "limit"}));
    }
    JobFilter filter;
    MUSHER_CO_TRY(filter.state, parse_state(query(request, "state")));
    MUSHER_CO_TRY(filter.limit, parse_limit(query(request, "limit")));
    const std::string pipeline = query(request, "pipeline");
    MUSHER_CO_TRY(const std::vector<NamedQueue> queues, co_await reactor_.queues(pipeline, cancel));
    MUSHER_CO_TRY(Place place, find_place(query(request, "after"), queues));
    filter.after = std::move(place.cursor);
    Json items = Json::array();
    Json next;
    std::size_t room = filter.limit;
    for (std::size_t i = place.queue; i < queues.size() && next.is_null(); ++i) {
        filter.limit = std::max<std::size_t>(room, 1);  // a full page looks one row further
        MUSHER_CO_TRY(const JobPage page, co_await queues[i].queue->list(filter, cancel));
        filter.after.clear();
        if (room == 0 && !page.items.empty()) next = queues[i].name + ":";
        if (room == 0) continue;
        for (const JobRow& row : page.items) items.push_back(row.to_json(false));
        room -= page.items.size();
        if (!page.next.empty()) next = queues[i].name + ":" + page.next;
    }
    Json page{{"items", std::move(items)}, {"next", std::move(next)}};
    co_return page;
}

Api::Answer Api::get_job(const Call& call, Cancel& cancel) {
    co_return co_await reactor_.job(call.name, cancel);
}

Api::Answer Api::change_job(const Call& call, Cancel& cancel) {
    JobState now = JobState::waiting;
    if (call.verb == "cancel") {
        MUSHER_CO_TRY(now, co_await reactor_.cancel_job(call.name, cancel));
    } else if (call.verb == "replay") {
        MUSHER_CO_DO(co_await reactor_.replay_job(call.name, cancel));
    } else {
        MUSHER_CO_DO(co_await reactor_.hasten_job(call.name, cancel));
    }
    Json done{{"id", call.name}, {"state", state_name(now)}};
    co_return done;
}

Api::Answer Api::set_paused(const Call& call, Cancel& cancel) {
    const bool paused = call.verb == "pause";
    MUSHER_CO_DO(co_await reactor_.set_paused(call.name, paused, cancel));
    Json now{{"pipeline", call.name}, {"paused", paused}};
    co_return now;
}

Api::Answer Api::release(const Call& call, Cancel& cancel) {
    MUSHER_CO_DO(read_body(call.request.body, {}));
    co_return co_await reactor_.release(call.name, cancel);
}

Api::Answer Api::rollback(const Call& call, Cancel&) {
    MUSHER_CO_TRY(const int number, read_rollback(call.request.body));
    co_return co_await reactor_.rollback(call.name, number);
}

Api::Answer Api::purge(const Call& call, Cancel& cancel) {
    MUSHER_CO_TRY(const std::string name, read_purge(call.request.body));
    MUSHER_CO_TRY(const auto state, parse_state(name));
    if (state != JobState::done && state != JobState::dead && state != JobState::cancelled) {
        co_return fail(Errc::usage, "only done, dead and cancelled jobs can be purged");
    }
    std::size_t count = 0;
    MUSHER_CO_TRY(const std::vector<NamedQueue> queues,
                  co_await reactor_.queues(call.name, cancel));
    for (const NamedQueue& one : queues) {
        MUSHER_CO_TRY(const std::size_t more, co_await one.queue->purge(*state, cancel));
        count += more;
    }
    Json purged{{"purged", count}};
    co_return purged;
}

Api::Answer Api::emit(const Call& call, Cancel& cancel) {
    MUSHER_CO_TRY(EmitRequest wish, read_emit(call.request.body));
    co_return co_await reactor_.emit(call.name, std::move(wish.file), std::move(wish.facts),
                                     wish.dry_run, cancel);
}

}  // namespace musher
