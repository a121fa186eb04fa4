// What comes from a Redis server, in one piece and byte by byte; and what the queue reads of it.
#include "reactor/drivers/redis_reply.h"

#include "pipelines/queue/redis_rows.h"
#include "tests/fuzz/targets.h"

namespace musher::fuzz {

namespace {
bool same(const RedisReply& a, const RedisReply& b) {
    return a.kind == b.kind && a.integer == b.integer && a.text == b.text &&
           std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), same);
}

/// All replies up to the first fault, fed `step` bytes at a time.
std::vector<RedisReply> decode(std::string_view bytes, std::size_t step) {
    RedisDecoder decoder;
    std::vector<RedisReply> all;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        decoder.feed(bytes.substr(at, step));
        for (;;) {
            Result<std::optional<RedisReply>> reply = decoder.next();
            if (!reply) return all;
            if (!*reply) break;
            all.push_back(std::move(**reply));
        }
    }
    return all;
}

void read(const RedisReply& reply) {
    if (reply.kind == RedisReply::Kind::error)
        MUSHER_CHECK(!redis_error(reply.text).message.empty());
    if (!reply.is_list()) return;
    if (const Result<JobRow> row = read_row(reply, "q")) to_line(row->to_json(true));
    if (const Result<QueueStats> stats = read_stats(reply)) to_line(stats->counters);
    for (const RedisReply& item : reply.items) read(item);
}
}  // namespace

void redis_reply(std::string_view bytes) {
    const std::vector<RedisReply> whole = decode(bytes, bytes.size() + 1);
    const std::vector<RedisReply> cut = decode(bytes, 1);
    MUSHER_CHECK(std::equal(whole.begin(), whole.end(), cut.begin(), cut.end(), same));
    for (const RedisReply& reply : whole) read(reply);
}

}  // namespace musher::fuzz
