// The trigger that `musher describe source postgres_notify --sql TABLE` prints.
#include <fmt/format.h>

#include <algorithm>

#include "reactor/drivers/postgres_result.h"
#include "sources/postgres_notify.h"

namespace musher {

namespace {
constexpr std::size_t kNameBytes = 63;  // PostgreSQL cuts off what is longer
constexpr std::string_view kPrefix = "musher_notify_";
constexpr std::string_view kQuote = "$musher$";

/// One trigger call for each statement, also for COPY; one notification for each row. Equal ones of
/// one transaction would be sent once: the key makes them differ. A key goes out as a row tells of
/// it, else one row has two ids: JSON would cut a long numeric short, and writes times otherwise.
constexpr std::string_view kScript =
    R"(-- Each row inserted into {table} tells musher: {{"id": …, "op": "INSERT", "table": …}}.
-- Run it with psql as the owner of the table; once more does no harm. The pipeline's source:
--
--   postgres_notify:
--     connection: NAME
--     channels: {yaml}
--     catch_up: |
--       SELECT {key} AS id, 'INSERT' AS op, {bare} AS "table" FROM {table} WHERE …
--
-- WHERE leaves out what is done, or older than `history: keep` of musher.yml: musher knows ids for
-- so long. Only the key is sent: a payload has to stay under 8000 bytes, or the INSERT fails.
BEGIN;

-- The end, with nothing changed, when the table has no such column.
SELECT {key} FROM {table} LIMIT 0;

CREATE OR REPLACE FUNCTION {function}()
    RETURNS trigger LANGUAGE plpgsql AS {quote}
BEGIN
    PERFORM pg_catalog.pg_notify({bare}, pg_catalog.json_build_object(
        'id', CASE WHEN pg_catalog.pg_typeof(added.{key})
                        IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
                   THEN pg_catalog.to_json(added.{key})
                   ELSE pg_catalog.to_json(added.{key}::text) END,
        'op', TG_OP, 'table', TG_TABLE_NAME)::text)
    FROM musher_added AS added;
    RETURN NULL;
END
{quote};

DROP TRIGGER IF EXISTS musher_notify ON {table};
CREATE TRIGGER musher_notify AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS musher_added
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();

COMMIT;
)";

Result<void> check_name(const std::string& what, std::string_view name, std::size_t most) {
    const bool printable = std::all_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    });
    if (name.empty() || !printable || name.find(kQuote) != std::string_view::npos) {
        return fail(Errc::usage, what + " is no name", "write NAME or SCHEMA.NAME");
    }
    if (name.size() <= most) return {};
    return fail(Errc::usage, fmt::format("the name of {} is longer than {} bytes", what, most));
}

std::string literal(std::string_view text) {
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
    return quoted + '\'';
}
}  // namespace

Result<std::string> postgres_notify_sql(const std::string& table, const std::string& key) {
    const std::size_t dot = table.find('.');
    const bool qualified = dot != std::string::npos;
    const std::string schema = qualified ? table.substr(0, dot) : "public";
    const std::string name = qualified ? table.substr(dot + 1) : table;
    MUSHER_DO(check_name("the schema", schema, kNameBytes));
    MUSHER_DO(check_name("the table", name, kNameBytes - kPrefix.size()));
    MUSHER_DO(check_name("the key", key, kNameBytes));
    const std::string function = postgres_identifier(std::string(kPrefix) + name);
    return fmt::format(
        kScript, fmt::arg("table", postgres_table_name(table)),
        fmt::arg("key", postgres_identifier(key)), fmt::arg("bare", literal(name)),
        fmt::arg("yaml", to_line(Json(name))), fmt::arg("quote", kQuote),
        fmt::arg("function", qualified ? postgres_identifier(schema) + "." + function : function));
}

}  // namespace musher
