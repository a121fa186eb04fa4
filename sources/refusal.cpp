#include "sources/refusal.h"

#include "reactor/base/clock.h"
#include "reactor/base/text.h"

namespace musher::hotfolder {

namespace {
/// The contract's Job of an event that never was one.
Json job_of(const Event& event, const std::string& now) {
    Json body{{"path", escape_name(event.file)}};
    if (event.facts->contains("size")) body["size"] = event.facts->at("size");
    const std::string created = event.time_ms > 0 ? format_time(event.time_ms) : now;
    return Json{{"v", 1},         {"id", event.id},     {"pipeline", event.source},
                {"queue", ""},    {"revision", 0},      {"priority", 0},
                {"key", ""},      {"dedupe", ""},       {"state", "dead"},
                {"attempt", 0},   {"created", created}, {"due", nullptr},
                {"ended", now},   {"event", event.to_json()},
                {"body", body},   {"receipts", Json::array()}};
}
}  // namespace

void refuse(Settlement& one, Error error, const std::string& what, std::int64_t now_ms) {
    const std::string now = format_time(now_ms);
    Json told = to_json(error);
    told["step"] = "";
    told["attempt"] = 0;
    told["time"] = now;
    if (!one.report.is_object()) {
        one.report = Json{{"job", job_of(one.event, now)}, {"story", Json::array()}};
    }
    one.report["story"].push_back(Json{{"time", now},
                                       {"what", what},
                                       {"step", ""},
                                       {"attempt", 0},
                                       {"took_ms", 0},
                                       {"detail", error.text()}});
    one.report["job"]["error"] = told;
    one.report["error"] = std::move(told);
    one.outcome = musher::Outcome::failed;
    one.error = std::move(error);
}

}  // namespace musher::hotfolder
