// bench-pgqueue: a job table's rows from waiting to done, rows/s of postgres_queue by batch, beside
// pg-boss, Graphile Worker and a bare SKIP LOCKED loop on one server. The peers' verbs:
// peers/pgqueue/README.md.
#include <fmt/format.h>
#include <postgresql/libpq-fe.h>

#include <array>
#include <atomic>
#include <fstream>
#include <thread>

#include "bench/running_musher.h"
#include "sources/postgres_queue_rules.h"
#include "tests/support/postgres_server.h"

namespace musher::bench {
namespace {

struct Size {
    std::size_t batch;
    std::size_t rows;  // for a second or two
};
constexpr std::size_t kSizes = 3;
constexpr std::array<Size, kSizes> kAllSizes = {{{1, 2'000}, {64, 20'000}, {500, 40'000}}};
constexpr double kPatienceS = 120;

struct Contender {
    std::string name;
    std::string program = {};  // of a peer
    bool missing = false;
    std::string settings = {}, pipeline = {};  // of musher
    std::array<Figure, kSizes> rate = {};
    std::array<Figure, kSizes> own = {}, redis = {}, postgres = {};  // processor time, us a row
};

double now_s() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
}

/// A newer one than Debian's, as the package `node` of npm has it.
std::string node_program() {
    const char* modules = std::getenv("MUSHER_BENCH_NPM");  // NOLINT(concurrency-mt-unsafe)
    return std::string(modules ? modules : "") + "/pgqueue/node_modules/node/bin/node";
}

struct Finish {
    void operator()(PGconn* conn) const { PQfinish(conn); }
};
struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Answer = std::unique_ptr<PGresult, Clear>;

Answer run_prepared(const Connection& conn, const char* name, const std::string& parameter) {
    const char* values[] = {parameter.c_str()};
    Answer answer(PQexecPrepared(conn.get(), name, 1, values, nullptr, nullptr, 0));
    const ExecStatusType status = PQresultStatus(answer.get());
    MUSHER_CHECK(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
    return answer;
}

Connection connect(const test::PostgresServer& server) {
    Connection conn(PQconnectdb(server.url().c_str()));
    MUSHER_CHECK(PQstatus(conn.get()) == CONNECTION_OK);
    return conn;
}

double processor_s(const test::PostgresServer& server) {
    double sum = bench::processor_s(server.pid());
    std::ifstream sessions(fmt::format("/proc/{0}/task/{0}/children", server.pid()));
    for (pid_t session = 0; sessions >> session;) sum += bench::processor_s(session);
    return sum;
}

/// The table that `musher describe source postgres_queue --sql jobs` makes, and waiting rows.
void fill(const test::PostgresServer& server, std::size_t rows) {
    const std::string table = postgres_queue::table_sql("jobs", "id").value();
    server.exec("DROP TABLE IF EXISTS jobs, musher_reactors; DROP FUNCTION IF EXISTS jobs_ring");
    server.exec(table);
    server.exec(
        fmt::format("INSERT INTO jobs (payload) SELECT jsonb_build_object('data', repeat('x', "
                    "189)) FROM generate_series(1, {})",
                    rows));
    server.exec("VACUUM ANALYZE jobs");
    server.exec("CHECKPOINT");
}

/// What any worker has to do: claim and settle, on one connection and in turns.
double bare_rate(const test::PostgresServer& server, const Size& size) {
    const Connection conn = connect(server);
    const auto prepare = [&](const char* name, const char* sql) {
        const Answer answer(PQprepare(conn.get(), name, sql, 1, nullptr));
        MUSHER_CHECK(PQresultStatus(answer.get()) == PGRES_COMMAND_OK);
    };
    prepare("claim",
            "WITH picked AS MATERIALIZED (SELECT id FROM jobs WHERE status = 'waiting' ORDER BY "
            "priority, created, id LIMIT $1::bigint FOR UPDATE SKIP LOCKED) UPDATE jobs AS t SET "
            "status = 'running', tries = tries + 1, started = now() FROM picked WHERE t.id = "
            "picked.id RETURNING t.id, t.payload");
    prepare("settle",
            "UPDATE jobs SET status = 'done', finished = now() WHERE id = ANY($1::bigint[]) AND "
            "status = 'running'");
    const double began = now_s();
    for (std::size_t done = 0; done < size.rows;) {
        const Answer claimed = run_prepared(conn, "claim", std::to_string(size.batch));
        const int rows = PQntuples(claimed.get());
        MUSHER_CHECK(rows > 0);
        std::string ids;
        for (int row = 0; row < rows; ++row) {
            ids += (row == 0 ? "{" : ",") + std::string(PQgetvalue(claimed.get(), row, 0));
        }
        run_prepared(conn, "settle", ids + "}");
        done += static_cast<std::size_t>(rows);
    }
    return double(size.rows) / (now_s() - began);
}

/// Looks seldom: it shall not be in the way.
bool all_done(const Connection& conn) {
    const auto holds = [&](const char* sql) {
        const Answer answer(PQexec(conn.get(), sql));
        MUSHER_CHECK(PQresultStatus(answer.get()) == PGRES_TUPLES_OK);
        return *PQgetvalue(answer.get(), 0, 0) == 't';
    };
    const char* none_left =
        "SELECT NOT EXISTS (SELECT FROM jobs WHERE status = 'waiting') AND NOT EXISTS (SELECT FROM "
        "jobs WHERE status = 'running')";
    for (const double until = now_s() + kPatienceS; now_s() < until; ::usleep(100'000)) {
        if (holds(none_left)) break;
    }
    return holds("SELECT bool_and(status = 'done') FROM jobs");
}

/// By the server's clock, from the first claim until the last end.
void measure_musher(Contender& musher, const test::PostgresServer& server, std::size_t at,
                    const Size& size) {
    RunningMusher program(
        "connections: { db: { postgres: '" + server.url() + "' } }\n" + musher.settings,
        {{"bench", fmt::format("source: {{ postgres_queue: {{ connection: db, table: jobs, "
                               "channel: jobs, batch: {} }} }}\n"
                               "steps: [ {{ set: {{ values: {{ n: event.row.id }} }} }} ]\n{}",
                               size.batch, musher.pipeline)}});
    const Connection watch = connect(server);
    const double before = processor_s(server);
    program.start();
    std::atomic<bool> ended = false;
    std::thread reader([&] {
        while (!ended) static_cast<void>(program.line(0.2));
    });
    const bool done = all_done(watch);
    const auto us_each = [&](double seconds) { return seconds * 1e6 / double(size.rows); };
    if (done) {
        musher.own[at].add(us_each(bench::processor_s(program.pid())));
        musher.redis[at].add(us_each(bench::processor_s(program.redis_pid())));
        musher.postgres[at].add(us_each(processor_s(server) - before));
        const std::string took =
            server.exec("SELECT extract(epoch FROM max(finished) - min(started)) FROM jobs");
        musher.rate[at].add(double(size.rows) / std::atof(took.c_str()));
    } else {
        fmt::print(stderr, "{}: rows are left: {}\n", musher.name,
                   server.exec("SELECT status, count(*) FROM jobs GROUP BY 1"));
    }
    ended = true;
    reader.join();
    MUSHER_CHECK(program.stop() == 0);
}

void measure_peer(Contender& peer, const test::PostgresServer& server, std::size_t at,
                  const Size& size) {
    server.exec("DROP DATABASE IF EXISTS peer");
    server.exec("CREATE DATABASE peer");
    const auto command = [&](const char* mode) {
        return std::vector<std::string>{node_program(),
                                        source_path("bench/peers/pgqueue/" + peer.program),
                                        mode,
                                        "host=" + server.socket_folder(),
                                        fmt::format("port={}", server.port()),
                                        "database=peer",
                                        fmt::format("batch={}", size.batch),
                                        fmt::format("rows={}", size.rows)};
    };
    Program filler(command("fill"));
    if (filler.wait(kPatienceS) != 0) {
        fmt::print(stderr, "{}: {}\n", peer.name, filler.complaint());
        return;
    }
    server.exec("CHECKPOINT");
    const Json result = run_json(command("drain"), kPatienceS);
    if (result.is_object()) peer.rate[at].add(result.value("per_s", 0.0));
}

void measure(std::vector<Contender>& contenders, bool quick) {
    const test::PostgresServer server({.durable = true, .more = "synchronous_commit=on"});
    for (std::size_t at = 0; at < kSizes; ++at) {
        Size size = kAllSizes[at];
        if (quick) size.rows /= 4;
        for (Contender& one : contenders) {
            if (one.missing) continue;
            if (!one.program.empty()) {
                measure_peer(one, server, at, size);
                continue;
            }
            fill(server, size.rows);
            if (one.pipeline.empty()) {
                one.rate[at].add(bare_rate(server, size));
            } else {
                measure_musher(one, server, at, size);
            }
        }
    }
}

std::vector<Contender> all_contenders() {
    const std::string queue = "limits: { parallel: 4 }\n";
    std::vector<Contender> all;
    all.push_back({.name = "musher, appendfsync always", .pipeline = queue});
    all.push_back({.name = "musher, appendfsync everysec",
                   .settings = "queue: { appendfsync: everysec }\n",
                   .pipeline = queue});
    all.push_back({.name = "musher, via: direct", .pipeline = queue + "via: direct\n"});
    for (const char* script : {"pgboss.js", "graphile.js"}) {
        const std::string path = source_path("bench/peers/pgqueue/") + script;
        const std::string version = version_of({node_program(), path, "version"});
        const bool missing = version == "not installed";
        all.push_back({.name = missing ? script + (": " + version) : version,
                       .program = script,
                       .missing = missing});
    }
    all.push_back({.name = "limit: SKIP LOCKED loop"});
    return all;
}

std::string cell(const Figure& figure, const Figure& limit) {
    return figure.known() ? figure.text() + " " + figure.ratio_to(limit) : "-";
}

void print_rates(const std::vector<Contender>& contenders) {
    const Contender& limit = contenders.back();
    std::vector<std::vector<std::string>> rows{{"rows/s, and to the limit"}};
    for (const Size& size : kAllSizes) rows[0].push_back(fmt::format("batch {}", size.batch));
    for (const Contender& one : contenders) {
        rows.push_back({one.name});
        for (std::size_t at = 0; at < kSizes; ++at) {
            rows.back().push_back(cell(one.rate[at], limit.rate[at]));
        }
    }
    print_table(rows);
}

/// Where the time of a row goes.
void print_costs(const std::vector<Contender>& contenders) {
    std::vector<std::vector<std::string>> rows{{"processor us/row: musher + redis + postgres"}};
    for (const Size& size : kAllSizes) rows[0].push_back(fmt::format("batch {}", size.batch));
    for (const Contender& one : contenders) {
        if (one.pipeline.empty()) continue;
        rows.push_back({one.name});
        for (std::size_t at = 0; at < kSizes; ++at) {
            rows.back().push_back(fmt::format("{} + {} + {}", one.own[at].text(),
                                              one.redis[at].text(), one.postgres[at].text()));
        }
    }
    print_table(rows);
}

void print_goals(const std::vector<Contender>& contenders) {
    for (std::size_t at = 0; at < kSizes; ++at) {
        double peer = 0;
        for (const Contender& one : contenders) {
            if (!one.program.empty() && one.rate[at].known()) {
                peer = std::max(peer, one.rate[at].median());
            }
        }
        const Figure& limit = contenders.back().rate[at];
        for (const Contender& one : contenders) {
            if (one.pipeline.empty() || !one.rate[at].known()) continue;
            const double rate = one.rate[at].median();
            const std::string what = fmt::format("{}, batch {}", one.name, kAllSizes[at].batch);
            if (peer > 0) print_goal(what + " / better peer", rate / peer, Want::at_least, 2);
            print_goal(what + " / bare loop", rate / limit.median(), Want::at_least, 0.7);
        }
    }
}

void run(const Options& options) {
    print_machine(
        "pgqueue: claim and settle, a step `set` in between; 200 bytes a row; fsync and "
        "synchronous_commit on",
        {version_of({"psql", "--version"}), version_of({"redis-server", "--version"}),
         "durable: a claim and an end are committed by PostgreSQL, for all of them. "
         "musher also has each row as a job in its Redis before it runs, and its end "
         "before the row's: on disk with always, within a second with everysec; not with "
         "via: direct, where the table alone is the queue"});
    std::vector<Contender> contenders = all_contenders();
    for (int i = 0; i < options.runs; ++i) measure(contenders, options.quick);
    print_rates(contenders);
    print_costs(contenders);
    print_goals(contenders);
}

}  // namespace
}  // namespace musher::bench

int main(int argc, char** argv) { musher::bench::run(musher::bench::read_options(argc, argv)); }
