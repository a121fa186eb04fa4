// digest: a filter that tells what passed.
#pragma once

#include <memory>

#include "reactor/base/digest.h"
#include "reactor/filters/filter.h"

namespace musher {

/// Passes everything on unchanged; result() is {sha256: hex, bytes: n} (or sha1, md5).
std::unique_ptr<Filter> make_digest(DigestKind kind);

}  // namespace musher
