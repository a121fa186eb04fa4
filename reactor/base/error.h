// The one table of errors: name, exit code, whether a retry can help, whose fault it is.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "reactor/base/check.h"

namespace musher {

enum class Errc {
    failed,
    usage,
    not_found,
    conflict,
    unavailable,
    full,
    denied,
    corrupt,
    timeout,
    cancelled,
    loop,
    poison,
    internal,
};

/// Who is broken: the item (it is quarantined) or what it is delivered to (the pipeline holds).
enum class Fault { item, sink };

struct ErrcInfo {
    Errc code;
    std::string_view name;
    int exit_code;
    bool retryable;
    Fault fault;
    std::string_view hint;
};

const ErrcInfo& info(Errc code) noexcept;
/// `Errc::internal` for a name that is not in the table.
Errc errc_from_name(std::string_view name) noexcept;
/// The nearest code for an errno value; ENOSPC and EDQUOT become `full`.
Errc errc_from_errno(int number) noexcept;

struct Error {
    Errc code = Errc::internal;
    std::string message;
    std::string hint = {};
    std::vector<std::string> context = {};  // outermost last
    std::chrono::milliseconds retry_after{0};  // asked for by a server; a later try is welcome

    Error() = default;
    Error(Errc c, std::string m) : code(c), message(std::move(m)) {}
    Error(Errc c, std::string m, std::string h)
        : code(c), message(std::move(m)), hint(std::move(h)) {}

    /// The same error with one more line of context ("copying /a to /b").
    Error within(std::string line) &&;
    /// `message` with its contexts, on one line.
    std::string text() const;
};

/// An Error from errno: "opening /srv/in: No such file or directory".
Error errno_error(int number, std::string_view what);

template <class T>
using Result = tl::expected<T, Error>;
using Failure = tl::unexpected<Error>;

inline Failure fail(Errc code, std::string message) {
    return Failure(Error(code, std::move(message)));
}
inline Failure fail(Errc code, std::string message, std::string hint) {
    return Failure(Error(code, std::move(message), std::move(hint)));
}
inline Failure fail(Error error) { return Failure(std::move(error)); }

}  // namespace musher

#define MUSHER_CONCAT_(a, b) a##b
#define MUSHER_CONCAT(a, b) MUSHER_CONCAT_(a, b)
#define MUSHER_TRY_AS_(ret, result, decl, ...)                            \
    auto result = (__VA_ARGS__);                                          \
    if (!result) ret ::musher::fail(std::move(result).error());           \
    decl = std::move(*result)
#define MUSHER_DO_AS_(ret, ...)                                           \
    do {                                                                  \
        auto musher_result_ = (__VA_ARGS__);                              \
        if (!musher_result_) ret ::musher::fail(std::move(musher_result_).error()); \
    } while (false)

// Statements, never expressions: the coroutine rules forbid `co_await` inside an expression.
#define MUSHER_TRY(decl, ...) \
    MUSHER_TRY_AS_(return, MUSHER_CONCAT(musher_result_, __LINE__), decl, __VA_ARGS__)
#define MUSHER_CO_TRY(decl, ...) \
    MUSHER_TRY_AS_(co_return, MUSHER_CONCAT(musher_result_, __LINE__), decl, __VA_ARGS__)
#define MUSHER_DO(...) MUSHER_DO_AS_(return, __VA_ARGS__)
#define MUSHER_CO_DO(...) MUSHER_DO_AS_(co_return, __VA_ARGS__)
