// run, check, test, explain, completion: verbs that need no running musher.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "pipelines/app/access_check.h"
#include "pipelines/app/completion.h"
#include "pipelines/app/daemon.h"
#include "pipelines/app/describe_verb.h"
#include "pipelines/app/live_check.h"
#include "pipelines/app/problems_answer.h"
#include "pipelines/app/test_verb.h"
#include "pipelines/app/verb.h"
#include "pipelines/config/catalogue.h"
#include "pipelines/config/check.h"
#include "reactor/base/text.h"

namespace musher {

namespace {

using Kind = VerbOption::Kind;

Result<Answer> run(const Call& call) {
    Configuration read = read_configuration(call.config);
    Answer answer = problems_answer(call, read, {call.config});
    if (read.ok()) MUSHER_DO(run_daemon(std::move(read)));
    return answer;
}

Result<Answer> check(const Call& call) {
    const std::vector<std::string> paths = call.list("PATH");
    Configuration read;
    if (paths.empty()) {
        read = read_configuration(call.config);
    } else {
        read = read_pipelines(paths, full_catalogue(), call.text("config"));
    }
    std::vector<std::string> named = paths;
    if (paths.empty() || call.has("config")) named.push_back(call.config);
    const bool sound = read.ok();
    if (call.has("live") && sound) check_live(read);
    if (sound) check_access(read, !call.has("live"));
    Answer answer = problems_answer(call, read, named);
    if (sound && !read.ok()) answer.code = info(Errc::failed).exit_code;
    if (read.ok()) answer.text = fmt::format("ok: {} pipelines\n", read.pipelines.size());
    return answer;
}

/// A default as it can be put into the file again.
std::string as_yaml(std::string_view fallback) {
    const bool list = fallback.starts_with('[') || fallback.starts_with('{');
    const bool plain = fallback.find_first_of("*&!|>%@`'\"#?~, ") == std::string_view::npos;
    return list || plain ? std::string(fallback) : to_line(Json(fallback));
}

void explain_value(const std::string& name, const std::optional<Value>& value, std::string& text) {
    if (!value) return;
    text +=
        fmt::format("{}: {}  # line {}\n", name, to_line(value->to_json(false)), value->at.line);
}

void explain_options(const std::vector<Option>& table, const Value& given, std::string indent,
                     std::string& text) {
    for (const Option& option : table) {
        if (holds_steps(option)) continue;  // told step by step
        const Value* value = given.find(option.name);
        if (value) {
            text += fmt::format("{}{}: {}  # line {}\n", indent, option.name,
                                to_line(value->to_json(false)), value->at.line);
        } else if (!option.fallback.empty()) {
            text +=
                fmt::format("{}{}: {}  # default\n", indent, option.name, as_yaml(option.fallback));
        }
    }
}

void explain_inside(const StepConfig& step, const std::string& indent, std::string& text);

void explain_list(const std::vector<StepConfig>& steps, const std::string& indent,
                  std::string& text) {
    for (const StepConfig& step : steps) {
        text +=
            fmt::format("{}- {}:  # line {}, id {}\n", indent, step.kind, step.at.line, step.id);
        explain_options(step.entry->spec.options, step.options, indent + "    ", text);
        explain_inside(step, indent + "    ", text);
        explain_value(indent + "  when", step.when, text);
        if (step.timeout.count() > 0) {
            text += fmt::format("{}  timeout: {}\n", indent, format_duration(step.timeout));
        }
    }
}

/// The steps inside a step, as they would stand in the file.
void explain_inside(const StepConfig& step, const std::string& indent, std::string& text) {
    std::string option;
    for (const StepBranch& branch : step.branches) {
        const bool alone = !branch.when && branch.option != "branches";
        const char* none = branch.steps.empty() ? " []\n" : "\n";
        if (alone) {
            text += fmt::format("{}{}:{}", indent, branch.option, none);
        } else if (branch.option != option) {
            text += fmt::format("{}{}:\n", indent, branch.option);
        }
        option = branch.option;
        explain_value(indent + "  - when", branch.when, text);
        if (!alone) text += fmt::format("{}{}{}", indent, branch.when ? "    steps:" : "  -", none);
        explain_list(branch.steps, indent + (alone ? "  " : "      "), text);
    }
}

void explain_steps(const char* what, const std::vector<StepConfig>& steps, std::string& text) {
    if (steps.empty()) return;
    text += fmt::format("{}:\n", what);
    explain_list(steps, "  ", text);
}

/// Whether it can only be a file: no pipeline has such a name. A file or folder that happens to be
/// called like a pipeline, which hot folders often are, is not looked into.
bool names_file(const std::string& wanted) {
    const bool written = wanted.find('/') != std::string::npos || wanted.ends_with(".yml") ||
                         wanted.ends_with(".yaml");
    std::error_code failed;
    return written && std::filesystem::is_regular_file(wanted, failed);
}

/// A file, or a pipeline of musher.yml by its name.
Result<Configuration> read_wanted(const Call& call) {
    const std::string wanted = call.text("PIPELINE");
    if (names_file(wanted)) return read_pipelines({wanted});
    Configuration read = read_configuration(call.config);
    const bool sound = read.ok();
    std::vector<std::string> names;
    for (const PipelineConfig& config : read.pipelines) names.push_back(config.name);
    std::erase_if(read.pipelines, [&](const PipelineConfig& p) { return p.name != wanted; });
    if (!read.pipelines.empty() || !sound) return read;
    const std::vector<std::string_view> known(names.begin(), names.end());
    const auto meant = nearest(wanted, known);
    return fail(Errc::not_found, "no pipeline and no file is named '" + wanted + "'",
                meant ? "did you mean '" + std::string(*meant) + "'?" : "see musher check");
}

Result<Answer> explain(const Call& call) {
    MUSHER_TRY(const Configuration read, read_wanted(call));
    Answer answer = problems_answer(call, read, {});
    for (const PipelineConfig& config : read.pipelines) {
        std::string& text = answer.text;
        text += fmt::format("pipeline: {}\nsource:\n  {}:\n", config.name, config.source_kind);
        explain_options(config.source->spec.options, config.source_options, "    ", text);
        explain_value("when", config.when, text);
        explain_value("key", config.key, text);
        explain_value("dedupe", config.dedupe, text);
        explain_steps("steps", config.steps, text);
        explain_steps("on_failure", config.on_failure, text);
        const LimitsConfig& limits = config.limits;
        text += fmt::format(
            "limits: {{ parallel: {}, attempts: {}, backoff: {}..{}, timeout: {}, waiting: {}, "
            "rate: {} }}\n",
            limits.parallel, limits.attempts, format_duration(limits.backoff_from),
            format_duration(limits.backoff_to), format_duration(limits.timeout), limits.waiting,
            limits.rate);
        text += fmt::format("via: {}\npriority: {}\n", config.direct ? "direct" : "queue",
                            config.priority);
        if (!config.queue.empty()) text += fmt::format("queue: {}\n", config.queue);
        if (read.ok()) answer.json = Json{{"pipeline", config.name}, {"text", text}};
    }
    return answer;
}

Result<Answer> completion(const Call& call) {
    Answer answer;
    const std::string shell = call.text("SHELL");
    MUSHER_TRY(answer.text, completion_script(shell));
    answer.json = Json{{"shell", shell}, {"script", answer.text}};
    if (!call.has("WORD")) return answer;
    const std::vector<std::string> found = complete(call.list("WORD"), call.config);
    answer.text = fmt::format("{}{}", fmt::join(found, "\n"), found.empty() ? "" : "\n");
    answer.json = Json{{"words", found}};
    return answer;
}

}  // namespace

const std::vector<Verb>& local_verbs() {
    static const std::vector<Verb> kVerbs = {
        {"run", "the reactor, in the foreground", "  musher run -c musher.yml\n", {}, run},
        {"check",
         "every error of the configuration, in one pass",
         "  musher check\n  musher check pipelines/a.yml --json\n"
         "  sudo -u musher musher check --live\n",
         {{"PATH", Kind::positionals, "pipeline files or folders, or one musher.yml"},
          {"live", Kind::flag, "also try it: folders, the queue's Redis, connections"}},
         check},
        {"test",
         "runs the tests of pipelines, with everything outside simulated",
         "  musher test\n  musher test pipelines/a.yml --filter '*pdf*'\n"
         "  musher test --junit results.xml\n  musher test --update\n",
         {{"PATH", Kind::positionals, "pipeline files or folders, or one musher.yml"},
          {"filter", Kind::value, "only tests of this name or pipeline, or PIPELINE/NAME", false,
           "GLOB"},
          {"junit", Kind::value, "write the results to this file, as JUnit's XML", false, "FILE"},
          {"update", Kind::flag, "write golden files anew instead of comparing with them"}},
         test_verb},
        {"explain",
         "a pipeline with every default, and where each value comes from",
         "  musher explain invoices\n  musher explain pipelines/a.yml\n",
         {{"PIPELINE", Kind::positional, "a pipeline's name, or its file", true}},
         explain},
        {"describe",
         "components and their options",
         "  musher describe\n  musher describe sink directory\n  musher describe expressions\n"
         "  musher describe --schema musher.yml\n"
         "  musher describe source postgres_notify --sql orders --key number | psql shop\n",
         {{"WHAT", Kind::positionals, "source, step or sink, and a name; or expressions"},
          {"reference", Kind::flag, "all of it, in Markdown"},
          {"schema", Kind::flag, "JSON Schema of a pipeline file, or of musher.yml"},
          {"manual", Kind::flag, "manual page of musher, or of musher.yml"},
          {"sql", Kind::value, "what lets a table feed the source, for psql", false, "TABLE"},
          {"key", Kind::value, "--sql: the column that names a row (id)", false, "COLUMN"}},
         describe_verb,
         false},
        {"completion",
         "completion script of a shell",
         "  musher completion bash > /etc/bash_completion.d/musher\n",
         {{"SHELL", Kind::positional, "bash, zsh or fish", true, "", {"bash", "zsh", "fish"}},
          {"WORD", Kind::positionals, "a line so far, behind --: what may come next"}},
         completion,
         false},
    };
    return kVerbs;
}

}  // namespace musher
