#include "reactor/drivers/postgres_error.h"

#include <postgresql/libpq-fe.h>

#include <algorithm>
#include <array>

namespace musher {

namespace {
struct Row {
    std::string_view state;  // a SQLSTATE or the beginning of several; the first that fits counts
    Errc code;
    std::string_view hint;
};
constexpr std::string_view kLogin = "check user, password and the server's pg_hba.conf";
constexpr std::array kRows = {
    Row{"08", Errc::unavailable, ""},
    Row{"0A", Errc::usage, ""},
    Row{"22", Errc::usage, ""},  // this value, however often it is tried
    Row{"23", Errc::conflict, ""},
    Row{"25006", Errc::unavailable,
        "the server is read-only: a standby, or being replaced; name all servers in the url and "
        "add target_session_attrs=read-write"},
    Row{"25P03", Errc::unavailable, ""},  // idle in transaction for too long: it hung up
    Row{"28", Errc::denied, kLogin},
    Row{"3D000", Errc::unavailable, "create the database, or mend the connection's url"},
    Row{"3F000", Errc::not_found, ""},
    Row{"40", Errc::conflict, ""},  // serialization failure, deadlock: the next try may win
    Row{"42501", Errc::denied, "grant the role what it needs"},
    Row{"42P01", Errc::not_found, ""},
    Row{"42", Errc::usage, ""},
    Row{"53100", Errc::full, ""},
    Row{"53300", Errc::unavailable, "raise max_connections of the server, or lower `pool`"},
    Row{"53", Errc::unavailable, ""},
    Row{"54", Errc::usage, ""},
    Row{"55P03", Errc::timeout, ""},  // lock_timeout
    Row{"55", Errc::conflict, ""},
    Row{"57014", Errc::timeout, ""},  // when nobody here cancelled: statement_timeout
    Row{"57P", Errc::unavailable, ""},
    Row{"58", Errc::unavailable, ""},
};
constexpr Row kOther{"", Errc::failed, ""};
constexpr Row kMisbound{"08P01", Errc::usage,
                        "give one value for each of $1, $2, … of the statement"};

const Row& row_of(std::string_view state) {
    const auto found = std::find_if(kRows.begin(), kRows.end(),
                                    [&](const Row& row) { return state.starts_with(row.state); });
    return found == kRows.end() ? kOther : *found;
}

std::string field(const PGresult* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text ? text : "";
}

/// pgbouncer says 08P01 of all that it cannot name, without the severity in English. PostgreSQL
/// says it of a wrong count of values, and goes on.
bool is_statements_fault(const PGresult* failed, std::string_view state) {
    return state == kMisbound.state && field(failed, PG_DIAG_SEVERITY_NONLOCALIZED) == "ERROR";
}

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

/// `FATAL:  28P01: password authentication failed for user "u"` → the state; "" without one.
/// PQERRORS_VERBOSE puts it there, after a severity in the server's language.
std::string_view state_in(std::string_view line) {
    const std::size_t mark = line.find(":  ");
    if (mark == std::string_view::npos) return {};
    const std::string_view state = line.substr(mark + 3, 5);
    const bool sound = state.size() == 5 && line.substr(mark + 8).starts_with(": ") &&
                       std::all_of(state.begin(), state.end(), [](char c) {
                           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                       });
    return sound ? state : std::string_view();
}
}  // namespace

Errc errc_from_sqlstate(std::string_view state) noexcept { return row_of(state).code; }

bool sqlstate_ends_connection(std::string_view state) noexcept { return state == "25006"; }

std::string sqlstate_of(const PGresult* failed) { return field(failed, PG_DIAG_SQLSTATE); }

Error postgres_error(const PGresult* failed) {
    const std::string state = sqlstate_of(failed);
    const Row& row = is_statements_fault(failed, state) ? kMisbound : row_of(state);
    std::string primary = field(failed, PG_DIAG_MESSAGE_PRIMARY);
    // libpq's own: it has no fields.
    if (primary.empty()) primary = first_line(PQresultErrorMessage(failed));
    std::string where = state;
    const auto add = [&](std::string_view what, int code) {
        const std::string name = field(failed, code);
        if (!name.empty()) where += ", " + std::string(what) + " " + name;
    };
    add("table", PG_DIAG_TABLE_NAME);
    add("column", PG_DIAG_COLUMN_NAME);
    add("constraint", PG_DIAG_CONSTRAINT_NAME);
    if (!where.empty()) primary += " (" + where + ")";
    std::string hint = field(failed, PG_DIAG_MESSAGE_HINT);
    if (hint.empty()) hint = row.hint;
    return Error(row.code, std::move(primary), std::move(hint));
}

Error postgres_connect_error(const PGconn* conn, const std::string& server) {
    const std::string line = first_line(PQerrorMessage(conn));
    const std::string_view state = state_in(line);
    std::string_view said = line;
    if (const std::size_t prefix = said.find(" failed: ");
        prefix != std::string_view::npos && said.starts_with("connection to server")) {
        said.remove_prefix(prefix + 9);
    }
    Error error(Errc::unavailable, "connecting to postgres at " + server + ": ");
    if (!state.empty()) {
        said = std::string_view(line).substr(line.find(state) + 7);
        error.code = row_of(state).code;
        error.hint = row_of(state).hint;
        // Nothing that is wrong with a connection is a job's fault.
        if (info(error.code).fault == Fault::item) error.code = Errc::unavailable;
        error.message += std::string(said) + " (" + std::string(state) + ")";
        return error;
    }
    error.message += said.empty() ? "the connection failed" : said;
    if (said.find("certificate") != std::string_view::npos) {
        error.code = Errc::denied;
        error.hint = "check sslmode, sslrootcert and the host name that the certificate is for";
    } else if (said.find("does not support SSL") != std::string_view::npos) {
        error.code = Errc::denied;
        error.hint = "turn ssl on in the server, or ask for less with sslmode";
    } else if (said.find("no password supplied") != std::string_view::npos) {
        error.code = Errc::denied;
        error.hint = kLogin;
    }
    return error;
}

Error postgres_broken_error(const PGconn* conn, const std::string& server) {
    const std::string line = first_line(PQerrorMessage(conn));
    return Error(Errc::unavailable, "talking to postgres at " + server + ": " +
                                        (line.empty() ? "the connection broke" : line));
}

}  // namespace musher
