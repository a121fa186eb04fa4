// status, why, emit: verbs that a running musher answers.
#include <fmt/format.h>

#include <filesystem>

#include "pipelines/app/ask.h"
#include "pipelines/app/tap_verb.h"
#include "pipelines/app/top_verb.h"
#include "pipelines/verb/verb_text.h"

namespace musher {

namespace {

using Kind = VerbOption::Kind;

Result<Answer> status(const Call& call) {
    Answer answer;
    if (call.has("tasks")) {
        MUSHER_TRY(answer.json, ask_musher(call, ApiCall{"GET", "/tasks"}));
        for (const Json& row : answer.json["tasks"]) {
            answer.text +=
                fmt::format("{:{}}{}  {}  {}\n", "", 2 * row["depth"].get<int>(),
                            row["name"].get<std::string>(), age(row["age_ms"].get<std::int64_t>()),
                            row["where"].get<std::string>());
        }
        return answer;
    }
    MUSHER_TRY(answer.json, ask_queue(call, ApiCall{"GET", "/status"}));
    const Json& all = answer.json;
    const std::string since =
        all["started"].is_null() ? "not running" : "since " + shown(all["started"]);
    answer.text = fmt::format("musher {} on {}, {}; queue {} {}\n", shown(all["version"]),
                              shown(all["node"]), since, shown(all["queue"]["url"]),
                              all["queue"]["ok"].get<bool>() ? "ok" : "AWAY");
    if (!all["problem"].is_null()) answer.text += "configuration: " + shown(all["problem"]) + "\n";
    for (const Json& setting : all["restart_needed"]) {
        answer.text += "waits for a restart: " + shown(setting) + "\n";
    }
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

Result<std::string> absolute_path(std::string_view what, const std::string& given) {
    if (given.empty()) return fail(Errc::usage, fmt::format("{} is empty", what), "name a file");
    std::error_code failed;  // the working directory may be gone
    const std::filesystem::path path = std::filesystem::absolute(given, failed);
    if (failed) return tl::unexpected(errno_error(failed.value(), "resolving " + given));
    return path.lexically_normal().string();
}

Result<Answer> why(const Call& call) {
    Answer answer;
    MUSHER_TRY(const std::string path, absolute_path("PATH", call.text("PATH")));
    const ApiCall question{"GET", "/why", {{"path", path}}};
    MUSHER_TRY(answer.json, ask_musher(call, question));
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

Result<Answer> emit(const Call& call) {
    Json body{{"dry_run", call.has("dry-run")}, {"set", Json::object()}};
    if (call.has("file")) {
        MUSHER_TRY(body["file"], absolute_path("--file", call.text("file")));
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
    ApiCall order{"POST", "/pipelines/" + call.text("PIPELINE") + "/emit"};
    order.body = std::move(body);
    MUSHER_TRY(answer.json, ask_musher(call, order));
    if (call.has("dry-run")) {
        answer.text = answer.json.dump(2) + "\n";
    } else if (answer.json["accepted"].get<bool>()) {
        answer.text = fmt::format("job {}\n", shown(answer.json["id"]));
    } else {
        answer.text = "no job: `when` is false for this event\n";
    }
    return answer;
}

Result<Answer> rollback(const Call& call) {
    ApiCall order{"POST", "/pipelines/" + call.text("PIPELINE") + "/rollback"};
    if (call.has("to")) {
        const Result<Json> number = parse_json(call.text("to"));
        if (!number || !number->is_number_unsigned() || *number == 0) {
            return fail(Errc::usage,
                        "--to wants the number of a revision, found '" + call.text("to") + "'",
                        "<state>/revisions/PIPELINE/ holds the last ones");
        }
        order.body = Json{{"revision", *number}};
    }
    Answer answer;
    MUSHER_TRY(answer.json, ask_musher(call, order));
    answer.text = fmt::format("{} holds revision {} again\n", shown(answer.json["file"]),
                              shown(answer.json["revision"]));
    return answer;
}

}  // namespace

const std::vector<Verb>& remote_verbs() {
    static const std::vector<Verb> kVerbs = {
        {"status",
         "what runs now",
         "  musher status\n  musher status --json | jq .pipelines\n",
         {{"tasks", Kind::flag, "the tree of running tasks, with ages"}},
         status},
        top_verb(),
        tap_verb(),
        {"why",
         "why a file is waiting",
         "  musher why /srv/in/report.pdf\n",
         {{"PATH", Kind::positional, "a file in or near a hot folder", true}},
         why},
        {"emit",
         "make an event by hand",
         "  musher emit invoices --file a.pdf --dry-run\n  musher emit nightly --set day=3\n",
         {{"PIPELINE", Kind::positional, "the pipeline's name", true},
          {"file", Kind::value, "the job's body; it stays where it is", false, "FILE"},
          {"set", Kind::many, "a field of the event; may be given again", false, "NAME=VALUE"},
          {"dry-run", Kind::flag, "show what would happen, do nothing"}},
         emit},
        {"rollback",
         "put an earlier text back into a pipeline's file",
         "  musher rollback invoices\n  musher rollback invoices --to 12\n",
         {{"PIPELINE", Kind::positional, "the pipeline's name", true},
          {"to", Kind::value, "a revision; the last one that ran before, if not given", false,
           "N"}},
         rollback},
    };
    return kVerbs;
}

}  // namespace musher
