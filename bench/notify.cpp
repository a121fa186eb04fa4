// bench-notify: from NOTIFY to a job's first step: how many a second from pgbench's writers and
// from one transaction, and how late at 1,000/s, beside a bare libpq LISTEN loop.
#include <fmt/format.h>
#include <poll.h>
#include <postgresql/libpq-fe.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <thread>

#include "bench/running_musher.h"
#include "tests/support/postgres_server.h"

namespace musher::bench {
namespace {

constexpr double kRate = 1000;  // notifications a second, for latency
constexpr int kClients = 4;

double now_s() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
}

struct Finish {
    void operator()(PGconn* conn) const { PQfinish(conn); }
};
using Connection = std::unique_ptr<PGconn, Finish>;

Connection connect(const test::PostgresServer& server) {
    Connection conn(PQconnectdb(server.url().c_str()));
    MUSHER_CHECK(PQstatus(conn.get()) == CONNECTION_OK);
    return conn;
}
void exec(const Connection& conn, const std::string& sql) {
    PGresult* result = PQexec(conn.get(), sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    MUSHER_CHECK(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
    PQclear(result);
}

/// Who takes notifications: calls `seen` with the number in each until it says false.
using Seen = std::function<bool(int)>;
class Taker {
  public:
    virtual ~Taker() = default;
    virtual void take(const Seen& seen) = 0;
};

/// What any listener has to do: read, and find the number.
class BareLoop final : public Taker {
  public:
    explicit BareLoop(const test::PostgresServer& server) : conn_(connect(server)) {
        exec(conn_, "LISTEN c");
    }
    void take(const Seen& seen) override {
        for (;;) {
            while (PGnotify* one = PQnotifies(conn_.get())) {
                const int n = std::atoi(one->extra + 6);  // {"n": 7}
                PQfreemem(one);
                if (!seen(n)) return;
            }
            pollfd readable{PQsocket(conn_.get()), POLLIN, 0};
            if (::poll(&readable, 1, 20'000) <= 0) return;
            MUSHER_CHECK(PQconsumeInput(conn_.get()) == 1);
        }
    }

  private:
    Connection conn_;
};

/// The step is `log`: its lines come through a pipe.
class Musher final : public Taker {
  public:
    Musher(const test::PostgresServer& server, const std::string& more)
        : musher_("connections: { db: { postgres: '" + server.url() + "' } }\n" + more,
                  {{"notify",
                    "source: { postgres_notify: { connection: db, channels: c } }\n"
                    "steps: [ { log: \"n${event.n}\" } ]\n"}}) {
        musher_.start();
        const std::string listening =
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
        while (server.exec(listening) != "1") ::usleep(10'000);
    }
    ~Musher() override { MUSHER_CHECK(musher_.stop() == 0); }
    void take(const Seen& seen) override {
        while (const std::optional<std::string> line = musher_.line(20)) {
            const std::size_t number = line->find("message=n");
            if (number == std::string::npos) continue;
            if (!seen(std::atoi(line->c_str() + number + 9))) return;
        }
    }

  private:
    RunningMusher musher_;
};

/// A second's worth, from before the first was sent until the last was taken; 0: some never came.
double rate(Taker& taker, int count, const std::function<void()>& send) {
    int left = count;
    const double began = now_s();
    std::thread sender(send);
    taker.take([&left](int) { return --left > 0; });
    const double took = now_s() - began;
    sender.join();
    return left == 0 ? count / took : 0;
}

/// pgbench's clients, each notification a transaction of its own.
double from_writers(const test::PostgresServer& server, Taker& taker, int count) {
    const test::TempDir dir;
    std::ofstream(dir / "script") << "SELECT pg_notify('c', '{\"n\": ' || :client_id || '}');\n";
    const auto send = [&] {
        Program pgbench({"/bin/sh", "-c",
                         "exec $(ls -d /usr/lib/postgresql/*/bin/pgbench | tail -1) \"$@\"", "sh",
                         "-n", "-f", dir / "script", "-c", std::to_string(kClients), "-j", "2",
                         "-t", std::to_string(count / kClients), server.url()});
        if (pgbench.wait(300) != 0) fmt::print(stderr, "pgbench: {}\n", pgbench.complaint());
    };
    return rate(taker, count, send);
}

double from_one_transaction(const test::PostgresServer& server, Taker& taker, int count) {
    const auto send = [&] {
        server.exec(
            fmt::format("SELECT count(pg_notify('c', '{{\"n\": ' || i || '}}')) FROM "
                        "generate_series(1, {}) i",
                        count));
    };
    return rate(taker, count, send);
}

struct Row {
    std::string name;
    Figure writers = {}, burst = {}, p50 = {}, p99 = {};
};

/// In milliseconds from before the statement is sent; the first tenth is warm-up.
void measure_latency(Row& row, const test::PostgresServer& server, Taker& taker, int count) {
    std::vector<double> sent(static_cast<std::size_t>(count));
    std::vector<double> seen(sent.size());
    std::thread sender([&] {
        const Connection conn = connect(server);
        const double began = now_s();
        for (int i = 0; i < count; ++i) {
            const double wait = began + i / kRate - now_s();
            if (wait > 0) std::this_thread::sleep_for(std::chrono::duration<double>(wait));
            sent[static_cast<std::size_t>(i)] = now_s();
            exec(conn, fmt::format("SELECT pg_notify('c', '{{\"n\": {}}}')", i));
        }
    });
    int left = count;
    taker.take([&](int n) {
        seen[static_cast<std::size_t>(n)] = now_s();
        return --left > 0;
    });
    sender.join();
    if (left > 0) fmt::print(stderr, "{}: {} were not seen\n", row.name, left);
    if (left > 0) return;
    std::vector<double> waits;
    for (std::size_t i = sent.size() / 10; i < sent.size(); ++i) {
        waits.push_back((seen[i] - sent[i]) * 1000);
    }
    std::sort(waits.begin(), waits.end());
    row.p50.add(waits[waits.size() / 2]);
    row.p99.add(waits[waits.size() * 99 / 100]);
}

void measure(Row& row, const test::PostgresServer& server, Taker& taker, int count) {
    measure_latency(row, server, taker, count / 10);
    if (const double found = from_writers(server, taker, count); found > 0) row.writers.add(found);
    if (const double found = from_one_transaction(server, taker, count); found > 0) {
        row.burst.add(found);
    }
}

void run(const Options& options) {
    const int count = options.quick ? 20'000 : 100'000;
    print_machine(fmt::format("notify: {} notifications from {} writers and from one transaction; "
                              "latency at {:.0f}/s; fsync of the database off",
                              count, kClients, kRate),
                  {version_of({"redis-server", "--version"}), version_of({"psql", "--version"})});
    Row always{"musher, appendfsync always"}, everysec{"musher, appendfsync everysec"};
    Row bare{"limit: libpq LISTEN loop"};
    for (int i = 0; i < options.runs; ++i) {
        const test::PostgresServer server;
        {
            BareLoop loop(server);
            measure(bare, server, loop, count);
        }
        {
            Musher musher(server, "");
            measure(always, server, musher, count);
        }
        Musher musher(server, "queue: { appendfsync: everysec }\n");
        measure(everysec, server, musher, count);
    }
    std::vector<std::vector<std::string>> rows{
        {"", "writers/s", "to limit", "burst/s", "to limit", "p50 ms", "p99 ms"}};
    for (const Row* row : {&always, &everysec, &bare}) {
        rows.push_back({row->name, row->writers.text(), row->writers.ratio_to(bare.writers),
                        row->burst.text(), row->burst.ratio_to(bare.burst), row->p50.text(),
                        row->p99.text()});
    }
    print_table(rows);
    if (always.writers.known() && bare.writers.known()) {
        print_goal("writers / LISTEN loop", always.writers.median() / bare.writers.median(),
                   Want::at_least, 0.7);
    }
    print_goal("p99 ms, everysec", everysec.p99, Want::at_most, 5);
    print_goal("p99 ms, always", always.p99, Want::at_most, 5);
}

}  // namespace
}  // namespace musher::bench

int main(int argc, char** argv) { musher::bench::run(musher::bench::read_options(argc, argv)); }
