// MUSHER_CHECK: programmer errors stop the process, also in release builds.
#pragma once

namespace musher {
/// Logs `file:line: text` on stderr and aborts. Any thread.
[[noreturn]] void check_failed(const char* file, int line, const char* text) noexcept;
}  // namespace musher

#define MUSHER_CHECK(condition) \
    ((condition) ? static_cast<void>(0) : ::musher::check_failed(__FILE__, __LINE__, #condition))
