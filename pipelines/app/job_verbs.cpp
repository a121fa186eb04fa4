// jobs …: what the queues hold. They work without a running musher too.
#include <fmt/format.h>

#include "pipelines/app/ask.h"
#include "pipelines/verb/verb_text.h"

namespace musher {

namespace {

using Kind = VerbOption::Kind;

Result<Answer> jobs_list(const Call& call) {
    Answer answer;
    ApiCall page{"GET", "/jobs", {{"limit", "50"}}};
    for (const char* name : {"pipeline", "state", "after", "limit"}) {
        if (call.has(name)) page.query[name] = call.text(name);
    }
    MUSHER_TRY(answer.json, ask_queue(call, page));
    std::vector<std::vector<std::string>> rows = {
        {"ID", "PIPELINE", "STATE", "TRY", "CREATED", "WHAT"}};
    for (const Json& job : answer.json["items"]) {
        const Json& facts = job["event"]["facts"];
        std::string what = shown(facts.contains("name") ? facts["name"] : job["event"]["kind"]);
        if (flag_in(job, "on_failure")) what = "on_failure of " + what;
        if (job["error"].is_object()) what += ": " + shown(job["error"]["message"]);
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
    const ApiCall one{"GET", "/jobs/" + call.text("ID")};
    MUSHER_TRY(answer.json, ask_queue(call, one));
    const Json& job = answer.json;
    answer.text = fmt::format("job {} of {}{}: {}, try {}\n", shown(job["id"]),
                              flag_in(job, "on_failure") ? "on_failure of " : "",
                              shown(job["pipeline"]), shown(job["state"]), shown(job["attempt"]));
    for (const auto& [name, value] : job["event"]["facts"].items()) {
        answer.text += fmt::format("  event.{}: {}\n", name, shown(value));
    }
    if (const Json& body = job["body"]; body.is_object()) {
        const std::string where = body["path"].is_null() ? "gone, or nobody knows where"
                                                         : shown(body["path"]);
        answer.text += fmt::format("  file: {}\n", where);
    }
    for (const Json& receipt : job["receipts"]) {
        answer.text += fmt::format("  {} delivered {}\n", shown(receipt["step"]),
                                   shown(receipt["target"]));
    }
    if (job["error"].is_object()) {
        answer.text += fmt::format("  error: {}\n", shown(job["error"]["message"]));
    }
    for (const Json& line : job.value("story", Json::array())) {
        std::string what = shown(line["what"]);
        for (const char* more : {"step", "detail"}) {
            if (!text_in(line, more).empty()) what += " " + shown(line[more]);
        }
        answer.text += fmt::format("  {}  try {}  {}\n", shown(line["time"]),
                                   shown(line["attempt"]), what);
    }
    return answer;
}

std::function<Result<Answer>(const Call&)> change_job(const char* verb) {
    return [verb](const Call& call) -> Result<Answer> {
        Answer answer;
        const ApiCall change{"POST", "/jobs/" + call.text("ID") + "/" + verb};
        MUSHER_TRY(answer.json, ask_queue(call, change));
        answer.text =
            fmt::format("job {} is {}\n", shown(answer.json["id"]), shown(answer.json["state"]));
        return answer;
    };
}

std::function<Result<Answer>(const Call&)> change_pipeline(const char* verb) {
    return [verb](const Call& call) -> Result<Answer> {
        Answer answer;
        const ApiCall change{"POST", "/pipelines/" + call.text("PIPELINE") + "/" + verb};
        MUSHER_TRY(answer.json, ask_queue(call, change));
        answer.text = fmt::format("{} is {}\n", shown(answer.json["pipeline"]),
                                  answer.json["paused"].get<bool>() ? "paused" : "running");
        return answer;
    };
}

Result<Answer> jobs_release(const Call& call) {
    Answer answer;
    const ApiCall order{"POST", "/pipelines/" + call.text("PIPELINE") + "/release"};
    MUSHER_TRY(answer.json, ask_queue(call, order));
    answer.text = fmt::format("{} jobs released, {} kept\n", shown(answer.json["released"]),
                              shown(answer.json["kept"]));
    return answer;
}

Result<Answer> jobs_purge(const Call& call) {
    Answer answer;
    ApiCall forget{"POST", "/pipelines/" + call.text("PIPELINE") + "/purge"};
    forget.body = Json{{"state", call.has("state") ? call.text("state") : "done"}};
    MUSHER_TRY(answer.json, ask_queue(call, forget));
    answer.text = fmt::format("{} jobs forgotten\n", shown(answer.json["purged"]));
    return answer;
}

const VerbOption kId{"ID", Kind::positional, "the job's id", true};
const VerbOption kPipeline{"PIPELINE", Kind::positional, "the pipeline's name", true};

}  // namespace

const std::vector<Verb>& job_verbs() {
    static const std::vector<Verb> kVerbs = {
        {"jobs list", "jobs, pipeline by pipeline, in each the newest or the next first",
         "  musher jobs list --state dead\n  musher jobs list --pipeline invoices --limit 10\n",
         {{"pipeline", Kind::value, "only this pipeline", false, "NAME"},
          {"state", Kind::value, "waiting, delayed, running, done, dead or cancelled", false,
           "STATE", {"waiting", "delayed", "running", "done", "dead", "cancelled"}},
          {"limit", Kind::value, "how many (50)", false, "N"},
          {"after", Kind::value, "where the page before ended", false, "PLACE"}},
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
        {"jobs release", "files of waiting jobs go back to their folder, the jobs are forgotten",
         "  musher jobs pause invoices && musher jobs release invoices\n"
         "  musher jobs release invoices   # its file was removed from pipelines/\n",
         {kPipeline}, jobs_release},
        {"jobs purge", "forget finished jobs",
         "  musher jobs purge invoices --state dead\n",
         {kPipeline,
          {"state", Kind::value, "done (default), dead or cancelled", false, "STATE",
           {"done", "dead", "cancelled"}}},
         jobs_purge},
    };
    return kVerbs;
}

}  // namespace musher
