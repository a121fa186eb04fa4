// What becomes of a row when its job has ended, and what `status` says.
#include <fmt/format.h>

#include <algorithm>

#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "sources/postgres_queue.h"

namespace musher::postgres_queue {

namespace {
constexpr std::size_t kMost = 500;         // rows of one statement
constexpr std::size_t kErrorBytes = 2000;  // of an error's text

/// As PostgreSQL takes it: UTF-8 without NUL.
std::string told(const Error& error) {
    std::string text = error.text();
    std::size_t end = std::min(text.size(), kErrorBytes);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text.resize(end);
    std::replace(text.begin(), text.end(), '\0', ' ');
    return escape_name(text);
}

RowEnd::Kind kind_of(Outcome outcome) {
    if (outcome == Outcome::done) return RowEnd::Kind::done;
    if (outcome == Outcome::released) return RowEnd::Kind::waiting;
    return RowEnd::Kind::failed;
}

/// The server said no to these rows: with fewer of them it may find out which it means.
bool is_refusal(const Error& error) {
    return error.code != Errc::unavailable && error.code != Errc::timeout &&
           error.code != Errc::cancelled;
}
}  // namespace

std::vector<RowEnd> PostgresQueue::ends_of(std::span<const Settlement> ended) const {
    std::vector<RowEnd> ends;
    for (const Settlement& one : ended) {
        const auto row = one.event.facts->find("row");
        const bool whole = row != one.event.facts->end() && row->is_object();
        const auto name = whole ? name_of(table_.rules(), *row) : std::nullopt;
        if (!name) {
            // Its columns had other names when it was claimed.
            log::warning("postgres_queue.nameless",
                         Json{{"pipeline", context_.pipeline}, {"job", one.event.id}});
            continue;
        }
        RowEnd end{*name, kind_of(one.outcome), {}};
        if (end.kind == RowEnd::Kind::failed) {
            end.error = one.outcome == Outcome::cancelled ? "cancelled" : told(one.error);
        }
        ends.push_back(std::move(end));
    }
    return ends;
}

/// A row that the server does not let go (a trigger of the table, a constraint) holds up no other
/// one: what is refused is tried in halves.
Task<Result<void>> PostgresQueue::settle(std::vector<Settlement>& ended, Cancel& cancel) {
    Result<void> first;
    std::size_t most = kMost;
    std::size_t at = 0;  // what is before was refused
    while (at < ended.size()) {
        const auto begin = ended.begin() + static_cast<std::ptrdiff_t>(at);
        const std::size_t count = std::min(most, ended.size() - at);
        const auto end = begin + static_cast<std::ptrdiff_t>(count);
        std::vector<RowEnd> ends = ends_of(std::span(ended).subspan(at, count));
        const Result<void> done = co_await table_.settle(std::move(ends), cancel);
        if (done) {
            ended.erase(begin, end);
            most = std::min(most * 2, kMost);
            continue;
        }
        if (!is_refusal(done.error())) co_return done;
        if (count > 1) {
            most = count / 2;
            continue;
        }
        if (first) first = done;
        ++at;
    }
    co_return first;
}

Task<Result<void>> PostgresQueue::recall(Event event, Cancel& cancel) {
    const auto row = event.facts->find("row");
    const bool whole = row != event.facts->end() && row->is_object();
    const auto name = whole ? name_of(table_.rules(), *row) : std::nullopt;
    if (!name) co_return fail(Errc::not_found, "the event names no row");
    co_return co_await table_.recall(*name, cancel);
}

void PostgresQueue::set_trouble(std::string& place, const Result<void>& what) {
    const std::string text = what ? std::string() : what.error().text();
    if (!text.empty() && text != place) {
        log::warning("postgres_queue.trouble", Json{{"pipeline", context_.pipeline},
                                                    {"table", table_.rules().table},
                                                    {"reason", text},
                                                    {"hint", what.error().hint}});
    }
    place = text;
}

Json PostgresQueue::status() const {
    const std::string& wrong = trouble_.empty() ? beat_trouble_ : trouble_;
    if (!wrong.empty()) return Json{{"ok", false}, {"detail", wrong}};
    std::string detail = connected_ ? "waits for rows" : "connecting";
    if (!again_.empty()) detail = fmt::format("{} rows wait for room", again_.size());
    if (paused_) detail = "paused";
    return Json{{"ok", true}, {"detail", detail}, {"under_way", under_way_.size()}};
}

}  // namespace musher::postgres_queue
