// xz: liblzma's multi-threaded encoder and decoder as filters.
#pragma once

#include <cstdint>

#include "reactor/filters/filter.h"

namespace musher {

struct XzEncodeOptions {
    std::uint32_t level = 6;          // 0 … 9
    std::uint32_t threads = 0;        // 0: one per core
    std::uint64_t block_bytes = 0;    // 0: liblzma's choice for the level
    std::uint64_t memory = 1ull << 30;  // threads are reduced until they fit; one is always used
};
/// `usage` for a level or block size that liblzma refuses.
Result<std::unique_ptr<Filter>> make_xz_encoder(const XzEncodeOptions& options);

struct XzDecodeOptions {
    std::uint64_t memory_limit = 512ull << 20;  // needs more: `corrupt`, naming both numbers
    std::uint32_t threads = 0;                  // 0: one per core
};
/// Reads concatenated streams, as `xz -d` does. Truncated or changed input is `corrupt`.
Result<std::unique_ptr<Filter>> make_xz_decoder(const XzDecodeOptions& options);

}  // namespace musher
