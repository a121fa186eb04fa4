// sql: a statement on a PostgreSQL database.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& sql_spec();
std::unique_ptr<Step> make_sql();
}  // namespace musher
