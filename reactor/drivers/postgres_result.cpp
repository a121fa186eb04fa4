#include "reactor/drivers/postgres_result.h"

#include <postgresql/libpq-fe.h>

#include <charconv>

#include "reactor/base/text.h"

namespace musher {

std::string bytea_text(ByteView bytes) { return "\\x" + to_hex(bytes); }

Result<std::string> bytea_bytes(std::string_view text) {
    if (text.starts_with("\\x")) {
        if (const auto bytes = from_hex(text.substr(2))) {
            return std::string(as_text(ByteView(*bytes)));
        }
    }
    return fail(Errc::corrupt, "this is no bytea in hex form",
                "the server's bytea_output must be hex, its default");
}

std::string postgres_identifier(std::string_view name) {
    std::string text = "\"";
    for (const char c : name) text += c == '"' ? "\"\"" : std::string(1, c);
    return text + '"';
}

std::string postgres_table_name(std::string_view name) {
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return postgres_identifier(name);
    return postgres_identifier(name.substr(0, dot)) + "." +
           postgres_identifier(name.substr(dot + 1));
}

std::string postgres_literal(std::string_view text) {
    // E'…' reads backslashes alike, whatever standard_conforming_strings says.
    std::string quoted = "E'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') quoted += c;
        quoted += c;
    }
    return quoted + '\'';
}

std::string postgres_text_array(const PostgresParams& items) {
    std::string text = "{";
    for (const PostgresParam& item : items) {
        if (text.size() > 1) text += ',';
        if (!item) {
            text += "NULL";
            continue;
        }
        text += '"';
        for (const char c : *item) {
            if (c == '"' || c == '\\') text += '\\';
            text += c;
        }
        text += '"';
    }
    return text + '}';
}

void PostgresResult::Clear::operator()(PGresult* result) const { PQclear(result); }

int PostgresResult::rows() const { return PQntuples(raw()); }
int PostgresResult::columns() const { return PQnfields(raw()); }

std::string_view PostgresResult::name(int column) const {
    MUSHER_CHECK(column >= 0 && column < columns());
    return PQfname(raw(), column);
}

unsigned PostgresResult::type(int column) const {
    MUSHER_CHECK(column >= 0 && column < columns());
    return PQftype(raw(), column);
}

std::optional<int> PostgresResult::column(std::string_view wanted) const {
    // Not PQfnumber: it folds case and unquotes.
    for (int i = 0; i < columns(); ++i) {
        if (name(i) == wanted) return i;
    }
    return std::nullopt;
}

std::optional<std::string_view> PostgresResult::text(int row, int column) const {
    MUSHER_CHECK(row >= 0 && row < rows() && column >= 0 && column < columns());
    if (PQgetisnull(raw(), row, column)) return std::nullopt;
    return std::string_view(PQgetvalue(raw(), row, column),
                            static_cast<std::size_t>(PQgetlength(raw(), row, column)));
}

std::uint64_t PostgresResult::affected() const {
    const std::string_view digits = PQcmdTuples(raw());
    std::uint64_t count = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), count);
    return count;
}

std::string_view PostgresResult::command() const { return PQcmdStatus(raw()); }

}  // namespace musher
