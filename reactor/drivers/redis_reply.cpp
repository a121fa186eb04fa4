#include "reactor/drivers/redis_reply.h"

#include <hiredis/read.h>

#include <array>

#include "reactor/base/limits.h"

namespace musher {

namespace {
struct Row {
    std::string_view prefix;
    Errc code;
    std::string_view hint;
};
constexpr std::string_view kCredentials = "check user and password, and the user's ACL rules";
constexpr std::string_view kMemory =
    "raise maxmemory of the Redis server or free some of it; musher goes on by itself";
constexpr std::array kRows = {
    Row{"READONLY", Errc::unavailable, ""},
    Row{"LOADING", Errc::unavailable, "the server still reads its data; musher waits for it"},
    Row{"MASTERDOWN", Errc::unavailable, ""},
    Row{"NOREPLICAS", Errc::unavailable, "the server wants more replicas (min-replicas-to-write)"},
    Row{"UNBLOCKED", Errc::unavailable, ""},
    Row{"TRYAGAIN", Errc::unavailable, ""},
    Row{"CLUSTERDOWN", Errc::unavailable, ""},
    Row{"BUSY ", Errc::unavailable, "a script of somebody else holds the server"},
    Row{"ERR max number of clients", Errc::unavailable, "raise maxclients of the Redis server"},
    Row{"OOM", Errc::full, kMemory},
    Row{"NOAUTH", Errc::denied, kCredentials},
    Row{"WRONGPASS", Errc::denied, kCredentials},
    Row{"NOPERM", Errc::denied, kCredentials},
    Row{"ERR AUTH", Errc::denied, kCredentials},
    Row{"ERR invalid password", Errc::denied, kCredentials},
    Row{"DENIED", Errc::denied, "the server is in protected mode: give it a password"},
    Row{"MOVED", Errc::usage, "Redis Cluster is not supported: name one server, or Sentinels"},
    Row{"ASK ", Errc::usage, "Redis Cluster is not supported: name one server, or Sentinels"},
};

RedisReply::Kind kind_of(int type) {
    switch (type) {
        case REDIS_REPLY_STATUS:
            return RedisReply::Kind::status;
        case REDIS_REPLY_ERROR:
            return RedisReply::Kind::error;
        default:
            return RedisReply::Kind::text;
    }
}

/// The parser builds the tree in place: the root is ours to free, the rest are its items.
RedisReply* slot(const redisReadTask* task) {
    if (!task->parent) return new RedisReply;
    auto* parent = static_cast<RedisReply*>(task->parent->obj);
    return &parent->items[static_cast<std::size_t>(task->idx)];
}
void* make_text(const redisReadTask* task, char* bytes, size_t size) {
    RedisReply* reply = slot(task);
    reply->kind = kind_of(task->type);
    reply->text.assign(bytes, size);
    return reply;
}
void* make_list(const redisReadTask* task, int size) {
    // A few bytes can announce any length, and bad_alloc must not fly through C: null makes the
    // parser give up with REDIS_ERR_OOM.
    if (size < 0 || static_cast<std::size_t>(size) > limits::kReplyItems) return nullptr;
    RedisReply* reply = slot(task);
    reply->kind = RedisReply::Kind::list;
    reply->items.resize(static_cast<std::size_t>(size));
    return reply;
}
void* make_integer(const redisReadTask* task, long long value) {
    RedisReply* reply = slot(task);
    reply->kind = RedisReply::Kind::integer;
    reply->integer = value;
    return reply;
}
void* make_nil(const redisReadTask* task) { return slot(task); }
void free_root(void* root) { delete static_cast<RedisReply*>(root); }

redisReplyObjectFunctions build_functions = {make_text, make_list, make_integer, make_nil,
                                             free_root};
}  // namespace

Error redis_error(std::string_view line) {
    const std::string message = "redis: " + std::string(line);
    if (line.starts_with("MISCONF")) {
        const bool disk = line.find("No space left") != std::string_view::npos;
        return Error(disk ? Errc::full : Errc::unavailable, message,
                     "the Redis server cannot write to its disk; look at its log");
    }
    for (const Row& row : kRows) {
        if (line.starts_with(row.prefix)) return Error(row.code, message, std::string(row.hint));
    }
    return Error(Errc::failed, message);
}

bool redis_error_ends_connection(std::string_view line) {
    return line.starts_with("READONLY") || line.starts_with("UNBLOCKED") ||
           line.starts_with("MASTERDOWN") || line.starts_with("NOREPLICAS");
}

std::string encode_command(const std::vector<std::string>& argv) {
    std::size_t size = 16;
    for (const std::string& arg : argv) size += arg.size() + 16;
    std::string wire;
    wire.reserve(size);
    wire += '*';
    wire += std::to_string(argv.size());
    for (const std::string& arg : argv) {
        wire += "\r\n$";
        wire += std::to_string(arg.size());
        wire += "\r\n";
        wire += arg;
    }
    wire += "\r\n";
    return wire;
}

void RedisDecoder::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisDecoder::RedisDecoder() : reader_(redisReaderCreateWithFunctions(&build_functions)) {
    MUSHER_CHECK(reader_ != nullptr);
}
RedisDecoder::~RedisDecoder() = default;

void RedisDecoder::feed(std::string_view bytes) {
    // A failure (out of memory) stays in the reader and comes out of next().
    redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

Result<std::optional<RedisReply>> RedisDecoder::next() {
    void* root = nullptr;
    if (redisReaderGetReply(reader_.get(), &root) != REDIS_OK) {
        const bool large = reader_->err == REDIS_ERR_OOM;
        return fail(Errc::corrupt,
                    std::string("redis: ") + (large ? "a reply is too large" : reader_->errstr));
    }
    if (!root) return std::optional<RedisReply>();
    const std::unique_ptr<RedisReply> owned(static_cast<RedisReply*>(root));
    return std::optional<RedisReply>(std::move(*owned));
}

}  // namespace musher
