// RedisQueue: what people ask for and order by hand.
#include <charconv>
#include <cmath>

#include "pipelines/queue/job_records.h"
#include "pipelines/queue/redis_queue.h"
#include "pipelines/queue/redis_rows.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::size_t kPage = 100;  // rows of one script call
constexpr std::size_t kFind = 256;  // ids of one script call
constexpr std::int64_t kMinuteMs = 60'000;

Failure unknown(const std::string& id, const std::string& queue) {
    return fail(Errc::not_found, "no job " + id + " in queue " + queue);
}
Failure wrong_state(const std::string& id, const std::string& state, const char* wanted) {
    return fail(Errc::conflict, "job " + id + " is " + state + ", not " + wanted);
}

/// The sorted sets that hold the jobs of a state, in the order of a listing.
std::vector<std::string_view> sections_of(std::optional<JobState> state) {
    if (!state) return {"lease", "ready", "parked", "delayed", "dead", "done"};
    switch (*state) {
        case JobState::waiting:
            return {"ready", "parked"};
        case JobState::delayed:
            return {"delayed"};
        case JobState::running:
            return {"lease"};
        case JobState::done:
            return {"done"};
        case JobState::dead:
        case JobState::cancelled:
            return {"dead"};
    }
    return {};
}

/// Where a listing stopped: SECTION.SCORE.MEMBER, the member in hex (it may hold any bytes).
struct Cursor {
    std::string section, score = "0", member;

    static Result<Cursor> parse(const std::string& text) {
        const std::size_t first = text.find('.');
        const std::size_t second = text.find('.', first + 1);
        Cursor cursor;
        if (second == std::string::npos) return refuse(text);
        cursor.section = text.substr(0, first);
        cursor.score = text.substr(first + 1, second - first - 1);
        const auto member = from_hex(std::string_view(text).substr(second + 1));
        double score = 0;
        const auto end = cursor.score.data() + cursor.score.size();
        const auto read = std::from_chars(cursor.score.data(), end, score);
        const bool number = read.ec == std::errc() && read.ptr == end && std::isfinite(score);
        if (!member || !number) return refuse(text);
        cursor.member.assign(member->begin(), member->end());
        return cursor;
    }
    static Failure refuse(const std::string& text) {
        return fail(Errc::usage, "not a place in this listing: " + text,
                    "take it from `next` of the page before");
    }
    std::string text() const { return section + "." + score + "." + to_hex(as_bytes(member)); }
};
}  // namespace

Task<Result<std::vector<Presence>>> RedisQueue::find(std::vector<std::string> ids, Cancel& cancel) {
    std::vector<Presence> found;
    for (std::size_t from = 0; from < ids.size(); from += kFind) {
        const std::size_t to = std::min(from + kFind, ids.size());
        Args args;
        for (std::size_t i = from; i < to; ++i) args.push_back(std::move(ids[i]));
        MUSHER_CO_TRY(const RedisReply reply,
                      co_await call(queue_scripts().find, std::move(args), cancel));
        for (const char digit : reply.text) found.push_back(static_cast<Presence>(digit - '0'));
    }
    co_return found;
}

Task<Result<JobRow>> RedisQueue::show(std::string id, Cancel& cancel) {
    Args args;
    args.push_back(id);
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().show, std::move(args), cancel));
    if (reply.is_nil()) co_return unknown(id, name_);
    co_return read_row(reply, name_);
}

Task<Result<JobPage>> RedisQueue::list(JobFilter filter, Cancel& cancel) {
    const std::size_t limit = std::max<std::size_t>(filter.limit, 1);
    const std::vector<std::string_view> sections = sections_of(filter.state);
    std::size_t section = 0;
    Cursor at;
    if (!filter.after.empty()) {
        MUSHER_CO_TRY(at, Cursor::parse(filter.after));
        const auto found = std::find(sections.begin(), sections.end(), at.section);
        if (found == sections.end()) co_return Cursor::refuse(filter.after);
        section = static_cast<std::size_t>(found - sections.begin());
    }
    JobPage page;
    for (; section < sections.size(); at = Cursor(), ++section) {
        at.section = sections[section];
        do {
            // A full page looks one row further, to know whether there is a next one.
            const Cursor before = at;
            const std::size_t room = limit - page.items.size();
            Args args;
            args.push_back(at.section);
            args.push_back(at.score);
            args.push_back(at.member);
            args.push_back(std::to_string(std::clamp<std::size_t>(room, 1, kPage)));
            const bool filtered = filter.state && at.section == "dead";
            args.emplace_back(filtered ? state_name(*filter.state) : std::string_view());
            MUSHER_CO_TRY(const RedisReply reply,
                          co_await call(queue_scripts().list, std::move(args), cancel));
            const std::vector<RedisReply>& rows = reply.items.at(2).items;
            if (room == 0 && !rows.empty()) {
                page.next = before.text();
                co_return page;
            }
            for (const RedisReply& one : rows) {
                MUSHER_CO_TRY(JobRow row, read_row(one, name_));
                page.items.push_back(std::move(row));
            }
            at.score = reply.items.at(0).text;
            at.member = reply.items.at(1).text;
        } while (!at.member.empty());
    }
    co_return page;
}

