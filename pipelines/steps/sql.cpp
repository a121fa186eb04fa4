#include "pipelines/steps/sql.h"

#include <fmt/format.h>

#include "reactor/base/limits.h"
#include "reactor/base/text.h"
#include "reactor/component/shared_client.h"
#include "reactor/drivers/postgres.h"
#include "reactor/drivers/postgres_json.h"

namespace musher {

namespace {
constexpr auto connect = &shared_client<Postgres, PostgresTarget>;

Result<void> check_params(const Json& params) {
    if (params.is_array()) return {};
    return fail(Errc::usage, "`params` is no list",
                "params: [first, second]: the values of $1 and $2");
}

/// By the tag of a statement that was carried out.
bool changes_session(std::string_view command) {
    for (const std::string_view one : {"SET", "PREPARE", "DEALLOCATE", "DISCARD", "LISTEN"}) {
        if (command.starts_with(one)) return true;
    }
    return false;
}

/// Gathers rows up to the bound of what is kept with a job.
class Rows {
  public:
    Result<void> add(const PostgresResult& one) {
        Json row = postgres_row(one, 0);
        bytes_ += to_line(row).size();
        if (bytes_ > limits::kRowsBytes) {
            return fail(Errc::usage,
                        "the query gives more than " + format_size(limits::kRowsBytes) + " of rows",
                        "select less; they are kept with the job");
        }
        rows_.push_back(std::move(row));
        return {};
    }
    Json take() { return std::move(rows_); }

  private:
    Json rows_ = Json::array();
    std::size_t bytes_ = 0;
};

class Sql final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        const std::string name = options.text("connection");
        MUSHER_CO_TRY(const std::shared_ptr<Postgres> postgres, connect(context, name, "postgres"));
        Result<StepResult> result = co_await ask(*postgres, options, context.cancel);
        if (!result) co_return fail(std::move(result).error().within("connection " + name));
        co_return result;
    }
    Task<Faults> probe(const StepProbe& on, const Options& options) override {
        Faults faults;
        const std::unique_ptr<PostgresLink> link =
            co_await dial_probed<PostgresLink, PostgresTarget>(on, options.text("connection"),
                                                               "postgres");
        if (!link) co_return faults;
        const Result<int> wanted = co_await link->parse(options.text("query"), on.cancel);
        if (!wanted) {
            faults.push_back(Error(wanted.error()).within("`query`"));
        } else if (const Json& params = options.json("params");
                   params.is_array() && params.size() != static_cast<std::size_t>(*wanted)) {
            faults.emplace_back(Errc::usage, fmt::format("`params` has {}, and `query` wants {}",
                                                         counted(params.size(), "value"), *wanted));
        }
        co_return faults;
    }
    bool uses_body() const override { return false; }

  private:
    static Task<Result<StepResult>> ask(Postgres& postgres, const Options& options,
                                        Cancel& cancel) {
        MUSHER_CO_DO(check_params(options.json("params")));
        PostgresStatement statement(options.text("query"));
        for (const Json& value : options.json("params")) {
            statement.params.push_back(postgres_param(value));
        }
        Rows rows;
        const PostgresLink::OnRow on_row = [&](const PostgresResult& row) { return rows.add(row); };
        MUSHER_CO_TRY(const Postgres::Lease link, co_await postgres.lease(cancel));
        MUSHER_CO_TRY(const PostgresResult last,
                      co_await link->each_row(std::move(statement), on_row, cancel));
        // What a session keeps is for nobody else who gets this link.
        if (changes_session(last.command())) {
            link->drop(Error(Errc::cancelled, "its session was changed"));
        }
        StepResult result;
        result.outputs["affected"] = last.affected();
        MUSHER_CO_DO(place(options.text("mode"), rows.take(), result.outputs));
        co_return result;
    }

    static Result<void> place(const std::string& mode, Json rows, Json& outputs) {
        if (mode == "rows") {
            outputs["rows"] = std::move(rows);
            return {};
        }
        if (mode != "one") return {};
        if (rows.empty()) return fail(Errc::not_found, "the query gives no row");
        if (rows.size() > 1) {
            return fail(Errc::usage,
                        "the query gives " + std::to_string(rows.size()) +
                            " rows where `mode: one` wants one",
                        "narrow it down, or say `mode: rows`");
        }
        outputs["row"] = std::move(rows[0]);
        return {};
    }
};

Faults check_sql(const Options& options) {
    Faults faults;
    if (options.text("query").empty()) faults.emplace_back(Errc::usage, "`query` is empty");
    const Json& params = options.json("params");
    const bool later = params.is_string() && params.get<std::string>().starts_with("${");
    if (!params.is_null() && !later) collect(faults, check_params(params));
    return faults;
}
}  // namespace

const Spec& sql_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "sql",
        "run a statement on a PostgreSQL database",
        "One statement, in a transaction of its own. Values go in by `params`, never into the text "
        "of the query. Booleans, integers, floating-point numbers and json come back as such, NULL "
        "as null, everything else as text; a numeric too, so that no digit is lost. Up to 1 MiB of "
        "rows are kept with the job. A statement that changes something runs again after a crash "
        "between its effect and the note of it: write it so that this does no harm.\n\n"
        "A server that is away, has no room or lets nobody in spends no attempt: the pipeline is "
        "held and goes on by itself, as with a broken sink. Inside a `try` it is rescued instead.",
        {
            {.name = "connection",
             .type = OptionType::connection,
             .help = "a postgres connection of musher.yml",
             .required = true,
             .choices = {"postgres"}},
            {.name = "query",
             .type = OptionType::text,
             .help = "the statement; $1, $2, … stand for `params`",
             .required = true},
            {.name = "params",
             .type = OptionType::any,
             .help = "list of values; a list or a map goes in as JSON",
             .fallback = "[]",
             .templated = true},
            {.name = "mode",
             .type = OptionType::choice,
             .help = "rows: all that it gives; one: exactly one, or the step fails; exec: none",
             .fallback = "rows",
             .choices = {"rows", "one", "exec"}},
        },
        {{"rows", "`mode: rows`: a list of rows, each a map of its columns", Json::object()},
         {"row", "`mode: one`: the row, a map of its columns", Json::object()},
         {"affected", "rows that were changed, or given", 1}},
        R"yaml(version: 1
pipeline: by_customer
source: { hotfolder: { path: /srv/in } }
steps:
  - id: customer
    sql:
      connection: shop
      query: SELECT id, folder FROM customer WHERE code = $1
      params: [ "${event.stem}" ]
      mode: one
  - directory: { to: "/srv/out/${steps.customer.row.folder}" }
)yaml",
        Repeats::never,
        {},
        check_sql,
        Control::none,
        true};
    return kSpec;
}

std::unique_ptr<Step> make_sql() { return std::make_unique<Sql>(); }

}  // namespace musher
