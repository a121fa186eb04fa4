// RedisReply: one answer of a Redis server, owned; and the one place that encodes and decodes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/base/error.h"

struct redisReader;

namespace musher {

struct RedisReply {
    /// `error` is only found inside lists (a command of an EXEC): at the top it becomes an Error.
    enum class Kind : unsigned char { nil, status, integer, text, list, error };
    Kind kind = Kind::nil;
    std::int64_t integer = 0;
    std::string text;  // of status, text and error
    std::vector<RedisReply> items;

    bool is_nil() const { return kind == Kind::nil; }
    bool is_list() const { return kind == Kind::list; }
};

/// The nearest Error for a server's error line: READONLY, LOADING and the like are `unavailable`,
/// OOM and a full disk are `full`, NOAUTH, WRONGPASS and NOPERM are `denied`, else `failed`.
Error redis_error(std::string_view line);
/// The server can no longer serve this connection (it lost its master role): find another one.
bool redis_error_ends_connection(std::string_view line);

/// A command as the server reads it.
std::string encode_command(const std::vector<std::string>& argv);

/// Decodes a byte stream; keeps what is incomplete.
class RedisDecoder {
  public:
    RedisDecoder();
    RedisDecoder(const RedisDecoder&) = delete;
    ~RedisDecoder();

    void feed(std::string_view bytes);
    /// Nothing when more bytes are needed; `corrupt` when this is not Redis' protocol.
    Result<std::optional<RedisReply>> next();

  private:
    struct Free {
        void operator()(redisReader* reader) const;
    };
    std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace musher
