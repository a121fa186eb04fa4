// What Sentry is told: a log record as an event, in an envelope.
#pragma once

#include <string>

#include "reactor/base/clock.h"
#include "reactor/base/log.h"

namespace musher {

struct SentryRecord {
    std::string id;  // 32 hex digits; the same at every try, so that Sentry knows a repeat
    std::int64_t time_ms = 0;
    log::Level level = log::Level::error;
    std::string event;  // its name in the log: job.dead, …
    Json fields;
};

/// The body of a request. Texts are cut at 8 KiB each.
std::string sentry_envelope(const SentryRecord& record, const std::string& node);

/// How long nothing may be sent, by an answer's X-Sentry-Rate-Limits, or else its Retry-After;
/// zero: go on. A 429 that names no time means a minute.
milliseconds sentry_pause(int status, const std::string& limits, milliseconds retry_after);

}  // namespace musher
