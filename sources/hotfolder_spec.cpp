// The table of a hot folder's options and facts.
#include "sources/hotfolder.h"

namespace musher {

namespace {
using enum OptionType;

std::vector<Option> options() {
    return {
        {.name = "path", .type = path, .help = "the folder to watch", .required = true,
         .folder = Folder::watched},
        {.name = "match", .type = text_list,
         .help = "names to take; a pattern with a slash is held against the path below the folder",
         .fallback = "*"},
        {.name = "ignore", .type = text_list, .help = "names that are never looked at",
         .fallback = R"([".*", "*.tmp", "*.part", "*.crdownload", "~$*"])"},
        {.name = "case_sensitive", .type = boolean,
         .help = "whether match and ignore tell capital letters from small ones",
         .fallback = "false"},
        {.name = "unmatched", .type = choice,
         .help = "a file that match does not name stays, or goes to failed/",
         .fallback = "leave", .choices = {"leave", "fail"}},
        {.name = "recursive", .type = boolean, .help = "subfolders too", .fallback = "false"},
        {.name = "unit", .type = choice,
         .help = "folder: each folder inside is one job, with all it holds", .fallback = "file",
         .choices = {"file", "folder"}},
        {.name = "settle", .type = duration,
         .help = "how long a file must be quiet; one that is moved in counts as whole at once",
         .fallback = "1s", .least = 0},
        {.name = "marker", .type = text,
         .help = "wait for this file: {name}.done, {stem}.ok, {name}/READY or a fixed name; a "
                 "marker is deleted when the last of its files in the folder is taken, a fixed one "
                 "stays"},
        {.name = "min_size", .type = size, .help = "smaller files wait", .fallback = "0"},
        {.name = "claim", .type = choice,
         .help = "rename: into .musher/work while it is worked on; none: it stays in its place",
         .fallback = "rename", .choices = {"rename", "none"}},
        {.name = "order", .type = choice,
         .help = "which file goes first; oldest is exact within 100,000 files",
         .fallback = "none", .choices = {"none", "oldest", "name"}},
        {.name = "watch", .type = choice,
         .help = "auto: events where the file system has them, else polling", .fallback = "auto",
         .choices = {"auto", "inotify", "poll"}},
        {.name = "poll", .type = duration, .help = "time between looks where events do not come",
         .fallback = "10s", .least = 100},
        {.name = "rescan", .type = duration, .help = "time between safety scans beside events",
         .fallback = "60s", .least = 1000},
        {.name = "done", .type = path, .help = "where originals go: a folder, delete, or leave",
         .fallback = "done", .choices = {"delete", "leave"}, .folder = Folder::aside},
        {.name = "failed", .type = path,
         .help = "where originals of dead jobs go, each with NAME.report.json (in it a NAME over "
                 "200 bytes is cut, and ends in a hash of itself)",
         .fallback = "failed", .folder = Folder::aside},
        {.name = "collision", .type = choice,
         .help = "when done/ has the name: number it, replace (but no folder that holds anything: "
                 "then it is numbered), or fail (it goes to failed/)",
         .fallback = "number", .choices = {"number", "replace", "fail"}},
        {.name = "shared", .type = boolean, .help = "several hosts work on this folder",
         .fallback = "false"},
    };
}

std::vector<Field> facts() {
    return {
        {"path", "where the file is while its job has it", "/srv/in/.musher/work/ID.a.pdf"},
        {"dir", "the folder that it was dropped into", "/srv/in"},
        {"name", "its name", "a.pdf"},
        {"stem", "its name without the extension", "a"},
        {"ext", "its extension, without the dot", "pdf"},
        {"size", "bytes; of a folder: all files in it", 1000},
        {"mtime", "last change", "2026-01-01T00:00:00.000Z"},
        {"uid", "its owner's number", 1000},
        {"name_escaped", "true when the name is not UTF-8 and stands percent-escaped", false},
    };
}
}  // namespace

const Spec& hotfolder_spec() {
    static const Spec kSpec{
        ComponentKind::source,
        "hotfolder",
        "files that appear in a folder",
        "A file is taken when it was moved in, or closed and quiet for `settle` with nobody "
        "holding it open. It is claimed by a rename into .musher/work, becomes the job's body, "
        "and goes to done/ or failed/ when the job has ended; to failed/ after the on_failure "
        "steps, which read it. Files that are there at start are treated like any other. After a "
        "crash every claim is found again. A file that stays in its place (claim: none) and is "
        "replaced or changed while its job runs is left there, and taken as a new file.",
        options(),
        facts(),
        R"(version: 1
pipeline: invoices
source:
  hotfolder: { path: /srv/in, match: ["*.pdf", "*.xml"], settle: 2s }
steps:
  - checksum: { algorithm: sha256 }
  - directory: { to: /srv/archive }
)",
        Repeats::never,
        {},
        hotfolder::check_rules};
    return kSpec;
}

Result<std::unique_ptr<Source>> make_hotfolder(const Options& options,
                                               const SourceContext& context) {
    if (Faults faults = hotfolder::check_rules(options); !faults.empty()) {
        return fail(std::move(faults.front()));
    }
    MUSHER_TRY(hotfolder::HotfolderRules rules, hotfolder::read_rules(options));
    return std::make_unique<hotfolder::Hotfolder>(std::move(rules), context);
}

}  // namespace musher
