// The table of postgres_notify's options and facts.
#include <fmt/format.h>

#include <set>

#include "sources/postgres_notify.h"

namespace musher {

namespace {
using enum OptionType;
constexpr std::size_t kChannelBytes = 63;  // PostgreSQL cuts off what is longer

std::vector<Option> options() {
    return {
        {.name = "connection",
         .type = connection,
         .help = "a postgres connection of musher.yml",
         .required = true,
         .choices = {"postgres"}},
        {.name = "channels",
         .type = text_list,
         .help = "what to LISTEN to, as it is written: capitals, spaces and quotes count",
         .required = true},
        {.name = "payload",
         .type = choice,
         .help = "how a payload is read: JSON, whose members become fields, or a text",
         .fallback = "json",
         .choices = {"json", "text"}},
        {.name = "catch_up",
         .type = text,
         .help = "a SELECT whose rows become events after each connect; name their key `id`"},
    };
}

/// Without the semicolon, after which nothing could stand.
std::string query_of(std::string text) {
    while (!text.empty() &&
           (std::isspace(static_cast<unsigned char>(text.back())) != 0 || text.back() == ';')) {
        text.pop_back();
    }
    return text;
}

Faults check_postgres_notify(const Options& options) {
    Faults faults;
    std::set<std::string> seen;
    const std::vector<std::string> channels = options.list("channels");
    if (channels.empty()) faults.emplace_back(Errc::usage, "`channels` names no channel");
    for (const std::string& channel : channels) {
        if (channel.empty() || channel.find('\0') != std::string::npos) {
            faults.emplace_back(Errc::usage, "`channels`: '" + channel + "' is no name");
        } else if (channel.size() > kChannelBytes) {
            faults.emplace_back(
                Errc::usage,
                fmt::format("`channels`: '{}' is longer than {} bytes", channel, kChannelBytes),
                "PostgreSQL refuses it in NOTIFY");
        } else if (!seen.insert(channel).second) {
            faults.emplace_back(Errc::usage, "`channels` names '" + channel + "' twice");
        }
    }
    if (options.has("catch_up") && query_of(options.text("catch_up")).empty()) {
        faults.emplace_back(Errc::usage, "`catch_up` is empty", "write a SELECT, or leave it out");
    }
    return faults;
}
}  // namespace

const Spec& postgres_notify_spec() {
    static const Spec kSpec{
        ComponentKind::source,
        "postgres_notify",
        "notifications of a PostgreSQL database, and the rows behind them",
        "Each NOTIFY on one of the channels becomes one event without a body. The members of a "
        "JSON payload become its fields, but for the names in the table below and those that "
        "every event has (`id`, `source`, `key`, `time`, `date`): these are found in "
        "`event.payload`, which holds all of it. No payload is null. One that cannot be read "
        "makes a job that is dead at once, with the text in `event.payload`; none is dropped.\n\n"
        "PostgreSQL keeps no notification for who is not connected. Without `catch_up` each comes "
        "at most once, and what is sent while musher is stopped, is paused by hand, has its "
        "pipeline edited, or has lost its connection is lost; so is what a kill -9 finds read and "
        "not yet in the queue. With `catch_up`, a SELECT whose rows become events after each "
        "connect, nothing is: LISTEN comes first. An event is then known by its `id`, be it a "
        "member of the payload or a column: once in the queue or its history it is no second job, "
        "by whichever way it comes. A change that shall be a job again needs an `id` of its own; "
        "without one each notification is an event, and a row is known by all of its text. A "
        "number from 2^53 on that is no 64-bit integer is none: send numerics as text, and times "
        "in one time zone. Let the query leave out what is done, or older than `history: keep`.\n\n"
        "`musher describe source postgres_notify --sql TABLE` prints the trigger to install. It "
        "sends the key and no more: a payload has to stay under 8000 bytes, or the writer's "
        "statement fails, and COMMITs that notify wait for each other.\n\n"
        "When the queue is full, the server keeps what comes, 8 GB of it for all its databases; "
        "when these are full, COMMITs that notify fail there. Name all servers of a cluster in "
        "the connection's url, with target_session_attrs=read-write: a standby cannot LISTEN. "
        "A pooler in between must keep sessions (pgbouncer: pool_mode=session).",
        options(),
        {
            {"channel", "of the notification; of a row its column `channel`, or the only channel",
             "orders"},
            {"payload", "all of the payload, or the row", Json::object()},
            {"pid", "the server's process that notified; 0 for a row", 4711},
            {"*", "members of the payload, columns of the row", Json::object()},
        },
        R"yaml(version: 1
pipeline: ship
source:
  postgres_notify:
    connection: shop
    channels: orders
    catch_up: SELECT id, 'INSERT' AS op FROM orders WHERE shipped IS NULL
steps:
  - sql:
      connection: shop
      query: UPDATE orders SET shipped = now() WHERE id = $1
      params: [ "${event.payload.id}" ]
      mode: exec
)yaml",
        Repeats::never,
        {},
        check_postgres_notify};
    return kSpec;
}

Result<std::unique_ptr<Source>> make_postgres_notify(const Options& options,
                                                     const SourceContext& context) {
    if (Faults faults = check_postgres_notify(options); !faults.empty()) {
        return fail(std::move(faults.front()));
    }
    MUSHER_TRY(const Json* settings,
               connection_options(context.connections, options.text("connection"), "postgres"));
    postgres_notify::Rules rules;
    MUSHER_TRY(rules.target, PostgresTarget::from_options(*settings));
    rules.channels = options.list("channels");
    rules.catch_up = query_of(options.text("catch_up"));
    rules.reading.pipeline = context.pipeline;
    rules.reading.json = options.text("payload") == "json";
    rules.reading.by_id = !rules.catch_up.empty();
    if (rules.channels.size() == 1) rules.reading.only_channel = rules.channels.front();
    return std::make_unique<postgres_notify::PostgresNotify>(std::move(rules), context);
}

}  // namespace musher
