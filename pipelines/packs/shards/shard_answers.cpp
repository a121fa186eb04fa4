#include "pipelines/packs/shards/shard_answers.h"

#include <fmt/format.h>

#include "pipelines/verb/verb_text.h"
#include "reactor/base/clock.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
/// As JSON and terminals can hold it.
std::string named(const std::string& bytes) { return shown(Json(escape_name(bytes))); }

Json names(const std::vector<std::string>& all) {
    Json list = Json::array();
    for (const std::string& one : all) list.push_back(escape_name(one));
    return list;
}
std::string joined(const std::vector<std::string>& all) {
    std::string text;
    for (const std::string& one : all) text += (text.empty() ? "" : ", ") + named(one);
    return text.empty() ? "-" : text;
}
std::string amount(const TreeTotals& totals) {
    return counted(totals.files, "file") + ", " + counted(totals.bytes, "byte");
}
Json row_json(const ShardRow& row) {
    return Json{{"shard", escape_name(row.name)},
                {"state", state_name(row.state)},
                {"users", names(row.users)},
                {"source", row.source.empty() ? Json() : Json(escape_name(row.source))},
                {"busy", row.busy}};
}
}  // namespace

std::vector<std::string> losses_of(const TreeTotals& totals) {
    std::vector<std::string> lines;
    if (totals.skipped > 0) {
        lines.push_back(fmt::format("{} sockets, pipes or devices were left out", totals.skipped));
    }
    if (totals.unkept > 0) {
        lines.push_back(fmt::format("{} owners or attributes could not be kept", totals.unkept));
    }
    return lines;
}

Answer copied_answer(const ShardSpot& spot, const ShardOutcome& outcome) {
    Answer answer;
    answer.text = named(spot.name) + ": ";
    if (outcome.copied) {
        answer.text += "copied, " + amount(outcome.totals);
    } else {
        answer.text += outcome.changed ? "already on the SSD" : "on the SSD and registered before";
    }
    answer.text += "; users: " + joined(outcome.users) + "\n";
    for (const std::string& line : losses_of(outcome.totals)) answer.text += line + "\n";
    answer.json = Json{{"shard", escape_name(spot.name)},  {"target", escape_name(spot.target())},
                       {"copied", outcome.copied},         {"changed", outcome.changed},
                       {"users", names(outcome.users)},    {"files", outcome.totals.files},
                       {"bytes", outcome.totals.bytes},    {"left_out", outcome.totals.skipped},
                       {"not_kept", outcome.totals.unkept}};
    return answer;
}

Answer removed_answer(const ShardSpot& spot, const std::string& user, const ShardOutcome& outcome) {
    Answer answer;
    if (!outcome.changed) {
        answer.text = fmt::format("{}: {} does not use it; nothing was changed\n", named(spot.name),
                                  named(user));
    } else if (outcome.users.empty()) {
        answer.text = named(spot.name) + ": removed from the SSD\n";
    } else {
        answer.text =
            fmt::format("{}: still used by {}\n", named(spot.name), joined(outcome.users));
    }
    answer.json = Json{{"shard", escape_name(spot.name)},
                       {"target", escape_name(spot.target())},
                       {"removed", outcome.changed && outcome.users.empty()},
                       {"changed", outcome.changed},
                       {"users", names(outcome.users)}};
    return answer;
}

Answer list_answer(const std::vector<ShardRow>& rows) {
    Answer answer;
    answer.json["shards"] = Json::array();
    std::vector<std::vector<std::string>> lines = {{"SHARD", "STATE", "USERS", "SOURCE"}};
    for (const ShardRow& row : rows) {
        answer.json["shards"].push_back(row_json(row));
        lines.push_back({named(row.name),
                         std::string(state_name(row.state)) + (row.busy ? ", busy" : ""),
                         joined(row.users), row.source.empty() ? "-" : named(row.source)});
    }
    answer.text = table(lines);
    return answer;
}

