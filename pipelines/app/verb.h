// All verbs of the command line.
#pragma once

#include "pipelines/verb/verb.h"

namespace musher {

const std::vector<Verb>& local_verbs();   // need no running musher
const std::vector<Verb>& remote_verbs();  // ask one
const std::vector<Verb>& job_verbs();     // ask one, or the queue itself
/// All of them, and those of the packs, in the order of the help.
std::vector<const Verb*> all_verbs();

}  // namespace musher
