// Refusal: a file that goes to failed/ without a failed job: the report beside it tells why.
#pragma once

#include "reactor/component/event.h"

namespace musher::hotfolder {

/// Turns `one` into a failed settlement with a report of the contract's shape: {error, job, story}.
/// A report that it brings already, with the record of its job, is kept and gets the error and a
/// line more; else the job is told as far as the event does.
void refuse(Settlement& one, Error error, const std::string& what, std::int64_t now_ms);

}  // namespace musher::hotfolder
