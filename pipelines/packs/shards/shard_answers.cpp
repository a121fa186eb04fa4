#include "pipelines/packs/shards/shard_answers.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipelines/verb/verb_text.h"
#include "reactor/base/clock.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
/// As JSON and terminals can hold it.
std::string named(const std::string& bytes) { return shown(Json(escape_name(bytes))); }

/// Puts the names into the answer as it can hold them. All or none: `name_escaped` says how each of
/// them is to be read.
using Names = std::vector<std::string>;
void put_names(Json& answer, const std::vector<std::pair<const char*, std::string>>& single,
               const std::vector<std::pair<const char*, Names>>& lists) {
    bool plain = true;
    for (const auto& [key, name] : single) plain = plain && is_utf8(name);
    for (const auto& [key, all] : lists) {
        plain = plain && std::all_of(all.begin(), all.end(), is_utf8);
    }
    const auto held = [plain](const std::string& name) {
        return plain ? name : escape_bytes(name);
    };
    for (const auto& [key, name] : single) answer[key] = held(name);
    for (const auto& [key, all] : lists) {
        answer[key] = Json::array();
        for (const std::string& name : all) answer[key].push_back(held(name));
    }
    if (!plain) answer["name_escaped"] = true;
}
std::string joined(const std::vector<std::string>& all) {
    std::string text;
    for (const std::string& one : all) text += (text.empty() ? "" : ", ") + named(one);
    return text.empty() ? "-" : text;
}
std::string amount(const TreeTotals& totals) {
    return counted(totals.files, "file") + ", " + counted(totals.bytes, "byte");
}
Json row_json(const ShardRow& row, const std::string& source, const std::string& target = {}) {
    Json json{{"state", state_name(row.state)}, {"busy", row.busy}};
    std::vector<std::pair<const char*, std::string>> single = {{"shard", row.name}};
    if (!source.empty()) single.emplace_back("source", source);
    if (!target.empty()) single.emplace_back("target", target);
    if (source.empty()) json["source"] = nullptr;
    put_names(json, single, {{"users", row.users}});
    if (row.fault) {
        json["users"] = nullptr;
        json["error"] = to_json(*row.fault);
    }
    return json;
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
    answer.json = Json{{"copied", outcome.copied},           {"changed", outcome.changed},
                       {"files", outcome.totals.files},      {"bytes", outcome.totals.bytes},
                       {"left_out", outcome.totals.skipped}, {"not_kept", outcome.totals.unkept}};
    put_names(answer.json, {{"shard", spot.name}, {"target", spot.target()}},
              {{"users", outcome.users}});
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
    answer.json =
        Json{{"removed", outcome.changed && outcome.users.empty()}, {"changed", outcome.changed}};
    put_names(answer.json, {{"shard", spot.name}, {"target", spot.target()}},
              {{"users", outcome.users}});
    return answer;
}

Answer list_answer(const std::vector<ShardRow>& rows) {
    Answer answer;
    answer.json["shards"] = Json::array();
    std::vector<std::vector<std::string>> lines = {{"SHARD", "STATE", "USERS", "SOURCE"}};
    std::string faults;
    for (const ShardRow& row : rows) {
        answer.json["shards"].push_back(row_json(row, row.source));
        lines.push_back({named(row.name),
                         std::string(state_name(row.state)) + (row.busy ? ", busy" : ""),
                         row.fault ? "not known" : joined(row.users),
                         row.source.empty() ? "-" : named(row.source)});
        if (!row.fault) continue;
        faults += named(row.name + ": " + row.fault->text()) + "\n";
        answer.code = info(row.fault->code).exit_code;
    }
    answer.text = table(lines) + faults;
    return answer;
}

Answer status_answer(const ShardSpot& spot, const ShardRow& row, const TreeTotals& totals) {
    Answer answer;
    answer.json = row_json(row, row.source, spot.target());
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
    if (verdict.found && verdict.row.state == ShardState::missing) {
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
    row["differing"] = found.differing;
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
        const std::string& source = verdict.source.empty() ? verdict.row.source : verdict.source;
        Json row = row_json(verdict.row, source);
        if (verdict.skipped) {
            answer.text += named(verdict.row.name) + ": skipped: its source is not known\n";
            row["ok"] = nullptr;
            rows.push_back(std::move(row));
            continue;
        }
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
    answer.json["errors"] = std::move(faults);
    put_names(answer.json, {},
              {{"trees", found.trees}, {"files", found.files}, {"orphans", found.orphans}});
    return answer;
}

}  // namespace musher
