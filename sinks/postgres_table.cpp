#include "sinks/postgres_table.h"

#include <algorithm>

#include "reactor/component/shared_client.h"
#include "sinks/postgres_batch.h"

namespace musher {

namespace {
constexpr auto connect = &shared_client<Postgres, PostgresTarget>;

/// With the option that the server's refusal is about.
Error placed(const Error& refused, const Json& row) {
    std::string option = refused.message.find("(42P10") != std::string::npos ? "conflict" : "table";
    std::size_t nearest = std::string::npos;
    if (refused.message.find("(42703") != std::string::npos) {
        for (const auto& [name, value] : row.items()) {
            const std::size_t at = refused.message.find('"' + name + '"');
            if (at >= nearest) continue;
            nearest = at;
            option = "row." + name;
        }
    }
    return Error(refused).within("`" + option + "`");
}

class PostgresTable final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        const std::string name = options.text("connection");
        const std::string table = options.text("table");
        MUSHER_CO_TRY(const std::shared_ptr<Postgres> postgres, connect(context, name, "postgres"));
        const PostgresRow row(table, options.json("row"), options.list("conflict"));
        StepResult result;
        Receipt& receipt = result.receipt.emplace();
        receipt.target = table;
        receipt.bytes = row.bytes;
        const Result<void> done =
            co_await batch_.write(context.loop, *postgres, row, context.cancel);
        if (!done) {
            Error error = done.error();
            co_return fail(std::move(error).within("table " + table).within("connection " + name));
        }
        co_return result;
    }
    /// Planned with no values, and not done: finds what is missing of table, columns, unique index
    /// and rights.
    Task<Faults> probe(const StepProbe& on, const Options& options) override {
        Faults faults;
        const std::unique_ptr<PostgresLink> link =
            co_await dial_probed<PostgresLink, PostgresTarget>(on, options.text("connection"),
                                                               "postgres");
        if (!link) co_return faults;
        const Json& columns = options.json("row");
        const PostgresRow row(options.text("table"), columns, options.list("conflict"));
        PostgresStatement plan = insert_of({&row});
        plan.sql = "EXPLAIN " + plan.sql;
        for (PostgresParam& value : plan.params) value.reset();
        const Result<PostgresResult> planned = co_await link->query(std::move(plan), on.cancel);
        if (!planned) faults.push_back(placed(planned.error(), columns));
        co_return faults;
    }
    bool uses_body() const override { return false; }

  private:
    PostgresBatch batch_;
};

Faults check_postgres_table(const Options& options) {
    Faults faults;
    const std::string table = options.text("table");
    if (table.empty() || table.front() == '.' || table.back() == '.' ||
        std::count(table.begin(), table.end(), '.') > 1) {
        faults.emplace_back(Errc::usage, "`table` names no table", "write NAME or SCHEMA.NAME");
    }
    const Json& row = options.json("row");
    if (row.empty()) faults.emplace_back(Errc::usage, "`row` has no column");
    const std::vector<std::string> conflict = options.list("conflict");
    if (options.has("conflict") && conflict.empty()) {
        faults.emplace_back(Errc::usage, "`conflict` names no column",
                            "name the columns of a unique index; of a row for each job, that of "
                            "job.id; or leave it out");
    }
    for (const std::string& column : conflict) {
        if (row.is_object() && row.contains(column)) continue;
        faults.emplace_back(Errc::usage,
                            "`conflict` names the column `" + column + "`, which `row` does not");
    }
    return faults;
}
}  // namespace

const Spec& postgres_table_spec() {
    static const Spec kSpec{
        ComponentKind::sink,
        "postgres_table",
        "write a row into a table of a PostgreSQL database",
        "A row that is there already, by the columns of `conflict`, is changed to the new values: "
        "so a job that is delivered twice leaves one row. Where a row stands for a job, let one of "
        "its columns be `job.id` and `conflict` that column. Without `conflict` each delivery adds "
        "a row: a job that is delivered twice, after a crash between the commit and the receipt, "
        "then leaves two.\n\n"
        "A list or a map is written as JSON, for columns of json or jsonb. Names are taken as they "
        "are, capitals too. While a statement is under way, the rows of other jobs with a "
        "`conflict` gather and go together in the next one, up to 256; each job gets its own "
        "answer.",
        {
            {.name = "connection",
             .type = OptionType::connection,
             .help = "a postgres connection of musher.yml",
             .required = true,
             .choices = {"postgres"}},
            {.name = "table",
             .type = OptionType::text,
             .help = "name of the table, or schema.name",
             .required = true},
            {.name = "row",
             .type = OptionType::expression_map,
             .help = "column: expression",
             .required = true},
            {.name = "conflict",
             .type = OptionType::text_list,
             .help = "columns of a unique index, all of them in `row`; left out: a plain INSERT"},
        },
        {},
        R"yaml(version: 1
pipeline: register
source: { hotfolder: { path: /srv/in } }
steps:
  - checksum
  - postgres_table:
      connection: shop
      table: files
      row: { job: job.id, name: event.name, bytes: event.size, sha256: steps.checksum.hex }
      conflict: job
)yaml",
        Repeats::idempotent,
        {},
        check_postgres_table};
    return kSpec;
}

std::unique_ptr<Step> make_postgres_table() { return std::make_unique<PostgresTable>(); }

}  // namespace musher
