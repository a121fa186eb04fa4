// Looker: looks at candidates and, where all holds, claims them by rename.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sources/candidate.h"
#include "sources/name_rules.h"
#include "sources/premises.h"

namespace musher::hotfolder {

struct LookRules {
    MarkerPattern marker;
    std::uint64_t min_size = 0;
    bool whole_folders = false;     // unit: folder
    bool in_place = false;          // claim: none
    std::size_t longest_aside = 0;  // of the paths of done and failed
};

struct LookRequest {
    Look look;
    std::string subfolder;
    std::string id;          // of the claim, should it come to one
    bool keep_name = false;  // ready means `steady`: the file will be moved by its own name
};

struct LookResult {
    Outcome outcome;
    std::string path;  // claimed: absolute, raw. steady: where it stands
    std::string id;    // steady: made from path and identity
    int hops = 0;
    bool proven = false;  // by a lease: no writers
    bool astray = false;  // something unproven lies in the work folder: recovery looks after it
};

/// One batch on a pool thread: any number of look(), then sync().
///
/// kill -9 before the rename: the file lies in its folder and is found by the next scan. After
/// it: recovery finds the claim, whose path says everything. Before sync() the claim may be undone
/// by a power failure, so nobody is told of it until then.
class Looker {
  public:
    Looker(std::shared_ptr<const Premises> premises, const LookRules& rules);

    LookResult look(const LookRequest& request);
    /// One fsync per work folder that got a claim. On error the claims stay for recovery.
    Result<void> sync();

  private:
    const Fd* folder(const std::string& subfolder);
    LookResult at(const Fd& folder, const LookRequest& request);
    LookResult open_file(const Fd& folder, const LookRequest& request, const FileSample& sample);
    LookResult open_tree(const Fd& folder, const LookRequest& request);
    bool fits(const LookRequest& request) const;
    LookResult claim(const Fd& folder, const LookRequest& request, const Fd& item,
                     const FileSample& sample);
    bool rename_into_work(const Fd& folder, const LookRequest& request, const std::string& mirror,
                          const std::string& entry);
    bool put_back(const Fd& folder, const std::string& name, const std::string& claimed);
    const Fd* mirror(const std::string& relative);

    std::shared_ptr<const Premises> premises_;
    const LookRules& rules_;
    std::string folder_name_;  // the last one opened: a batch is mostly of one folder
    Fd folder_;
    FsTraits traits_;
    std::map<std::string, Fd> touched_;  // work folders to sync, by their relative path
};

/// The hop count that musher's directory sink left on a file; 0 for everybody else's.
int read_hops(int fd);

}  // namespace musher::hotfolder