Task<Result<QueueStats>> RedisQueue::stats(Cancel& cancel) {
    const std::int64_t now = loop_.clock().wall_ms();
    std::vector<std::string> keys = keys_.at(now);
    keys.push_back(keys_.at(now - kMinuteMs).back());
    Args none;
    Result<RedisReply> reply =
        co_await redis_.eval(queue_scripts().stats, std::move(keys), std::move(none), cancel);
    if (!reply) co_return musher::fail(explain(std::move(reply).error()));
    co_return read_stats(*reply);
}

Task<Result<JobState>> RedisQueue::cancel_job(std::string id, Cancel& cancel) {
    Args args;
    args.push_back(id);
    args.push_back(cancelled_line());
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().cancel, std::move(args), cancel));
    const std::optional<JobState> state = state_from_name(reply.text);
    if (!state) co_return unknown(id, name_);
    co_return *state;
}

Task<Result<void>> RedisQueue::replay(std::string id, Cancel& cancel) {
    // A dead job's key is only in the job itself, which does not change.
    MUSHER_CO_TRY(const JobRow row, co_await show(id, cancel));
    Args args;
    args.push_back(id);
    args.push_back(row.job.key);
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().replay, std::move(args), cancel));
    if (reply.is_nil()) co_return unknown(id, name_);
    if (reply.is_list()) {
        co_return musher::fail(Errc::conflict, "job " + reply.items.at(1).text +
                                                   " with the same dedupe value is in the queue");
    }
    if (reply.text != "ok") co_return wrong_state(id, reply.text, "dead");
    co_return Result<void>();
}

Task<Result<void>> RedisQueue::hasten(std::string id, Cancel& cancel) {
    Args args;
    args.push_back(id);
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().hasten, std::move(args), cancel));
    if (reply.is_nil()) co_return unknown(id, name_);
    if (reply.text != "delayed" && reply.text != "waiting") {
        co_return wrong_state(id, reply.text, "delayed");
    }
    co_return Result<void>();
}

Task<Result<std::size_t>> RedisQueue::purge(JobState state, Cancel& cancel) {
    if (state != JobState::done && state != JobState::dead && state != JobState::cancelled) {
        co_return musher::fail(Errc::usage, "only done, dead and cancelled jobs can be purged");
    }
    std::int64_t forgotten = 0;
    std::int64_t kept = 0;
    for (;;) {
        Args args;
        args.emplace_back(state_name(state));
        args.push_back(std::to_string(kept));
        MUSHER_CO_TRY(const RedisReply reply,
                      co_await call(queue_scripts().purge, std::move(args), cancel));
        const std::int64_t now_forgotten = reply.items.at(0).integer;
        const std::int64_t now_kept = reply.items.at(1).integer;
        if (now_forgotten + now_kept == 0) break;
        forgotten += now_forgotten;
        kept += now_kept;
    }
    co_return static_cast<std::size_t>(forgotten);
}

Task<Result<JobState>> RedisQueue::withdraw(std::string id, Cancel& cancel) {
    Args args;
    args.push_back(id);
    args.push_back(released_line());
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().withdraw, std::move(args), cancel));
    const std::optional<JobState> state = state_from_name(reply.text);
    if (!state) co_return unknown(id, name_);
    co_return *state;
}

Task<Result<void>> RedisQueue::forget(std::string id, Cancel& cancel) {
    Args args;
    args.push_back(id);
    MUSHER_CO_TRY(const RedisReply reply,
                  co_await call(queue_scripts().forget, std::move(args), cancel));
    const std::optional<JobState> state = state_from_name(reply.text);
    const bool gone = !state || *state == JobState::dead || *state == JobState::cancelled;
    if (!gone) co_return wrong_state(id, reply.text, "dead");
    co_return Result<void>();
}

}  // namespace musher
