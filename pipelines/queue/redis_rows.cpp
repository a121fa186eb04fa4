#include "pipelines/queue/redis_rows.h"

#include <algorithm>

#include "pipelines/queue/job_records.h"
#include "pipelines/queue/packed.h"

namespace musher {

namespace {
constexpr std::size_t kRowItems = 9;
constexpr std::size_t kStatsItems = 11;

/// Scripts count in doubles: a larger number is none of theirs, and sums of these do not overflow.
constexpr std::int64_t kMostCounted = std::int64_t{1} << 53;
constexpr int kMostPower = 53;

std::int64_t number_of(const RedisReply& reply) {
    const bool whole = reply.kind == RedisReply::Kind::integer;
    const std::int64_t number =
        whole ? reply.integer : std::strtoll(reply.text.c_str(), nullptr, 10);
    return std::clamp(number, -kMostCounted, kMostCounted);
}

/// HGETALL's flat list as an object of numbers.
Json counts_of(const RedisReply& flat) {
    Json counts = Json::object();
    for (std::size_t i = 0; i + 1 < flat.items.size(); i += 2) {
        counts[flat.items[i].text] = number_of(flat.items[i + 1]);
    }
    return counts;
}

/// The upper bound in ms of the bucket that `share` of all waits do not exceed; buckets are
/// powers of two. Null without any.
Json quantile(const std::map<int, std::int64_t>& buckets, double share) {
    std::int64_t all = 0;
    for (const auto& [power, n] : buckets) all += n;
    if (all == 0) return nullptr;
    std::int64_t seen = 0;
    for (const auto& [power, n] : buckets) {
        seen += n;
        if (static_cast<double>(seen) >= share * static_cast<double>(all)) {
            return std::int64_t{1} << power;
        }
    }
    return nullptr;
}

/// The last one to two minutes: what happened, and how long jobs waited for their start.
Json recent_of(const Json& this_minute, const Json& minute_before) {
    Json recent = Json::object();
    std::map<int, std::int64_t> waits;
    for (const Json* minute : {&this_minute, &minute_before}) {
        for (const auto& [name, value] : minute->items()) {
            if (name.starts_with("wait")) {
                const int power = std::clamp(std::atoi(name.c_str() + 4), 0, kMostPower);
                waits[power] += value.get<std::int64_t>();
            } else {
                recent[name] = recent.value(name, std::int64_t{0}) + value.get<std::int64_t>();
            }
        }
    }
    recent["wait_p50_ms"] = quantile(waits, 0.5);
    recent["wait_p99_ms"] = quantile(waits, 0.99);
    return recent;
}

/// de: what, ms, attempt, token, error, story.
void read_record(std::string_view record, JobRow& row) {
    PackedReader reader(record);
    reader.number();
    const std::int64_t when = reader.number();
    const auto attempt = static_cast<int>(reader.number());
    reader.text();
    const std::string_view error = reader.text();
    const std::string_view story = reader.text();
    row.error = read_error(error, attempt, when);
    row.story = read_story(story);
    if (row.ended_ms != 0) row.attempt = attempt;
}

/// dn: ms, attempt, p's value, receipts, story. Returns p's value.
std::string_view read_ended(std::string_view record, JobRow& row) {
    PackedReader reader(record);
    reader.number();
    row.attempt = static_cast<int>(reader.number());
    const std::string_view value = reader.text();
    row.receipts = read_receipts(reader.text());
    row.story = read_story(reader.text());
    return value;
}
}  // namespace

Result<Job> read_stored_job(std::string id, const std::string& queue, std::string_view value) {
    PackedReader reader(value);
    reader.number();  // score
    reader.number();  // accepted_ms
    reader.number();  // max_attempts
    reader.number();  // flags
    reader.text();    // dedupe
    if (!reader.ok()) {
        return fail(Errc::corrupt, "job " + id + " of queue " + queue + " is not a stored job");
    }
    return Job::decode(std::move(id), queue, reader.rest());
}

Result<JobRow> read_row(const RedisReply& reply, const std::string& queue) {
    if (reply.items.size() != kRowItems) return fail(Errc::corrupt, "not a row of a queue");
    const std::vector<RedisReply>& item = reply.items;
    JobRow row;
    row.job.id = item[0].text;
    row.job.queue = queue;
    const std::optional<JobState> state = state_from_name(item[1].text);
    if (!state) return fail(Errc::corrupt, "not a state of a job: " + item[1].text);
    row.state = *state;
    const std::int64_t date = number_of(item[5]);
    if (row.state == JobState::delayed) row.due_ms = date;
    const bool ended = row.state == JobState::done || row.state == JobState::dead ||
                       row.state == JobState::cancelled;
    if (ended) row.ended_ms = date;
    row.attempt = static_cast<int>(number_of(item[3]) + number_of(item[4]));
    if (row.state == JobState::running) row.attempt += 1;
    row.receipts = read_receipts(item[6].text);
    std::string_view value = item[2].text;
    if (row.state == JobState::done) {
        value = read_ended(item[7].text, row);
    } else if (!item[7].text.empty()) {
        read_record(item[7].text, row);
    }
    if (!item[8].text.empty()) row.progress = parse_own_json(item[8].text).value_or(nullptr);
    if (Result<Job> job = read_stored_job(row.job.id, queue, value)) row.job = std::move(*job);
    return row;
}

Result<QueueStats> read_stats(const RedisReply& reply) {
    if (reply.items.size() != kStatsItems) return fail(Errc::corrupt, "not the stats of a queue");
    const std::vector<RedisReply>& item = reply.items;
    const auto size = [&](std::size_t i) { return static_cast<std::uint64_t>(number_of(item[i])); };
    QueueStats stats;
    stats.waiting = size(0);
    stats.delayed = size(1);
    stats.running = size(2);
    stats.done = size(3);
    stats.oldest_ms = number_of(item[5]);
    stats.next_due_ms = number_of(item[6]);
    stats.counters = counts_of(item[8]);
    stats.paused = stats.counters.contains("paused");
    stats.cancelled = stats.counters.value("buried_cancelled", std::uint64_t{0});
    stats.dead = size(4) - stats.cancelled;
    for (const char* own : {"paused", "buried_cancelled", "seq", "format"}) {
        stats.counters.erase(own);
    }
    stats.counters["reactors"] = number_of(item[7]);
    stats.counters["recent"] = recent_of(counts_of(item[9]), counts_of(item[10]));
    return stats;
}

}  // namespace musher
