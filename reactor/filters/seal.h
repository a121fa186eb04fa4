// seal, unseal: streaming authenticated encryption in Tink's AES256-GCM-HKDF-1MB format, without
// a keyset prefix.
//
//   file    = header ‖ segment 0 ‖ … ‖ segment k
//   header  = 0x28 ‖ salt[32] ‖ nonce prefix[7]
//   key     = HKDF-SHA256(main key, salt, info = aad)
//   segment = AES-256-GCM(key, nonce prefix ‖ BE32(i) ‖ last ? 1 : 0, plaintext) ‖ tag[16]
//
// Each segment is `segment_bytes` long, the first less the header; only the last is shorter.
#pragma once

#include <optional>
#include <string>

#include "reactor/filters/filter.h"
#include "reactor/filters/key.h"

namespace musher {

struct SealOptions {
    Key key;
    std::string aad;                        // must be the same to unseal
    std::size_t segment_bytes = 1 << 20;
    std::optional<std::string> header_for_tests = std::nullopt;  // salt ‖ nonce prefix, 39 bytes
};

/// Salt and nonce are fresh for each filter: one filter, one file, never resumed.
std::unique_ptr<Filter> make_seal(const SealOptions& options);
/// Nothing of a segment is given out before its tag was verified. `corrupt` says, as far as it
/// can be told, whether the key is wrong, or the file was cut, continued or changed.
std::unique_ptr<Filter> make_unseal(const SealOptions& options);

}  // namespace musher
