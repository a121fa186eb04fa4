#include "pipelines/app/tap_verb.h"

#include <fmt/format.h>

#include <cstdio>

#include "pipelines/app/ask.h"
#include "pipelines/app/event_reader.h"
#include "pipelines/verb/verb_loop.h"
#include "pipelines/verb/verb_text.h"
#include "reactor/base/backoff.h"
#include "reactor/drivers/http.h"

namespace musher {

namespace {

using Kind = VerbOption::Kind;
constexpr Duration kSilence = std::chrono::seconds(40);  // a musher says every 10 s that it lives

/// "2026-11-21T18:00:00.123Z  invoices  done       ID  try 1  a.pdf  step: reason"
std::string people_line(const Json& event) {
    std::string line = fmt::format("{}  {}  {:<9}", shown(event["time"]), shown(event["pipeline"]),
                                   shown(event["state"]));
    if (!event["job"].is_null()) line += "  " + shown(event["job"]);
    if (!event["attempt"].is_null()) line += "  try " + shown(event["attempt"]);
    if (!event["name"].is_null()) line += "  " + shown(event["name"]);
    const bool step = !event["step"].is_null();
    const bool reason = !event["reason"].is_null();
    if (step) line += "  " + shown(event["step"]);
    if (reason) line += (step ? ": " : "  ") + shown(event["reason"]);
    return line + "\n";
}

/// One reader of one musher, also of the ones that come after it. Loop thread only.
class Tap {
  public:
    Tap(Loop& loop, std::string state, const Call& call)
        : loop_(loop), state_(std::move(state)), json_(call.json) {
        for (const char* name : {"PIPELINE", "state"}) {
            if (!call.has(name)) continue;
            api_.query[name == std::string_view("state") ? "state" : "pipeline"] = call.text(name);
        }
    }
    /// Until `stop`, or until nobody reads what it writes; an error when it never got anything.
    Task<Result<void>> run(Cancel& stop);

  private:
    Task<Result<void>> listen(Http& http, Cancel& stop);
    bool take(std::string_view piece);
    void tell(const ServerEvent& event);
    void say(const std::string& what) {
        std::fputs(("musher tap: " + what + "\n").c_str(), stderr);
    }

    Loop& loop_;
    std::string state_;
    bool json_;
    ApiCall api_{"GET", "/events"};
    EventReader reader_;
    std::string last_;     // id of the last event seen
    std::string parted_;   // why the server said good-bye
    bool heard_ = false;   // on this connection
    bool ever_ = false;    // on any
    bool unread_ = false;  // nobody reads our output
};

void Tap::tell(const ServerEvent& event) {
    const Result<Json> data = parse_own_json(event.data);
    if (!data || !data->is_object()) return;
    if (event.type == "end" || event.type == "cut") {
        parted_ = text_in(*data, "reason");
    } else if (event.type == "missed") {
        say("events were missed: " + shown(Json(text_in(*data, "reason"))));
    } else if (data->contains("time")) {
        last_ = event.id;
        std::fputs(json_ ? (event.data + "\n").c_str() : people_line(*data).c_str(), stdout);
    }
}

bool Tap::take(std::string_view piece) {
    if (!std::exchange(heard_, true) && std::exchange(ever_, true)) say("connected again");
    for (const ServerEvent& event : reader_.take(piece)) tell(event);
    unread_ = std::fflush(stdout) != 0;
    return !unread_ && !reader_.broken();
}

/// The error of a server that will not let us listen; else what ended it is in `parted_`.
Task<Result<void>> Tap::listen(Http& http, Cancel& stop) {
    HttpRequest request = api_request(state_, api_);
    request.timeout = Duration(0);
    request.silence = kSilence;
    request.on_data = [this](std::string_view piece) { return take(piece); };
    if (!last_.empty()) request.headers.push_back("Last-Event-ID: " + last_);
    heard_ = false;
    reader_ = EventReader();
    parted_ = "musher went away";
    const Result<HttpResponse> response = co_await http.send(request, stop);
    if (response && !response->ok()) {
        const Result<Json> told = parse_own_json(response->body);
        if (told && told->contains("error")) co_return fail(error_from_json((*told)["error"]));
        co_return fail(Errc::failed, fmt::format("the server answered {}", response->status));
    }
    if (!response && !heard_) co_return fail(unreachable(state_, response.error()));
    co_return Result<void>();
}

Task<Result<void>> Tap::run(Cancel& stop) {
    Http http(loop_);
    Backoff backoff(milliseconds(200), std::chrono::seconds(5));
    bool told = false;
    for (;;) {
        const Result<void> listened = co_await listen(http, stop);
        if (stop.requested() || unread_) co_return Result<void>();
        const bool hopeless = !listened && listened.error().code != Errc::unavailable;
        if (!listened && (!ever_ || hopeless)) co_return listened;
        if (listened) {
            backoff.reset();
            told = false;
        }
        if (!std::exchange(told, true)) say("cut off: " + parted_ + "; it is asked again");
        const Result<void> slept = co_await loop_.timers().sleep(backoff.next(), stop);
        if (!slept) co_return Result<void>();
    }
}

Task<Result<void>> follow(Loop& loop, std::string state, const Call& call, Cancel& stop) {
    Tap reader(loop, std::move(state), call);
    co_return co_await reader.run(stop);
}

Result<Answer> tap(const Call& call) {
    MUSHER_TRY(const std::string state, state_folder(call));
    auto work = [&](Loop& loop, Cancel& stop) { return follow(loop, state, call, stop); };
    MUSHER_DO(run_on_loop<void>(work));
    Answer answer;
    answer.told = true;
    return answer;
}

}  // namespace

const Verb& tap_verb() {
    static const Verb kVerb{
        "tap",
        "what happens, as it happens: states of jobs, held sinks, edits",
        "  musher tap\n  musher tap invoices --state dead\n"
        "  musher tap --json | jq -r .job   # one document per line\n",
        {{"PIPELINE", Kind::positional, "only of this pipeline", false},
         {"state",
          Kind::value,
          "only what came into this state",
          false,
          "STATE",
          {"waiting", "delayed", "running", "done", "dead", "cancelled", "held", "recovered",
           "paused", "resumed", "added", "edited", "removed", "refused", "mended"}}},
        tap};
    return kVerb;
}

}  // namespace musher
