// How the shard verbs tell what they did, to people and to programs. Where a name in JSON is not
// UTF-8, all names of its object are percent-escaped, and it has `name_escaped: true`.
#pragma once

#include "pipelines/packs/shards/shard_survey.h"
#include "pipelines/verb/verb.h"

namespace musher {

/// What a copy has not of its source, a line each; none when it has all.
std::vector<std::string> losses_of(const TreeTotals& totals);
/// {shard, target, copied, changed, users, files, bytes, left_out, not_kept}
Answer copied_answer(const ShardSpot& spot, const ShardOutcome& outcome);
/// {shard, target, removed, changed, users}
Answer removed_answer(const ShardSpot& spot, const std::string& user, const ShardOutcome& outcome);
/// {shards: [{shard, state, users, source, busy, error}]}; where the users cannot be read they are
/// null, `error` says why, and so does the exit code.
Answer list_answer(const std::vector<ShardRow>& rows);
/// {shard, state, users, source, busy, target, files, bytes}
Answer status_answer(const ShardSpot& spot, const ShardRow& row, const TreeTotals& totals);

struct ShardVerdict {
    ShardRow row;
    std::string source;
    Result<TreeComparison> found;  // of one that is missing or skipped: empty, or why
    bool skipped = false;          // nobody has asked for it, and its source is not known
};
/// {ok, shards: [{shard, state, source, ok, files, bytes, differences, differing, error}]}, with
/// `ok` null for one that was skipped; exit code 7 when one differs, else 3 when one is missing or
/// could not be compared.
Answer verify_answer(const std::vector<ShardVerdict>& verdicts);
/// {trees, files, orphans, errors}; the exit code of the first thing that stays.
Answer garbage_answer(const ShardGarbage& found, bool dry);

}  // namespace musher
