// Words that the tests of the postgres driver share.
#pragma once

#include <gtest/gtest.h>

#include "reactor/drivers/postgres_link.h"
#include "tests/support/eventually.h"
#include "tests/support/postgres_server.h"
#include "tests/support/run_loop.h"

namespace musher::test {

/// A link that has to come about.
inline Task<std::unique_ptr<PostgresLink>> dialled(Loop& loop, const PostgresTarget& target) {
    Cancel never;
    Result<std::unique_ptr<PostgresLink>> link = co_await PostgresLink::dial(loop, target, never);
    if (!link) ADD_FAILURE() << link.error().text();
    MUSHER_CHECK(link.has_value());
    co_return std::move(*link);
}

/// The first column of the first row ("NULL" for none), or the error's text.
inline Task<std::string> said(PostgresLink& link, PostgresStatement statement) {
    Cancel never;
    const Result<PostgresResult> result = co_await link.query(std::move(statement), never);
    if (!result) co_return result.error().text();
    if (result->rows() == 0) co_return std::string(result->command());
    co_return std::string(result->text(0, 0).value_or("NULL"));
}

}  // namespace musher::test
