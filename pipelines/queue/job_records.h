// What a queue keeps beside a job: its story, its last error, its receipts. All of it is text that
// Redis' scripts can append to and cut without parsing: one JSON document per line, one line per
// attempt (story) or per step (receipts).
#pragma once

#include <string>
#include <string_view>

#include "reactor/component/step.h"

namespace musher {

/// One attempt's story as one line of at most kStoryBytes: its middle gives way first.
std::string story_line(const Json& story);
/// One thing that happened without a holder: stalled, cancelled, replayed.
std::string story_line(std::string_view what, int attempt, std::int64_t wall_ms);
/// Appends an attempt; the oldest attempts go while there are more than kStoryBytes.
void append_story(std::string& lines, const std::string& line);
/// All attempts as the contract's array: each line with all its fields; `time` is null where lines
/// were cut out.
Json read_story(std::string_view lines);

/// The error of an attempt as one line, each of its parts cut.
std::string error_line(const Error& error, std::string_view step);
/// The contract's Error with step, attempt and time; null for an empty or unreadable line.
Json read_error(std::string_view line, int attempt, std::int64_t wall_ms);

/// Unreadable lines are left out.
Json read_receipts(std::string_view lines);
/// Those of sinks alone. Notes, which have the field `flow`, say where a job goes on: one that is
/// finished needs none.
std::string without_notes(std::string_view lines);

/// Why a job has ended that nobody ran.
const std::string& cancelled_line();
/// … and whose event went back to where it came from.
const std::string& released_line();
/// What the story of a withdrawn job ends with.
inline constexpr std::string_view kReleased = "released";

}  // namespace musher