Answer status_answer(const ShardSpot& spot, const ShardRow& row, const TreeTotals& totals) {
    Answer answer;
    answer.json = row_json(row);
    answer.json["target"] = escape_name(spot.target());
    answer.json["files"] = totals.files;
    answer.json["bytes"] = totals.bytes;
    answer.text = table({{"shard", named(row.name)},
                         {"state", std::string(state_name(row.state)) +
                                       (row.busy ? ", somebody holds its lock" : "")},
                         {"users", joined(row.users)},
                         {"source", row.source.empty() ? "not known" : named(row.source)},
                         {"target", named(spot.target())},
                         {"holds", amount(totals)}});
    return answer;
}

namespace {
/// One shard's part of the answer; its exit code.
Errc tell(const ShardVerdict& verdict, Answer& answer, Json& row, bool& ok) {
    const std::string name = named(verdict.row.name);
    ok = false;
    if (verdict.row.state == ShardState::missing) {
        answer.text += name + ": is not on the SSD\n";
        return Errc::not_found;
    }
    if (!verdict.found) {
        row["error"] = to_json(verdict.found.error());
        answer.text += name + ": not compared: " + verdict.found.error().text() + "\n";
        return verdict.found.error().code;
    }
    const TreeComparison& found = *verdict.found;
    row["files"] = found.totals.files;
    row["bytes"] = found.totals.bytes;
    row["differences"] = found.differences;
    row["differing"] = names(found.differing);
    ok = found.differences == 0;
    if (ok) {
        answer.text += name + ": ok, " + amount(found.totals) + "\n";
        return Errc::failed;
    }
    answer.text += fmt::format("{}: differs from {} ({})\n", name, named(verdict.source),
                               counted(found.differences, "difference"));
    for (const std::string& one : found.differing) answer.text += "  " + named(one) + "\n";
    return Errc::corrupt;
}
}  // namespace

Answer verify_answer(const std::vector<ShardVerdict>& verdicts) {
    Answer answer;
    Json rows = Json::array();
    for (const ShardVerdict& verdict : verdicts) {
        Json row = row_json(verdict.row);
        if (verdict.skipped) {
            answer.text += named(verdict.row.name) + ": skipped: its source is not known\n";
            row["ok"] = nullptr;
            rows.push_back(std::move(row));
            continue;
        }
        if (!verdict.source.empty()) row["source"] = escape_name(verdict.source);
        bool ok = false;
        const Errc code = tell(verdict, answer, row, ok);
        row["ok"] = ok;
        rows.push_back(std::move(row));
        if (ok || answer.code == info(Errc::corrupt).exit_code) continue;
        answer.code = info(code).exit_code;
    }
    if (verdicts.empty()) answer.text = "there are no shards\n";
    answer.json = Json{{"ok", answer.code == 0}, {"shards", std::move(rows)}};
    return answer;
}

Answer garbage_answer(const ShardGarbage& found, bool dry) {
    Answer answer;
    const char* done = dry ? "would go: " : "removed: ";
    for (const auto* list : {&found.trees, &found.files}) {
        for (const std::string& one : *list) answer.text += done + named(one) + "\n";
    }
    for (const std::string& one : found.orphans) {
        answer.text += done + named(one) + ", which nobody uses\n";
    }
    Json faults = Json::array();
    for (const Error& fault : found.faults) {
        answer.text += "stays: " + named(fault.text()) + "\n";
        faults.push_back(to_json(fault));
    }
    if (!found.faults.empty()) answer.code = info(found.faults.front().code).exit_code;
    if (answer.text.empty()) answer.text = "nothing is left to remove\n";
    answer.json = Json{{"trees", names(found.trees)},
                       {"files", names(found.files)},
                       {"orphans", names(found.orphans)},
                       {"errors", std::move(faults)}};
    return answer;
}

}  // namespace musher
