// The folders that a pipeline watches and writes to, as far as its file tells.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipelines/config/pipeline_file.h"

namespace musher {

struct WatchedFolder {
    std::string path;  // absolute, links resolved where it exists
    Position at;
    bool recursive = false;
    bool fold_case = true;
    bool whole_folders = false;      // unit: folder
    bool takes = true;               // moves or deletes what it has read
    std::vector<std::string> match;  // globs of names
    std::vector<std::string> ignore;
    std::vector<std::string> unseen;  // folders of originals put aside
};

struct WrittenFolder {
    std::string path;
    Position at;
    std::string by;                  // "directory", or "done" for originals put aside
    bool aside = false;              // unseen by the pipeline's own source
    bool exact = true;               // false: somewhere below `path`, by ${…}
    std::vector<std::string> names;  // globs of what is put there
};

struct FolderUse {
    std::optional<WatchedFolder> watched;
    std::vector<WrittenFolder> written;
};
FolderUse folder_use(const PipelineConfig& pipeline);

/// Whether a file that is written there is surely taken by that watch.
bool feeds(const WrittenFolder& written, const WatchedFolder& watched);
/// Whether one of the files there, which are nobody's to take, is taken all the same.
bool takes_away(const WrittenFolder& own, const WatchedFolder& watched);
/// Another file of one folder, by its path.
void add_file(WrittenFolder& folder, const std::string& path);
/// Whether one file can be taken by both.
bool share_files(const WatchedFolder& a, const WatchedFolder& b);

}  // namespace musher
