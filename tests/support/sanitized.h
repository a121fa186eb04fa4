// Whether a sanitizer watches this program: it is slower, and makes calls of its own.
#pragma once

namespace musher::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// A bound on processor time that holds without one.
inline constexpr int kSlowdown = kSanitized ? 5 : 1;

}  // namespace musher::test
