#include "pipelines/app/api.h"

#include <fmt/format.h>

#include <charconv>

#include "reactor/base/text.h"

namespace musher {

namespace {
Result<void> check_member(const Json& body, std::string_view key, Json::value_t type) {
    const auto found = body.find(key);
    if (found == body.end() || found->type() == type) return {};
    return fail(Errc::usage, fmt::format("`{}` wants {}, found {}", key, Json(type).type_name(),
                                         found->type_name()));
}

constexpr std::string_view kRoot = "/api/v1/";

std::string query(const ServerRequest& request, const char* name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? "" : found->second;
}

Failure no_such_path(const std::string& path) {
    return fail(Errc::not_found, "there is no " + path, "see the API's paths in the manual");
}

Result<std::optional<JobState>> parse_state(const std::string& text) {
    if (text.empty()) return std::optional<JobState>();
    for (const JobState state : {JobState::waiting, JobState::delayed, JobState::running,
                                 JobState::done, JobState::dead, JobState::cancelled}) {
        if (state_name(state) == text) return std::optional<JobState>(state);
    }
    return fail(Errc::usage, "there is no state '" + text + "'",
                "waiting, delayed, running, done, dead and cancelled are known");
}

/// "a/b" → {"a", "b"}; the second is empty when there is none.
std::pair<std::string, std::string> split(const std::string& rest) {
    const std::size_t slash = rest.find('/');
    if (slash == std::string::npos) return {rest, ""};
    return {rest.substr(0, slash), rest.substr(slash + 1)};
}

/// Takes as long for a first wrong byte as for a last one.
bool same(const std::string& a, const std::string& b) {
    unsigned differences = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        differences |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    }
    return differences == 0;
}

std::string without_port(const std::string& host) {
    const std::size_t colon = host.rfind(':');
    const bool bare_six = host.find(':') != colon && host.back() != ']' && host.front() != '[';
    return colon == std::string::npos || bare_six ? host : host.substr(0, colon);
}

}  // namespace

int status_of(Errc code) {
    switch (code) {
        case Errc::usage:
            return 400;
        case Errc::denied:
            return 403;
        case Errc::not_found:
            return 404;
        case Errc::conflict:
            return 409;
        case Errc::corrupt:
            return 422;
        case Errc::unavailable:
        case Errc::full:
            return 503;
        case Errc::timeout:
        case Errc::cancelled:
            return 504;
        default:
            return 500;
    }
}

Result<void> Api::allowed(const ServerRequest& request) const {
    if (request.local) return {};
    const DaemonConfig& config = reactor_.daemon();
    // A page of another site that resolves its name to us still sends that name.
    const std::string host = without_port(request.host);
    const std::string listen = without_port(config.http_listen);
    const bool known = host == "localhost" || host == "127.0.0.1" || host == "[::1]" ||
                       host == listen || (listen == "0.0.0.0" && !config.http_token.empty());
    if (!known) return fail(Errc::denied, "the Host '" + host + "' is not ours");
    if (request.method == "GET" || request.method == "HEAD") return {};
    if (config.http_token.empty()) {
        return fail(Errc::denied, "changes over TCP need a token, and none is set",
                    "set http.token in musher.yml, or use the control socket");
    }
    if (!same(request.authorization, "Bearer " + config.http_token)) {
        return fail(Errc::denied, "the token is missing or wrong",
                    "send Authorization: Bearer TOKEN");
    }
    return {};
}

Task<ServerReply> Api::handle(ServerRequest request, Cancel& cancel) {
    const std::string& prefix = reactor_.daemon().http_path_prefix;
    if (!prefix.empty() && request.path.rfind(prefix, 0) == 0) {
        request.path = request.path.substr(prefix.size());
    }
    ServerReply reply;
    Result<Json> answer = tl::unexpected(Error());
    const Result<void> may = allowed(request);
    if (!may) {
        answer = fail(may.error());
    } else {
        answer = co_await route(request, cancel);
    }
    if (!answer) {
        reply.status = status_of(answer.error().code);
        reply.body = Json{{"error", to_json(answer.error())}};
        co_return reply;
    }
    reply.body = std::move(*answer);
    if (request.path == "/health" && !reply.body["ok"].get<bool>()) reply.status = 503;
    co_return reply;
}

Json Api::tasks() const {
    Json rows = Json::array();
    for (const TaskRow& row : reactor_.tasks()) {
        const auto age = std::chrono::duration_cast<milliseconds>(row.age).count();
        rows.push_back(Json{
            {"name", row.name}, {"depth", row.depth}, {"age_ms", age}, {"where", row.where}});
    }
    return Json{{"tasks", std::move(rows)}};
}

Task<Result<Json>> Api::route(const ServerRequest& request, Cancel& cancel) {
    const bool get = request.method == "GET";
    if (request.path == "/health" && get) {
        const std::vector<std::string> reasons = reactor_.unhealthy();
        Json health{{"ok", reasons.empty()}, {"reasons", reasons}};
        co_return health;
    }
    if (request.path.rfind(kRoot, 0) != 0) co_return no_such_path(request.path);
    const auto [head, tail] = split(request.path.substr(kRoot.size()));
    if (get && head == "status") co_return co_await reactor_.status(cancel);
    if (get && head == "tasks") co_return tasks();
    if (get && head == "why") {
        std::string path = query(request, "path");
        co_return co_await reactor_.why(std::move(path), cancel);
    }
    if (head == "pipelines") {
        const auto [name, verb] = split(tail);
        if (get && verb.empty()) {
            MUSHER_CO_TRY(const Json status, co_await reactor_.status(cancel));
            for (const Json& row : status["pipelines"]) {
                if (row["name"] == name) co_return row;
            }
            co_return fail(Errc::not_found, "no pipeline is named '" + name + "'");
        }
        if (!get) co_return co_await change_pipeline(name, verb, request, cancel);
    }
    if (head == "jobs") {
        const auto [id, verb] = split(tail);
        if (get && id.empty()) co_return co_await get_jobs(request, cancel);
        if (get && verb.empty()) co_return co_await get_job(id, cancel);
        if (!get) co_return co_await change_job(id, verb, cancel);
    }
    co_return no_such_path(request.path);
}

