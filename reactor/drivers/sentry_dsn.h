// SentryDsn: where Sentry takes reports, and the key that it knows us by.
#pragma once

#include <string>

#include "reactor/base/error.h"

namespace musher {

struct SentryDsn {
    std::string envelope_url;  // without the key
    std::string public_key;

    /// https://KEY@HOST[:PORT][/PATH]/PROJECT; an old one's :SECRET is dropped. `usage` otherwise,
    /// without the text itself.
    static Result<SentryDsn> parse(const std::string& text);
};

}  // namespace musher
