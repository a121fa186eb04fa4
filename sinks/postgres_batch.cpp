#include "sinks/postgres_batch.h"

#include <algorithm>
#include <set>

#include "reactor/drivers/postgres_json.h"

namespace musher {

namespace {
constexpr std::size_t kMostRows = 256;
constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::size_t kMostValues = 65535;  // parameters of one statement, by the protocol

void append(std::string& list, const std::string& one) {
    if (!list.empty()) list += ", ";
    list += one;
}
}  // namespace

PostgresRow::PostgresRow(const std::string& table, const Json& row,
                         const std::vector<std::string>& conflict) {
    std::string columns;
    std::string changes;
    std::string keys;
    for (const auto& [name, value] : row.items()) {
        const std::string column = postgres_identifier(name);
        values.push_back(postgres_param(value));
        if (values.back()) bytes += values.back()->size();
        append(columns, column);
        const bool is_key = std::find(conflict.begin(), conflict.end(), name) != conflict.end();
        if (is_key) key.push_back(values.back());
        if (!is_key) append(changes, column + " = EXCLUDED." + column);
    }
    head = "INSERT INTO " + postgres_table_name(table) + " (" + columns + ") VALUES ";
    if (conflict.empty()) return;
    for (const std::string& name : conflict) append(keys, postgres_identifier(name));
    tail =
        " ON CONFLICT (" + keys + ") DO " + (changes.empty() ? "NOTHING" : "UPDATE SET " + changes);
}

PostgresStatement insert_of(const std::vector<const PostgresRow*>& rows) {
    PostgresParams params;
    std::string lists;
    for (const PostgresRow* row : rows) {
        std::string list;
        for (const PostgresParam& value : row->values) {
            params.push_back(value);
            append(list, "$" + std::to_string(params.size()));
        }
        append(lists, "(" + list + ")");
    }
    return PostgresStatement(rows.front()->head + lists + rows.front()->tail, std::move(params));
}

struct PostgresBatch::Entry {
    Entry(Loop& loop, Postgres& to, const PostgresRow& what, Cancel& until)
        : server(to), row(what), cancel(until), turn(loop.ready()) {}
    bool goes_with(const Entry& other) const {
        return &server == &other.server && row.head == other.row.head && row.tail == other.row.tail;
    }
    Postgres& server;
    const PostgresRow& row;
    Cancel& cancel;
    Waiters turn;              // its answer is there, or it may send
    Cancel* flight = nullptr;  // of the statement that it is in
    bool alone = false;        // it was among rows of which one was refused
    std::optional<Result<void>> answer;
};

Task<Result<void>> PostgresBatch::write(Loop& loop, Postgres& server, const PostgresRow& row,
                                        Cancel& cancel) {
    if (row.tail.empty()) {
        // Written twice it is two rows: nobody else's cancel may leave it in doubt.
        const std::vector<const PostgresRow*> one(1, &row);
        MUSHER_CO_DO(co_await server.query(insert_of(one), cancel));
        co_return Result<void>();
    }
    Entry mine(loop, server, row, cancel);
    waiting_.push_back(&mine);
    CancelHook hook;
    hook.attach(cancel, [&] {
        if (mine.flight) {
            mine.flight->request();
        } else if (!mine.answer) {
            waiting_.remove(&mine);
            mine.answer = fail(cancel.error());
            mine.turn.wake_one();
        }
    });
    Cancel never;
    while (!mine.answer) {
        if (sending_) {
            const Result<void> woken = co_await mine.turn.wait(never);
        } else {
            co_await send();
        }
    }
    if (!sending_ && !waiting_.empty()) waiting_.front()->turn.wake_one();
    co_return std::move(*mine.answer);
}

/// The front row and what can go with it.
std::vector<PostgresBatch::Entry*> PostgresBatch::take() {
    std::vector<Entry*> batch;
    std::set<PostgresParams> keys;
    std::size_t bytes = 0;
    std::size_t values = 0;
    const Entry& first = *waiting_.front();
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        Entry* const one = *at;
        // What has the same key waits, and keeps its place.
        if (keys.contains(one->row.key) || !one->goes_with(first)) {
            ++at;
            continue;
        }
        bytes += one->row.bytes;
        values += one->row.values.size();
        const bool full = batch.size() == kMostRows || bytes > kMostBytes || values > kMostValues;
        if (!batch.empty() && (full || first.alone || one->alone)) break;
        keys.insert(one->row.key);
        batch.push_back(one);
        at = waiting_.erase(at);
    }
    return batch;
}

Task<void> PostgresBatch::send() {
    sending_ = true;
    const std::vector<Entry*> batch = take();
    Cancel flight;
    std::vector<const PostgresRow*> rows;
    for (Entry* one : batch) {
        one->flight = &flight;
        rows.push_back(&one->row);
    }
    PostgresStatement statement = insert_of(rows);
    const Result<PostgresResult> done =
        co_await batch.front()->server.query(std::move(statement), flight);
    // Who took its row back stops the statement for the others too: they go again.
    const bool stopped = !done && flight.requested();
    const bool refused =
        !done && !stopped && batch.size() > 1 && info(done.error().code).fault == Fault::item;
    for (auto at = batch.rbegin(); at != batch.rend(); ++at) {
        Entry& one = **at;
        one.flight = nullptr;
        if (stopped && one.cancel.requested()) {
            one.answer = fail(one.cancel.error());
        } else if (stopped || refused) {
            one.alone = one.alone || refused;
            waiting_.push_front(&one);
            continue;
        } else if (done) {
            one.answer = Result<void>();
        } else {
            one.answer = fail(done.error());
        }
        one.turn.wake_one();
    }
    sending_ = false;
}

}  // namespace musher
