// Farewells: originals of finished jobs go to done/ or failed/, and back again for a replay.
#pragma once

#include <string>
#include <vector>

#include "reactor/component/event.h"
#include "sources/hotfolder_rules.h"

namespace musher::hotfolder {

/// Where a file was before it was claimed, relative to the hot folder, raw.
std::string original_of(const HotfolderRules& rules, const std::string& file);

/// False for a file that was found before `path` was edited. What follows puts it where it would
/// have gone then, but for the names of done/ and failed/, which are today's.
bool at_home(const HotfolderRules& rules, const std::string& file);

/// Moves each original where its outcome says, with a report beside a failed one; subfolders are
/// kept. The report is NAME.report.json; of a NAME over 200 bytes its beginning and a hash of it.
/// One answer per settlement, and none keeps another from its move. What is no longer there
/// counts as moved; what was worked on where it stands and is another file by now is left alone.
/// `conflict`: a done name is taken under collision: fail; nothing was moved. Pool threads.
///
/// kill -9 before a move: recovery finds the claim and its finished job, and comes here again.
/// Between a report and its file: the same, and the report is known by its job and replaced.
std::vector<Result<void>> put_away(const HotfolderRules& rules,
                                   const std::vector<Settlement>& ended);

/// The place in `aside`, which is done/ or failed/, of what is `relative` to the hot folder. A
/// subfolder whose name a file has there is numbered. Pool threads.
std::string place_in(const std::string& aside, const std::string& relative);

/// Where the original of an ended job lies now: known by its report in failed/, in done/ by its
/// size and time under one of its names. Empty when it is in neither. Pool threads.
std::string where_is(const HotfolderRules& rules, const Event& event, musher::Outcome outcome);

/// Puts claimed originals back where they were dropped, under a number when the name is taken by
/// now (replacing could lose a file that nobody has seen); on disk when it returns. What is no
/// longer there, and what was never moved, counts as put back.
Result<void> put_back(const std::vector<Settlement>& released);

/// Brings a failed original back to `file`; `not_found` when failed/ has it no longer.
Result<void> bring_back(const HotfolderRules& rules, const std::string& job,
                        const std::string& file);

}  // namespace musher::hotfolder
