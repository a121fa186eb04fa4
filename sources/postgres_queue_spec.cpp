// The table of a postgres_queue's options and facts.
#include "sources/postgres_queue.h"

namespace musher {

namespace {
using enum OptionType;

std::vector<Option> column_options() {
    std::vector<Option> columns;
    for (const postgres_queue::Role& role : postgres_queue::roles()) {
        columns.push_back({.name = role.option, .type = text, .help = role.help});
    }
    return columns;
}

std::vector<Option> status_options() {
    return {
        {.name = "waiting", .type = text, .help = "to be claimed", .fallback = "waiting"},
        {.name = "running", .type = text, .help = "claimed", .fallback = "running"},
        {.name = "done", .type = text, .help = "its job is done", .fallback = "done"},
        {.name = "failed", .type = text, .help = "its job is dead or cancelled",
         .fallback = "failed"},
    };
}

std::vector<Option> options() {
    return {
        {.name = "connection", .type = connection, .help = "a postgres connection of musher.yml",
         .required = true, .choices = {"postgres"}},
        {.name = "table", .type = text, .help = "name of the table, or schema.name",
         .required = true},
        {.name = "columns", .type = section,
         .help = "names of its columns; left out: those of `describe --sql`. Otherwise only those "
                 "that are named are used, with id and status",
         .options = column_options()},
        {.name = "statuses", .type = section, .help = "what `status` says",
         .options = status_options()},
        {.name = "where", .type = text,
         .help = "SQL: which waiting rows may be claimed, as in run_at <= now()"},
        {.name = "order", .type = text,
         .help = "SQL: which goes first; left out: priority, created, id"},
        {.name = "batch", .type = integer, .help = "most rows of one claim", .fallback = "64",
         .least = 1, .most = 1000},
        {.name = "channel", .type = text,
         .help = "listened to: whoever adds rows rings with NOTIFY, whatever it says"},
        {.name = "poll", .type = duration,
         .help = "look for rows at least this often, a quarter more or less", .fallback = "5s",
         .least = 50},
        {.name = "lease", .type = duration,
         .help = "a reactor that gave no sign for so long has lost its rows", .fallback = "30s",
         .least = 1000},
        {.name = "max_tries", .type = integer,
         .help = "a row that so many reactors took and lost has failed", .fallback = "3",
         .least = 1},
        {.name = "reactors", .type = text,
         .help = "table with one row for each reactor, for its heartbeat",
         .fallback = "musher_reactors"},
    };
}
}  // namespace

const Spec& postgres_queue_spec() {
    static const Spec kSpec{
        ComponentKind::source,
        "postgres_queue",
        "rows of a job table in a PostgreSQL database",
        "A waiting row is claimed (FOR UPDATE SKIP LOCKED: any number of reactors share a table), "
        "is `running` while its job is in the queue, and becomes `done`, or `failed` with the "
        "error, when the job has ended. The queue retries (`limits.attempts`); the row changes "
        "when that is over. A row that `when` does not want, or `dedupe` knows, is done. Rows "
        "of released jobs wait again.\n\n"
        "Each claim writes a new `token` into the row, and the event's id is made of it: after a "
        "crash at any moment there is one job of one claim, and only the claim that is still in "
        "the row can end it. To run a row again, make it wait again.\n\n"
        "A reactor that gave no sign for `lease` (a row of `reactors`, the database's clock) "
        "loses its rows to another one, which goes on with the same claim. Where both have the "
        "same Redis, nothing runs twice. Where each has its own, the first one's job may run too, "
        "with the same id, when it comes back.\n\n"
        "Columns that are not named: without `token` an id is made of the row's key, so a row "
        "runs once; made to wait again it ends as it did before, while the queue's history knows "
        "it. Without `reactor` there is no heartbeat and nobody takes over rows; several reactors "
        "then need one Redis. Without `tries` nothing bounds how often a row is taken over. "
        "Without `error` only musher knows why it failed.\n\n"
        "With `via: direct` the table alone is the queue: no Redis in between, and no fsync of it. "
        "What is claimed waits in memory, `limits.waiting` rows at most: let fewer wait where "
        "several reactors share a table. Retries, order per key, `jobs pause` and the history are "
        "this process's own and end with it; each reactor needs the column `reactor`. A clean stop "
        "lets rows wait again that have not run. After kill -9 the same reactor runs all steps of "
        "what it held again, under the same ids, at its next start, or another one after `lease`. "
        "Leave `via` out where a step must not be repeated after a crash, or where a job has to "
        "wait for its retry across a restart.\n\n"
        "`musher describe source postgres_queue --sql TABLE` prints a table that needs no "
        "`columns`, its indexes, and a trigger that rings. What happens between two reactors is "
        "by the database's clock; `where` and `order` are run as they are. Of its own it keeps up "
        "to three connections, beside those of the steps.",
        options(),
        {
            {"row", "the row as it was claimed: event.row.COLUMN", Json::object()},
        },
        R"yaml(version: 1
pipeline: mails
source:
  postgres_queue: { connection: shop, table: mails, channel: mails, where: "created <= now()" }
key: "${event.row.payload.customer}"
steps:
  - log: "row ${event.row.id}"
)yaml",
        Repeats::never,
        {},
        postgres_queue::check_rules};
    return kSpec;
}

Result<std::unique_ptr<Source>> make_postgres_queue(const Options& options,
                                                    const SourceContext& context) {
    if (Faults faults = postgres_queue::check_rules(options); !faults.empty()) {
        return fail(std::move(faults.front()));
    }
    postgres_queue::Rules rules = postgres_queue::read_rules(options);
    MUSHER_TRY(const Json* settings,
               connection_options(context.connections, rules.connection, "postgres"));
    MUSHER_TRY(PostgresTarget target, PostgresTarget::from_options(*settings));
    return std::make_unique<postgres_queue::PostgresQueue>(std::move(rules), std::move(target),
                                                           context);
}

}  // namespace musher
