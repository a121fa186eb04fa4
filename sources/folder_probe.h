// What a hot folder must be able to do, tried on a file of our own.
#pragma once

#include <vector>

#include "reactor/component/value.h"
#include "sources/premises.h"

namespace musher::hotfolder {

/// Makes a file in the folder, leases it, renames it to where claims go and removes it. Errors for
/// what keeps the source from working, a warning where no lease can prove that a writer is gone.
/// Positions are the caller's. Pool threads.
///
/// Beside a running musher, too: no scan takes the probe (NameRules), no recovery does. kill -9 in
/// between: it has one of two names, which the next probe and the next start remove.
std::vector<Problem> probe_folder(const PremisesWish& wish);

/// What a killed probe left in a hot folder or its work folder.
void sweep_probe(const Fd& folder);

}  // namespace musher::hotfolder
