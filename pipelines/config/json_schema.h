// JSON Schemas (draft 2020-12) of the configuration files, made from the option tables: editors
// check and complete with them. A tag (!env, !file) is a text to them.
#pragma once

#include "reactor/component/schema.h"

namespace musher {

/// etc/doc/pipeline.schema.json. Whatever `check` accepts, it accepts.
Json pipeline_schema();
/// etc/doc/musher.schema.json.
Json musher_schema();
/// An option's default as YAML's own type: 5, false, ["a"]; what has a unit stays text: "1s".
Json default_of(const Option& option);

}  // namespace musher
