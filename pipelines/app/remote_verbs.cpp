// status, why, jobs, emit: verbs that a running musher answers.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "pipelines/app/client.h"
#include "pipelines/app/verb.h"
#include "pipelines/config/check.h"
#include "reactor/base/text.h"

namespace musher {

namespace {

using Kind = VerbOption::Kind;

Result<std::string> state_of(const Call& call) {
    const Configuration read = read_configuration(call.config);
    if (!read.daemon.state.empty()) return read.daemon.state;
    const std::string why = read.problems.empty() ? "" : ": " + read.problems.front().message;
    return fail(Errc::usage, call.config + " cannot be read" + why,
                "name the configuration with -c FILE; musher check shows all that is wrong");
}

Result<Json> call_api(const Call& call, const std::string& method, const std::string& path,
                      const Json& body = nullptr) {
    MUSHER_TRY(const std::string state, state_of(call));
    return ask(state, method, "/api/v1" + path, body);
}

/// Rows of equal width; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += i + 1 < row.size() ? fmt::format("{:<{}}  ", row[i], widths[i]) : row[i];
        }
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

std::string shown(const Json& value) {
    if (value.is_null()) return "-";
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string age(std::int64_t ms) {
    if (ms < 1000) return fmt::format("{}ms", ms);
    if (ms < 120'000) return fmt::format("{}s", ms / 1000);
    if (ms < 7'200'000) return fmt::format("{}m", ms / 60'000);
    return fmt::format("{}h", ms / 3'600'000);
}

Result<Answer> status(const Call& call) {
    Answer answer;
    if (call.has("tasks")) {
        MUSHER_TRY(answer.json, call_api(call, "GET", "/tasks"));
        for (const Json& row : answer.json["tasks"]) {
            answer.text += fmt::format("{:{}}{}  {}  {}\n", "", 2 * row["depth"].get<int>(),
                                       row["name"].get<std::string>(),
                                       age(row["age_ms"].get<std::int64_t>()),
                                       row["where"].get<std::string>());
        }
        return answer;
    }
    MUSHER_TRY(answer.json, call_api(call, "GET", "/status"));
    const Json& all = answer.json;
    answer.text = fmt::format("musher {} on {}, since {}; queue {} {}\n", shown(all["version"]),
                              shown(all["node"]), shown(all["started"]),
                              shown(all["queue"]["url"]),
                              all["queue"]["ok"].get<bool>() ? "ok" : "AWAY");
    std::vector<std::vector<std::string>> rows = {{"PIPELINE", "STATE", "WAITING", "DELAYED",
                                                   "RUNNING", "DONE", "DEAD", "OLDEST", "PROBLEM"}};
    for (const Json& row : all["pipelines"]) {
        rows.push_back({shown(row["name"]), shown(row["state"]), shown(row["waiting"]),
                        shown(row["delayed"]), shown(row["running"]), shown(row["done"]),
                        shown(row["dead"]), age(row["oldest_ms"].get<std::int64_t>()),
                        row["problem"].is_null() ? "" : shown(row["problem"])});
    }
    answer.text += table(rows);
    return answer;
}

Result<Answer> why(const Call& call) {
    Answer answer;
    const std::string path = std::filesystem::absolute(call.text("PATH")).lexically_normal();
    MUSHER_TRY(answer.json, call_api(call, "GET", "/why?path=" + url_encode(path)));
    answer.text = fmt::format("{}: {} ({})", shown(answer.json["path"]),
                              shown(answer.json["state"]), shown(answer.json["reason"]));
    if (!answer.json["detail"].get<std::string>().empty()) {
        answer.text += ": " + shown(answer.json["detail"]);
    }
    if (!answer.json["since"].is_null()) answer.text += ", since " + shown(answer.json["since"]);
    if (const auto next = answer.json["next_check_ms"].get<std::int64_t>(); next > 0) {
        answer.text += ", looked at again in " + age(next);
    }
    answer.text += "\n";
    return answer;
}

Result<Answer> jobs_list(const Call& call) {
    Answer answer;
    std::string path = "/jobs?limit=" + (call.has("limit") ? call.text("limit") : "50");
    for (const char* name : {"pipeline", "state", "after"}) {
        if (call.has(name)) path += fmt::format("&{}={}", name, url_encode(call.text(name)));
    }
    MUSHER_TRY(answer.json, call_api(call, "GET", path));
    std::vector<std::vector<std::string>> rows = {
        {"ID", "PIPELINE", "STATE", "TRY", "CREATED", "WHAT"}};
    for (const Json& job : answer.json["items"]) {
        const Json& facts = job["event"]["facts"];
        std::string what = facts.value("name", shown(job["event"]["kind"]));
        if (job["error"].is_object()) what += ": " + job["error"].value("message", "");
        rows.push_back({shown(job["id"]), shown(job["pipeline"]), shown(job["state"]),
                        shown(job["attempt"]), shown(job["created"]), what});
    }
    answer.text = rows.size() > 1 ? table(rows) : "no jobs\n";
    if (!answer.json["next"].is_null()) {
        answer.text += "more: --after " + shown(answer.json["next"]) + "\n";
    }
    return answer;
}

Result<Answer> jobs_show(const Call& call) {
    Answer answer;
    MUSHER_TRY(answer.json, call_api(call, "GET", "/jobs/" + url_encode(call.text("ID"))));
    const Json& job = answer.json;
    answer.text = fmt::format("job {} of {}: {}, try {}\n", shown(job["id"]),
                              shown(job["pipeline"]), shown(job["state"]), shown(job["attempt"]));
    for (const auto& [name, value] : job["event"]["facts"].items()) {
        answer.text += fmt::format("  event.{}: {}\n", name, shown(value));
    }
    for (const Json& receipt : job["receipts"]) {
        answer.text += fmt::format("  {} delivered {}\n", receipt.value("step", ""),
                                   receipt.value("target", ""));
    }
    if (job["error"].is_object()) {
        answer.text += fmt::format("  error: {}\n", job["error"].value("message", ""));
    }
    for (const Json& line : job.value("story", Json::array())) {
        answer.text += fmt::format("  {}  try {}  {} {} {}\n", line.value("time", ""),
                                   line.value("attempt", 0), line.value("what", ""),
                                   line.value("step", ""), line.value("detail", ""));
    }
    return answer;
}

std::function<Result<Answer>(const Call&)> change_job(const char* verb) {
    return [verb](const Call& call) -> Result<Answer> {
        Answer answer;
        MUSHER_TRY(answer.json, call_api(call, "POST",
                                         "/jobs/" + url_encode(call.text("ID")) + "/" + verb));
        answer.text =
            fmt::format("job {} is {}\n", shown(answer.json["id"]), shown(answer.json["state"]));
        return answer;
    };
}

std::function<Result<Answer>(const Call&)> change_pipeline(const char* verb) {
    return [verb](const Call& call) -> Result<Answer> {
        Answer answer;
        MUSHER_TRY(answer.json,
                   call_api(call, "POST",
                            "/pipelines/" + url_encode(call.text("PIPELINE")) + "/" + verb));
        answer.text = fmt::format("{} is {}\n", shown(answer.json["pipeline"]),
                                  answer.json["paused"].get<bool>() ? "paused" : "running");
        return answer;
    };
}

Result<Answer> jobs_purge(const Call& call) {
    Answer answer;
    const Json body{{"state", call.has("state") ? call.text("state") : "done"}};
    const std::string path = "/pipelines/" + url_encode(call.text("PIPELINE")) + "/purge";
    MUSHER_TRY(answer.json, call_api(call, "POST", path, body));
    answer.text = fmt::format("{} jobs forgotten\n", shown(answer.json["purged"]));
    return answer;
}

Result<Answer> emit(const Call& call) {
    Json body{{"dry_run", call.has("dry-run")}, {"set", Json::object()}};
    if (call.has("file")) {
        body["file"] = std::filesystem::absolute(call.text("file")).lexically_normal().string();
    }
    for (const std::string& pair : call.list("set")) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(Errc::usage, "--set wants NAME=VALUE, found '" + pair + "'");
        }
        // Numbers, true, false and JSON as such; everything else is text.
        const Result<Json> value = parse_json(pair.substr(equals + 1));
        body["set"][pair.substr(0, equals)] = value ? *value : Json(pair.substr(equals + 1));
    }
    Answer answer;
    const std::string path = "/pipelines/" + url_encode(call.text("PIPELINE")) + "/emit";
    MUSHER_TRY(answer.json, call_api(call, "POST", path, body));
    if (call.has("dry-run")) {
        answer.text = answer.json.dump(2) + "\n";
    } else if (answer.json["accepted"].get<bool>()) {
        answer.text = fmt::format("job {}\n", shown(answer.json["id"]));
    } else {
        answer.text = "no job: `when` is false for this event\n";
    }
    return answer;
}

const VerbOption kId{"ID", Kind::positional, "the job's id", true};
const VerbOption kPipeline{"PIPELINE", Kind::positional, "the pipeline's name", true};

}  // namespace

const std::vector<Verb>& remote_verbs() {
    static const std::vector<Verb> kVerbs = {
        {"status", "what runs now", "  musher status\n  musher status --json | jq .pipelines\n",
         {{"tasks", Kind::flag, "the tree of running tasks, with ages"}}, status},
        {"why", "why a file is waiting", "  musher why /srv/in/report.pdf\n",
         {{"PATH", Kind::positional, "a file in or near a hot folder", true}}, why},
        {"jobs list", "jobs, newest or next first",
         "  musher jobs list --state dead\n  musher jobs list --pipeline invoices --limit 10\n",
         {{"pipeline", Kind::value, "only this pipeline"},
          {"state", Kind::value, "waiting, delayed, running, done, dead or cancelled"},
          {"limit", Kind::value, "how many (50)"},
          {"after", Kind::value, "where the page before ended"}},
         jobs_list},
        {"jobs show", "one job with its whole story", "  musher jobs show ID\n", {kId}, jobs_show},
        {"jobs retry", "a delayed job becomes due now", "  musher jobs retry ID\n", {kId},
         change_job("retry")},
        {"jobs cancel", "cancel a waiting or running job", "  musher jobs cancel ID\n", {kId},
         change_job("cancel")},
        {"jobs replay", "a dead job runs again, skipping what is done",
         "  musher jobs replay ID\n", {kId}, change_job("replay")},
        {"jobs pause", "no new jobs of a pipeline start", "  musher jobs pause invoices\n",
         {kPipeline}, change_pipeline("pause")},
        {"jobs resume", "end a pause", "  musher jobs resume invoices\n", {kPipeline},
         change_pipeline("resume")},
        {"jobs purge", "forget finished jobs",
         "  musher jobs purge invoices --state dead\n",
         {kPipeline, {"state", Kind::value, "done (default), dead or cancelled"}}, jobs_purge},
        {"emit", "make an event by hand",
         "  musher emit invoices --file a.pdf --dry-run\n  musher emit nightly --set day=3\n",
         {kPipeline,
          {"file", Kind::value, "the job's body; it stays where it is"},
          {"set", Kind::many, "NAME=VALUE: a field of the event"},
          {"dry-run", Kind::flag, "show what would happen, do nothing"}},
         emit},
    };
    return kVerbs;
}

}  // namespace musher
