// postgres_queue: the rows of a job table, which several reactors and anybody's INSERTs share.
//
// A row's way: waiting → claimed (running, with a token that no other claim has) → the event is in
// the queue → its job ends → done or failed, in the row whose token is still that one. The queue
// alone retries; the row waits as running meanwhile. Who holds rows says so in one row of a table
// of heartbeats, by the database's clock.
//
// The event's id is made of pipeline, table, key and token: of one claim there is one job, whoever
// sends it and how often. So nothing but a new claim changes the token:
// - kill -9 between claim and put: at the next start the holder's running rows are held against
//   the queue; what it does not know is sent again under the same id.
// - between put and accept: the same, and the queue knows it.
// - between the job's end and settle: the same, and the queue tells the end.
// - the holder never comes back: after `lease` any reactor takes its rows over, token and all, and
//   does the same with them. Where both have one queue no row is lost or runs twice; where each has
//   a queue of its own, the job may run there too when it does come back: under the same id.
// - the answer to a claim or a settle is lost with the connection: rows are looked at as at a
// start.
//
// A table without `token`: the id is made of key and table. A row runs once; one that is made to
// wait again ends as its job did, as long as the queue's history knows it. Without `reactor`: all
// running rows count as held by everybody; reactors on such a table must share one queue.
#pragma once

#include <deque>
#include <set>
#include <span>

#include "reactor/base/backoff.h"
#include "reactor/component/source.h"
#include "reactor/task/doorbell.h"
#include "sources/postgres_queue_table.h"

namespace musher {

const Spec& postgres_queue_spec();
Result<std::unique_ptr<Source>> make_postgres_queue(const Options& options,
                                                    const SourceContext& context);

namespace postgres_queue {

/// Loop thread only.
class PostgresQueue final : public Source {
  public:
    PostgresQueue(const Rules& rules, PostgresTarget target, const SourceContext& context);

    Task<Result<void>> run(Cancel& stop) override;
    void pause(PauseReason why) override;
    void resume() override;
    Task<Result<void>> settle(std::vector<Settlement>& ended, Cancel& cancel) override;
    Task<Result<void>> recall(Event event, Cancel& cancel) override;
    void recheck() override;
    Json status() const override;
    Task<std::vector<Problem>> probe(Cancel& cancel) override;

  private:
    struct Sent;

    Task<Result<void>> session(Cancel& stop);
    Task<Result<void>> work(PostgresLink& link, Cancel& over);
    Task<void> hear(PostgresLink& link, Cancel& over);
    Task<void> keep_beating(Cancel& over);
    Task<Result<bool>> turn(PostgresLink& link, Cancel& over);
    Task<void> rest(Cancel& over);
    Task<Result<bool>> claim(PostgresLink& link, Cancel& over);
    Task<Result<void>> look_at_held(PostgresLink& link, Cancel& over);
    Task<Result<void>> adopt(PostgresLink& link, Cancel& over);
    Task<Result<void>> sort_out(std::vector<Event> held, bool adopted, Cancel& over);
    Task<Result<std::vector<Event>>> count_tries(std::vector<Event> lost, Cancel& over);
    Task<Result<void>> end_needless(Cancel& over);
    Result<void> failed(Error error);
    std::vector<Event> events_of(const PostgresResult& rows) const;
    std::vector<RowEnd> ends_of(std::span<const Settlement> ended) const;
    void send_back(std::vector<Event> events);
    void send_waiting();
    void send(Event event);
    bool resting() const;
    void set_trouble(std::string& place, const Result<void>& what);

    const SourceContext context_;
    JobTable table_;
    Doorbell bell_;
    Backoff refusals_;
    std::deque<Event> again_;          // claimed, and to be sent
    std::set<std::string> under_way_;  // ids of what is in again_, or sent and not answered
    std::vector<RowEnd> needless_;     // the queue wants none of it
    bool looking_ = true;              // through the rows that we hold …
    PostgresParam looked_;             // … up to this key
    unsigned looks_ = 0;
    Instant adopt_at_{};
    Instant rest_until_{};  // something was refused
    std::optional<PauseReason> paused_;
    bool connected_ = false;
    std::string trouble_;  // of the session
    std::string beat_trouble_;
    std::minstd_rand random_{std::random_device{}()};
};

/// Everything that a statement of the source would find wrong with the table.
Task<std::vector<Problem>> probe_table(Loop& loop, const PostgresTarget& target, const Rules& rules,
                                       Cancel& cancel);

}  // namespace postgres_queue
}  // namespace musher
