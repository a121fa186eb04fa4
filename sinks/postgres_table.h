// postgres_table: a row in a table of PostgreSQL.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& postgres_table_spec();
std::unique_ptr<Step> make_postgres_table();
}  // namespace musher
