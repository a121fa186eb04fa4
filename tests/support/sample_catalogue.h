// A catalogue of its own for tests of configuration: every kind of option, and no behaviour.
#pragma once

#include "pipelines/config/catalogue.h"

namespace musher::test {

/// Sources hotfolder, timer, postgres_notify, table (rows of any columns); steps log, set, shrink,
/// switch, parallel, for_each; sinks directory, s3_object, http_post.
const Catalogue& sample_catalogue();

}  // namespace musher::test
