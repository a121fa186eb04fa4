// From a RedisTarget to a connection that is signed in and speaks to the right server.
#pragma once

#include <memory>

#include "reactor/drivers/redis_link.h"
#include "reactor/drivers/redis_target.h"

namespace musher {

/// Resolves names, asks the Sentinels for the master (and believes them only when the server's
/// ROLE agrees), signs in, selects the database and waits for no one: a server that is LOADING is
/// `unavailable`. The caller tries again. `denied` for wrong credentials.
Task<Result<std::unique_ptr<RedisLink>>> redis_dial(Loop& loop, const RedisTarget& target,
                                                    Cancel& cancel);

}  // namespace musher
