// Whether a sanitizer watches this program: it is slower and larger, and makes calls of its own.
#pragma once

namespace musher::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// What bounds on processor time and on memory are multiplied by.
inline constexpr int kSlowdown = kSanitized ? 10 : 1;
inline constexpr int kShadow = kSanitized ? 4 : 1;

}  // namespace musher::test
