// JSON Schemas (draft 2020-12) of the configuration files, made from the option tables: editors
// check and complete with them. A tag (!env, !file) is a text to them.
#pragma once

#include "reactor/base/json.h"

namespace musher {

/// etc/doc/pipeline.schema.json. Whatever `check` accepts, it accepts.
Json pipeline_schema();
/// etc/doc/musher.schema.json.
Json musher_schema();

}  // namespace musher
