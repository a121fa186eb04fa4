// Claims: what lies in a work folder, for recovery.
#pragma once

#include <string>
#include <vector>

#include "sources/file_sample.h"
#include "sources/premises.h"

namespace musher::hotfolder {

struct Claim {
    std::string path;       // absolute, raw
    std::string id;
    std::string subfolder;  // where in the hot folder it was
    std::string name;       // raw
};

/// Everything claimed and not yet put away; empty folders of claims are removed. As many as were
/// in the queue, so `limits.waiting` bounds it. Pool threads.
Result<std::vector<Claim>> list_claims(const Premises& premises);

/// What claiming it told, told again: a sample and the hops. False: it is gone. Pool threads.
bool look_at_claim(const std::string& path, FileSample& sample, int& hops);

/// A claim that has left (or never came) takes the folders that were made for it with it, as far as
/// they are empty. Nothing for what is no claim. Pool threads.
void leave_claim(const std::string& path);

}  // namespace musher::hotfolder
