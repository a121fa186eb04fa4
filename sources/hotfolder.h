// hotfolder: files that appear in a folder become events.
#pragma once

#include <sys/stat.h>

#include "reactor/component/source.h"

namespace musher {

const Spec& hotfolder_spec();
Result<std::unique_ptr<Source>> make_hotfolder(const Options& options,
                                               const SourceContext& context);

}  // namespace musher
