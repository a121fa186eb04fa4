// The end of the embedded redis-server's append-only file after a kill -9 in the middle of a write.
#pragma once

#include <string>

#include "reactor/loop/loop.h"

namespace musher {

/// Whether it ended at its start because the last write to its file is not whole.
bool is_tail_cut_short(const Error& end);

/// Takes that write off the file in `folder`, with redis-check-aof: nobody has got an answer to it.
/// The server's own way leaves the first half of a transaction there, which then runs at its next
/// start (see decisions/redis-client.md). `corrupt` with what the program said; the file is as it
/// was then. Killed in between: as it was, or mended.
Task<Result<void>> take_off_cut_tail(Loop& loop, std::string folder, Cancel& cancel);

}  // namespace musher
