// The redis-server that a killed musher may leave for a moment.
#pragma once

#include "reactor/loop/resolve.h"

namespace musher {

/// Whoever listens on `socket`, in our own locked state directory, was started by a musher that is
/// dead. Tells it to SHUTDOWN (then TERM, then KILL, each after `patience`) and returns when the
/// process has ended: at its end it removes the socket file, which must not be a new server's.
/// At once when nobody listens. `conflict` when it does not even die.
Task<Result<void>> end_leftover_redis(Loop& loop, SocketAddress socket, Duration patience,
                                      Cancel& cancel);

}  // namespace musher
