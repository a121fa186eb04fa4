// postgres_notify: events from NOTIFY, and from the rows that were missed meanwhile.
//
// A notification is gone once it was read. Without `catch_up` each is an event of its own that
// comes at most once: what is sent while no connection stands is lost, and so is, at a kill -9,
// what was read and not yet in the queue. With `catch_up` the query's rows become events after each
// (re)connect, LISTEN first, so that nothing falls between the two; what has an `id` is the same
// event whichever way it comes, and the queue takes it once.
//
// Memory is bounded: while nobody takes events nothing is read, and the server keeps what comes.
#pragma once

#include <deque>
#include <map>

#include "reactor/base/backoff.h"
#include "reactor/component/source.h"
#include "reactor/drivers/postgres_link.h"
#include "reactor/task/doorbell.h"
#include "sources/postgres_notify_event.h"

namespace musher {

const Spec& postgres_notify_spec();
Result<std::unique_ptr<Source>> make_postgres_notify(const Options& options,
                                                     const SourceContext& context);
/// SQL for psql: a trigger on `table` that notifies of each new row by its column `key`. `usage`
/// for names that PostgreSQL would cut off.
Result<std::string> postgres_notify_sql(const std::string& table, const std::string& key);

namespace postgres_notify {

struct Rules {
    PostgresTarget target;
    std::vector<std::string> channels;
    std::string catch_up;  // a query without semicolon; empty: none
    Reading reading;
};

/// Loop thread only.
class PostgresNotify final : public Source {
  public:
    PostgresNotify(Rules rules, const SourceContext& context);

    Task<Result<void>> run(Cancel& stop) override;
    void pause(PauseReason why) override;
    void resume() override;
    Task<Result<void>> settle(std::vector<Settlement>& ended, Cancel& cancel) override;
    void recheck() override;
    Json status() const override;
    Task<std::vector<Problem>> probe(Cancel& cancel) override;

  private:
    struct Sent;
    using Link = std::unique_ptr<PostgresLink>;
    using Heard = std::vector<PostgresNotification>;

    Task<Result<void>> session(Backoff& backoff, Cancel& over);
    Task<Result<Link>> connect(Cancel& over);
    Task<Result<void>> catch_up(Cancel& over);
    Task<Result<void>> add_rows(const PostgresResult& rows, Cancel& over);
    Task<Result<void>> hear(PostgresLink& link, Cancel& over);
    void keep(Heard some);
    Task<Result<void>> add(Arrival arrival, Cancel& over);
    Task<void> guard(PostgresLink& link, Cancel& over);
    Task<void> carry(Cancel& stop);
    Task<bool> carry_one(Cancel& stop);
    Task<Result<void>> try_catch_up(PostgresLink& link, Cancel& cancel);
    void set_trouble(const Error& trouble);

    const Rules rules_;
    const SourceContext context_;
    Doorbell bell_;                           // for run(): room, or a pause that is over
    Doorbell load_;                           // for carry(): something to send
    std::deque<PostgresNotification> heard_;  // and not read yet
    std::map<std::uint64_t, std::shared_ptr<const Arrival>> waiting_;  // for room in `out`
    std::uint64_t turns_ = 0;  // given to arrivals, in their order
    bool refused_ = false;     // by the queue, since the last try
    std::optional<PauseReason> paused_;
    Cancel* session_ = nullptr;  // of the connection that stands or is being made
    Cancel* sending_ = nullptr;  // of what waits for room in `out`
    bool listening_ = false;
    bool catching_up_ = false;
    std::uint64_t notifications_ = 0;
    std::uint64_t rows_ = 0;  // of catch_up that the queue did not know
    std::uint64_t corrupt_ = 0;
    std::string trouble_;  // why there is no connection, or no catching up
};

}  // namespace postgres_notify
}  // namespace musher