Task<Result<Json>> Api::get_jobs(const ServerRequest& request, Cancel& cancel) {
    JobFilter filter;
    MUSHER_CO_TRY(filter.state, parse_state(query(request, "state")));
    const std::string limit = query(request, "limit");
    if (!limit.empty()) {
        std::from_chars(limit.data(), limit.data() + limit.size(), filter.limit);
        filter.limit = std::clamp<std::size_t>(filter.limit, 1, 1000);
    }
    const std::string pipeline = query(request, "pipeline");
    // `after` is PIPELINE:CURSOR of the queue that the page before ended in.
    const std::string after = query(request, "after");
    const std::size_t colon = after.find(':');
    std::string resume = after.substr(0, colon);
    std::vector<std::string> names;
    for (const PipelineConfig& config : reactor_.pipelines()) {
        if (pipeline.empty() || config.name == pipeline) names.push_back(config.name);
    }
    if (names.empty()) co_return fail(Errc::not_found, "no pipeline is named '" + pipeline + "'");
    Json items = Json::array();
    std::string next;
    for (const std::string& name : names) {
        if (!resume.empty() && name != resume) continue;
        filter.after = resume.empty() ? "" : after.substr(colon + 1);
        resume.clear();
        MUSHER_CO_TRY(JobQueue * queue, reactor_.queue(name));
        MUSHER_CO_TRY(const JobPage page, co_await queue->list(filter, cancel));
        for (const JobRow& row : page.items) items.push_back(row.to_json(false));
        if (!page.next.empty()) {
            next = name + ":" + page.next;
            break;
        }
        if (page.items.size() >= filter.limit) break;
        filter.limit -= page.items.size();
    }
    Json page{{"items", std::move(items)}, {"next", next.empty() ? Json() : Json(next)}};
    co_return page;
}

Task<Result<Json>> Api::get_job(std::string id, Cancel& cancel) {
    for (JobQueue* queue : reactor_.queues()) {
        const Result<JobRow> row = co_await queue->show(id, cancel);
        if (row) co_return row->to_json(true);
        if (row.error().code != Errc::not_found) co_return fail(row.error());
    }
    co_return fail(Errc::not_found, "no queue knows the job " + id, "see musher jobs list");
}

Task<Result<Json>> Api::change_job(std::string id, std::string verb, Cancel& cancel) {
    Json done{{"id", id}};
    if (verb == "cancel") {
        MUSHER_CO_TRY(const JobState state, co_await reactor_.cancel_job(id, cancel));
        done["state"] = state_name(state);
        co_return done;
    }
    if (verb == "replay") {
        MUSHER_CO_DO(co_await reactor_.replay_job(id, cancel));
        done["state"] = state_name(JobState::waiting);
        co_return done;
    }
    if (verb == "retry") {
        MUSHER_CO_DO(co_await reactor_.hasten_job(id, cancel));
        done["state"] = state_name(JobState::waiting);
        co_return done;
    }
    co_return no_such_path("job verb '" + verb + "'");
}

Task<Result<Json>> Api::purge(std::string pipeline, std::string state, Cancel& cancel) {
    MUSHER_CO_TRY(JobQueue * queue, reactor_.queue(pipeline));
    MUSHER_CO_TRY(const std::optional<JobState> which, parse_state(state));
    if (!which || (*which != JobState::done && *which != JobState::dead &&
                   *which != JobState::cancelled)) {
        co_return fail(Errc::usage, "only done, dead and cancelled jobs can be purged");
    }
    MUSHER_CO_TRY(const std::size_t count, co_await queue->purge(*which, cancel));
    Json purged{{"purged", count}};
    co_return purged;
}

Task<Result<Json>> Api::change_pipeline(std::string name, std::string verb,
                                        const ServerRequest& request, Cancel& cancel) {
    if (verb == "pause" || verb == "resume") {
        MUSHER_CO_DO(co_await reactor_.set_paused(name, verb == "pause", cancel));
        Json now{{"pipeline", name}, {"paused", verb == "pause"}};
        co_return now;
    }
    Json body = Json::object();
    if (!request.body.empty()) {
        MUSHER_CO_TRY(body, parse_json(request.body));
        if (!body.is_object()) co_return fail(Errc::usage, "the body wants a JSON object");
    }
    if (verb == "release") co_return co_await reactor_.release(std::move(name), cancel);
    if (verb == "purge") {
        MUSHER_CO_DO(check_member(body, "state", Json::value_t::string));
        const std::string state = text_in(body, "state", "done");
        co_return co_await purge(name, state, cancel);
    }
    if (verb == "emit") {
        MUSHER_CO_DO(check_member(body, "file", Json::value_t::string));
        MUSHER_CO_DO(check_member(body, "set", Json::value_t::object));
        MUSHER_CO_DO(check_member(body, "dry_run", Json::value_t::boolean));
        std::string file = text_in(body, "file");
        Json facts = body.contains("set") ? body["set"] : Json::object();
        const bool dry_run = flag_in(body, "dry_run");
        co_return co_await reactor_.emit(name, std::move(file), std::move(facts), dry_run, cancel);
    }
    co_return no_such_path("pipeline verb '" + verb + "'");
}

}  // namespace musher
