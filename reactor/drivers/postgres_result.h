// PostgresStatement and PostgresResult: what goes to a server, and what comes back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reactor/base/bytes.h"
#include "reactor/base/error.h"

struct pg_result;

namespace musher {

/// In PostgreSQL's text form; nothing is NULL. A text cannot hold a NUL byte: use bytea.
using PostgresParam = std::optional<std::string>;
using PostgresParams = std::vector<PostgresParam>;

struct PostgresStatement {
    std::string sql;  // one statement; $1, $2, … are its parameters
    PostgresParams params;
    bool kept = false;  // comes again and again: the server keeps its text parsed and planned
    // A constructor, not an aggregate: see the coroutine rules.
    PostgresStatement(std::string text, PostgresParams values = {})  // NOLINT: text is a statement
        : sql(std::move(text)), params(std::move(values)) {}
    PostgresStatement(const char* text)  // NOLINT(google-explicit-constructor)
        : sql(text) {}
};

/// A name as it stands in SQL, quoted: what it holds is never read as anything else.
std::string postgres_identifier(std::string_view name);
/// The same of a table: NAME, or SCHEMA.NAME.
std::string postgres_table_name(std::string_view name);
/// A text as it stands in SQL, quoted.
std::string postgres_literal(std::string_view text);
/// The text form of a bytea.
std::string bytea_text(ByteView bytes);
/// Back from it (hex); `corrupt` otherwise.
Result<std::string> bytea_bytes(std::string_view text);
/// The text form of an array of text.
std::string postgres_text_array(const PostgresParams& items);

/// Owns a PGresult and views it: what it returns lives as long as it does.
class PostgresResult {
  public:
    PostgresResult() = default;
    explicit PostgresResult(pg_result* owned) : result_(owned) {}

    int rows() const;
    int columns() const;
    std::string_view name(int column) const;
    unsigned type(int column) const;  // oid of pg_type
    std::optional<int> column(std::string_view name) const;
    /// Nothing for NULL.
    std::optional<std::string_view> text(int row, int column) const;
    /// Rows that an INSERT, UPDATE, DELETE, MERGE or COPY touched, or a SELECT gave.
    std::uint64_t affected() const;
    /// INSERT 0 1, COMMIT, …
    std::string_view command() const;

    explicit operator bool() const { return result_ != nullptr; }
    pg_result* raw() const { return result_.get(); }

  private:
    struct Clear {
        void operator()(pg_result* result) const;
    };
    std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace musher
