#include "tests/support/sample_catalogue.h"

namespace musher::test {

namespace {
using Type = OptionType;

const Spec kHotfolder{
    ComponentKind::source,
    "hotfolder",
    "files that appear in a folder",
    "Each file becomes one event.",
    {
        {.name = "path",
         .type = Type::path,
         .help = "the folder",
         .required = true,
         .folder = Folder::watched},
        {.name = "match", .type = Type::text_list, .help = "globs of names", .fallback = "*"},
        {.name = "ignore",
         .type = Type::text_list,
         .help = "globs of names to pass over",
         .fallback = R"([".*", "*.tmp"])"},
        {.name = "recursive",
         .type = Type::boolean,
         .help = "folders inside too",
         .fallback = "false"},
        {.name = "settle",
         .type = Type::duration,
         .help = "quiet time",
         .fallback = "1s",
         .least = 0,
         .most = 3'600'000},
        {.name = "min_size", .type = Type::size, .help = "least size", .fallback = "0"},
        {.name = "watch",
         .type = Type::choice,
         .help = "how it is watched",
         .fallback = "auto",
         .choices = {"auto", "inotify", "poll"}},
        {.name = "claim",
         .type = Type::choice,
         .help = "how a file is taken",
         .fallback = "rename",
         .choices = {"rename", "none"}},
        {.name = "done",
         .type = Type::path,
         .help = "folder of done originals",
         .fallback = "done",
         .choices = {"delete", "leave"},
         .folder = Folder::aside},
        {.name = "failed",
         .type = Type::path,
         .help = "folder of failed originals",
         .fallback = "failed",
         .folder = Folder::aside},
    },
    {{"path", "whole path", "/srv/in/a.pdf"},
     {"name", "file name", "a.pdf"},
     {"stem", "name without extension", "a"},
     {"size", "bytes", 1024}},
    "version: 1\nsource: { hotfolder: { path: /srv/in } }\nsteps:\n  - log: \"${event.name}\"\n"};

const Spec kTimer{ComponentKind::source,
                  "timer",
                  "events at certain times",
                  "An event each time it is due.",
                  {{.name = "every", .type = Type::duration, .help = "interval", .least = 1000}},
                  {{"due", "when it was due", "2024-05-06T07:00:00.000Z"}},
                  "version: 1\nsource: { timer: { every: 1h } }\nsteps: [ log: tick ]\n",
                  Repeats::never,
                  "every"};

const Spec kNotify{
    ComponentKind::source,
    "postgres_notify",
    "notifications of PostgreSQL",
    "Each NOTIFY becomes one event.",
    {{.name = "connection",
      .type = Type::connection,
      .help = "the database",
      .required = true,
      .choices = {"postgres"}},
     {.name = "channels", .type = Type::text_list, .help = "channels", .required = true}},
    {{"channel", "its channel", "orders"}, {"payload", "what it says", Json::object()}},
    "version: 1\nsource: { postgres_notify: { connection: db, channels: orders } }\n"
    "steps: [ log: \"${event.payload.id}\" ]\n"};

const Spec kLog{ComponentKind::step,
                "log",
                "write a log line",
                "The message goes to musher's log.",
                {{.name = "message",
                  .type = Type::text,
                  .help = "the line",
                  .required = true,
                  .templated = true},
                 {.name = "level",
                  .type = Type::choice,
                  .help = "its level",
                  .fallback = "info",
                  .choices = {"debug", "info", "warning", "error"}}},
                {},
                "version: 1\nsource: { timer: 1h }\nsteps: [ log: hello ]\n",
                Repeats::never,
                "message"};

const Spec kSet{
    ComponentKind::step,
    "set",
    "name values for later steps",
    "Each expression becomes an output.",
    {{.name = "values",
      .type = Type::expression_map,
      .help = "name: expression",
      .required = true}},
    {},
    "version: 1\nsource: { timer: 1h }\nsteps: [ set: { values: { n: \"1 + 1\" } } ]\n"};

const Spec kShrink{
    ComponentKind::step,
    "shrink",
    "make the body smaller",
    "By magic.",
    {{.name = "level",
      .type = Type::integer,
      .help = "0 to 9",
      .fallback = "6",
      .templated = true,
      .least = 0,
      .most = 9},
     {.name = "block", .type = Type::size, .help = "block", .fallback = "1MiB"},
     {.name = "key", .type = Type::secret, .help = "a key"},
     {.name = "fast", .type = Type::boolean, .help = "rather fast", .fallback = "false"}},
    {{"ratio", "of sizes", 0.5}},
    "version: 1\nsource: { timer: 1h }\nsteps: [ shrink: { level: 9 } ]\n"};

const Spec kSwitch{ComponentKind::step,
                   "switch",
                   "the first case that is true",
                   "Else the default.",
                   {{.name = "cases", .type = Type::cases, .help = "cases", .required = true},
                    {.name = "default", .type = Type::steps, .help = "steps otherwise"}},
                   {},
                   "version: 1\nsource: { timer: 1h }\nsteps:\n  - switch:\n      cases:\n"
                   "        - { when: \"true\", steps: [ log: yes ] }\n",
                   Repeats::never,
                   {},
                   nullptr,
                   Control::choose};

const Spec kParallel{
    ComponentKind::step,
    "parallel",
    "all branches at once",
    "Ends when all have ended.",
    {{.name = "branches", .type = Type::branches, .help = "lists of steps", .required = true}},
    {},
    "version: 1\nsource: { timer: 1h }\n"
    "steps: [ parallel: { branches: [ [ log: a ], [ log: b ] ] } ]\n",
    Repeats::never,
    {},
    nullptr,
    Control::parallel};

const Spec kForEach{
    ComponentKind::step,
    "for_each",
    "the steps for each item",
    "In order.",
    {{.name = "in", .type = Type::expression, .help = "a list", .required = true},
     {.name = "as", .type = Type::text, .help = "name of the item", .fallback = "item"},
     {.name = "steps", .type = Type::steps, .help = "steps", .required = true}},
    {},
    "version: 1\nsource: { timer: 1h }\n"
    "steps: [ for_each: { in: \"{1, 2}\", steps: [ log: \"${item}\" ] } ]\n",
    Repeats::never,
    {},
    nullptr,
    Control::for_each};

const Spec kDirectory{
    ComponentKind::sink,
    "directory",
    "a file in a folder",
    "Written beside, then renamed.",
    {{.name = "to",
      .type = Type::path,
      .help = "the folder",
      .required = true,
      .templated = true,
      .folder = Folder::written},
     {.name = "name", .type = Type::text, .help = "the file's name", .templated = true}},
    {},
    "version: 1\nsource: { timer: 1h }\nsteps: [ directory: /srv/out ]\n",
    Repeats::idempotent,
    "to"};

const Spec kS3{
    ComponentKind::sink,
    "s3_object",
    "an object in a bucket",
    "By multipart upload.",
    {{.name = "connection",
      .type = Type::connection,
      .help = "the bucket",
      .required = true,
      .choices = {"s3"}},
     {.name = "key", .type = Type::text, .help = "the key", .required = true, .templated = true}},
    {{"etag", "of the object", "d41d8"}},
    "version: 1\nsource: { timer: 1h }\n"
    "steps: [ s3_object: { connection: proofs, key: a } ]\n",
    Repeats::idempotent};

const Spec kHttpPost{
    ComponentKind::sink,
    "http_post",
    "a request",
    "POST.",
    {{.name = "url", .type = Type::text, .help = "where to", .required = true, .templated = true},
     {.name = "headers", .type = Type::text_map, .help = "headers", .templated = true},
     {.name = "json", .type = Type::any, .help = "the body", .templated = true}},
    {{"status", "of the answer", 200}},
    "version: 1\nsource: { timer: 1h }\nsteps: [ http_post: http://h/ ]\n",
    Repeats::after_crash,
    "url"};
}  // namespace

const Catalogue& sample_catalogue() {
    static const std::vector<SourceEntry> kSources = {
        {kHotfolder, nullptr, true}, {kTimer, nullptr, false}, {kNotify, nullptr, false}};
    static const std::vector<StepEntry> kSteps = {{kLog, nullptr},      {kSet, nullptr},
                                                  {kShrink, nullptr},   {kSwitch, nullptr},
                                                  {kParallel, nullptr}, {kForEach, nullptr}};
    static const std::vector<StepEntry> kSinks = {
        {kDirectory, nullptr}, {kS3, nullptr}, {kHttpPost, nullptr}};
    static const Catalogue kCatalogue{kSources, kSteps, kSinks};
    return kCatalogue;
}

}  // namespace musher::test
