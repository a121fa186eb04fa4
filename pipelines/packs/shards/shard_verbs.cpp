#include "pipelines/packs/shards/shard_verbs.h"

#include <fmt/format.h>

#include <cstdio>

#include "pipelines/packs/shards/shard_answers.h"
#include "pipelines/verb/progress_line.h"
#include "pipelines/verb/verb_loop.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"
#include "reactor/tree/tree_measure.h"

namespace musher {

namespace {
using Kind = VerbOption::Kind;

const RealClock kClock;

ShardPlaces places_of(const Call& call) {
    return ShardPlaces{call.text("lockdir"), call.text("ssddir")};
}

Result<ShardRequest> request_of(const Call& call) {
    ShardRequest request;
    MUSHER_TRY(request.spot,
               find_spot(call.text("SHARD"), call.text("lockdir"), call.text("ssddir")));
    request.user = call.text("id");
    MUSHER_DO(check_user(request.user));
    request.verify = call.has("verify");
    if (call.has("timeout")) {
        MUSHER_TRY(const Duration timeout, parse_duration(call.text("timeout")));
        request.timeout = std::chrono::duration_cast<milliseconds>(timeout);
    }
    request.copy.crew = whole_machine();
    request.on_warning = [](const std::string& what) {
        std::fputs(("warning: " + what + "\n").c_str(), stderr);
    };
    return request;
}

/// Shows how far copying and verifying have come.
class Watching {
  public:
    Watching(const std::string& what, ShardRequest& request) : line_(kClock, what) {
        request.on_total = [this](const TreeTotals& all) { all_ = all; };
        request.copy.on_progress = [this](const TreeTotals& now) {
            line_.show(ProgressMoment{now.bytes, all_.bytes, now.files, all_.files});
        };
    }

