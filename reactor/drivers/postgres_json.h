// Values of PostgreSQL as expressions see them, and back.
#pragma once

#include "reactor/base/json.h"
#include "reactor/drivers/postgres_result.h"

namespace musher {

/// Column name → value: booleans, integers and floating-point numbers as such, json and jsonb as
/// what they hold, NULL as null, everything else as PostgreSQL prints it: of a numeric no digit is
/// lost, and an array is text.
Json postgres_row(const PostgresResult& result, int row);

/// Null is NULL, a text is itself, everything else is JSON text, which bool, number and json
/// columns read.
PostgresParam postgres_param(const Json& value);

}  // namespace musher