  private:
    TreeTotals all_;
    ProgressLine line_;
};

Result<Answer> copy(const Call& call) {
    MUSHER_TRY(ShardRequest request, request_of(call));
    const ShardSpot spot = request.spot;
    Watching watching("copying " + escape_name(spot.name), request);
    auto work = [&](Loop& loop, Cancel& cancel) {
        return add_shard_user(loop, std::move(request), cancel);
    };
    MUSHER_TRY(const ShardOutcome outcome, run_on_loop<ShardOutcome>(work));
    return copied_answer(spot, outcome);
}

Result<Answer> remove(const Call& call) {
    MUSHER_TRY(ShardRequest request, request_of(call));
    const ShardSpot spot = request.spot;
    const std::string user = request.user;
    auto work = [&](Loop& loop, Cancel& cancel) {
        return remove_shard_user(loop, std::move(request), cancel);
    };
    MUSHER_TRY(const ShardOutcome outcome, run_on_loop<ShardOutcome>(work));
    return removed_answer(spot, user, outcome);
}

Result<Answer> list(const Call& call) {
    MUSHER_TRY(const std::vector<ShardRow> rows, survey_shards(places_of(call)));
    return list_answer(rows);
}

Result<Answer> status(const Call& call) {
    const ShardPlaces places = places_of(call);
    MUSHER_TRY(const ShardSpot spot,
               find_spot(call.text("SHARD"), places.lock_dir, places.ssd_dir));
    MUSHER_TRY(const ShardRow row, survey_shard(places, spot.name));
    if (row.fault) return fail(*row.fault);
    if (row.state == ShardState::missing) return status_answer(spot, row, TreeTotals());
    const CrewOptions crew = whole_machine();
    auto work = [&](Loop& loop, Cancel& cancel) {
        return measure_tree(loop, spot.target(), crew, cancel);
    };
    MUSHER_TRY(const TreeMeasure measure, run_on_loop<TreeMeasure>(work));
    return status_answer(spot, row, measure.totals);
}

/// One shard held against its source; what is wrong with it stands in the verdict.
ShardVerdict check_one(const ShardPlaces& places, const ShardSpot& spot) {
    ShardVerdict verdict;
    Result<ShardRow> row = survey_shard(places, spot.name);
    if (!row) {
        verdict.row.name = spot.name;
        verdict.row.state = ShardState::missing;
        verdict.found = fail(std::move(row).error());
        return verdict;
    }
    verdict.row = std::move(*row);
    if (verdict.row.state == ShardState::missing) return verdict;
    verdict.source = spot.is_path ? spot.source : verdict.row.source;
    ProgressLine line(kClock, "verifying " + escape_name(spot.name));
    TreeCompareOptions options;
    options.crew = whole_machine();
    options.on_progress = [&line](const TreeTotals& now) {
        line.show(ProgressMoment{now.bytes, 0, now.files, 0});
    };
    auto work = [&](Loop& loop, Cancel& cancel) {
        return check_shard(loop, places, verdict.row, verdict.source, options, cancel);
    };
    verdict.found = run_on_loop<TreeComparison>(work);
    return verdict;
}

Result<Answer> verify(const Call& call) {
    const ShardPlaces places = places_of(call);
    std::vector<ShardSpot> named;
    for (const std::string& shard : call.list("SHARD")) {
        MUSHER_TRY(named.emplace_back(), find_spot(shard, places.lock_dir, places.ssd_dir));
    }
    std::vector<ShardVerdict> verdicts;
    for (const ShardSpot& spot : named) verdicts.push_back(check_one(places, spot));
    if (!named.empty()) return verify_answer(verdicts);
    MUSHER_TRY(const std::vector<ShardRow> rows, survey_shards(places));
    for (const ShardRow& row : rows) {
        if (row.state == ShardState::missing || !row.source.empty()) {
            MUSHER_TRY(const ShardSpot spot,
                       find_spot(row.name, places.lock_dir, places.ssd_dir));
            verdicts.push_back(check_one(places, spot));
            continue;
        }
        ShardVerdict& verdict = verdicts.emplace_back();
        verdict.row = row;
        verdict.skipped = true;
    }
    return verify_answer(verdicts);
}

Result<Answer> collect(const Call& call) {
    auto work = [&](Loop& loop, Cancel& cancel) {
        return collect_shard_garbage(loop, places_of(call), call.has("orphans"),
                                     call.has("dry-run"), cancel);
    };
    MUSHER_TRY(const ShardGarbage found, run_on_loop<ShardGarbage>(work));
    return garbage_answer(found, call.has("dry-run"));
}

std::vector<VerbOption> options_of(std::vector<VerbOption> own) {
    own.push_back(
        {"lockdir", Kind::value, "folder of the lock files, which name the users", true, "DIR"});
    own.push_back({"ssddir", Kind::value, "folder on the SSD", true, "DIR"});
    return own;
}
constexpr VerbOption id_option() {
    return {"id", Kind::value, "who uses the shard; each user needs an id of its own", true,
            "NAME"};
}
VerbOption timeout_option() {
    return {"timeout", Kind::value,
            "how long to wait while somebody else copies or removes the shard; 0s, as without it: "
            "without end",
            false, "5m"};
}
}  // namespace

const std::vector<Verb>& shard_verbs() {
    static const std::vector<Verb> kVerbs = {
        {"shard copy", "registers a user of a shard; the first one's brings it onto the SSD",
         "  musher shard copy /srv/shards/s2 --lockdir /run/shards --ssddir /ssd --id search1\n",
         options_of(
             {{"SHARD", Kind::positional, "path of the shard, a folder", true},
              id_option(),
              {"verify", Kind::flag, "compare digests, of a new copy or one that nobody used"},
              timeout_option()}),
         copy, false},
        {"shard remove", "takes a user off; after the last one the shard leaves the SSD",
         "  musher shard remove s2 --lockdir /run/shards --ssddir /ssd --id search1\n",
         options_of(
             {{"SHARD", Kind::positional, "path of the shard, of which the name counts", true},
              id_option(),
              timeout_option()}),
         remove, false},
        {"shard list", "all shards, their users and whether the SSD holds them",
         "  musher shard list --lockdir /run/shards --ssddir /ssd\n", options_of({}), list, false},
        {"shard status", "one shard: users, source, size",
         "  musher shard status s2 --lockdir /run/shards --ssddir /ssd --json\n",
         options_of({{"SHARD", Kind::positional, "its name, or a path that ends in it", true}}),
         status, false},
        {"shard verify", "compares shards on the SSD with their sources, by digests",
         "  musher shard verify --lockdir /run/shards --ssddir /ssd\n"
         "  musher shard verify /srv/shards/s2 --lockdir /run/shards --ssddir /ssd\n",
         options_of({{"SHARD", Kind::positionals,
                      "names, or paths of sources; without one: all whose source is known"}}),
         verify, false},
        {"shard gc", "removes what killed processes left",
         "  musher shard gc --lockdir /run/shards --ssddir /ssd --dry-run\n",
         options_of({{"orphans", Kind::flag, "also shards that musher copied and nobody uses"},
                     {"dry-run", Kind::flag, "only say what would go"}}),
         collect, false},
    };
    return kVerbs;
}

}  // namespace musher
