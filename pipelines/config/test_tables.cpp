#include "pipelines/config/test_tables.h"

namespace musher {

namespace {
using Type = OptionType;

std::vector<Option> given_options() {
    return {
        {.name = "event",
         .type = Type::any,
         .help = "facts of the event, over the samples of the source: { name: a.pdf }; of a timer "
                 "the next due time"},
        {.name = "file", .type = Type::path, .help = "the job's file; name and size come from it"},
        {.name = "content", .type = Type::text, .help = "the content of the job's file, instead"},
        {.name = "vars", .type = Type::any, .help = "over `vars` of musher.yml"},
        {.name = "env", .type = Type::any, .help = "over `environment` of musher.yml"},
        {.name = "at",
         .type = Type::text,
         .help = "when the event comes: 2026-03-29T01:30:00+01:00; from then on the clock goes by "
                 "itself to whatever is waited for",
         .fallback = "2024-05-06T07:08:09Z"},
    };
}
}  // namespace

const std::vector<Option>& expect_table() {
    static const std::vector<Option> kTable = {
        {.name = "outcome",
         .type = Type::choice,
         .help = "what becomes of the job; skipped: there is none, held: a sink or server stays "
                 "broken",
         .fallback = "done",
         .choices = {"done", "dead", "skipped", "held"}},
        {.name = "attempts", .type = Type::integer, .help = "tries of the job", .least = 0},
        {.name = "key", .type = Type::text, .help = "the job's key"},
        {.name = "dedupe", .type = Type::text, .help = "the job's dedupe value"},
        {.name = "error", .type = Type::text, .help = "stands in the last error"},
        {.name = "failed_step", .type = Type::text, .help = "the step that failed last"},
        {.name = "file",
         .type = Type::choice,
         .help = "what becomes of a hot folder's file",
         .choices = {"done", "failed", "deleted", "left"}},
        {.name = "receipts",
         .type = Type::any,
         .help = "all that sinks took, in order: a list of { step or sink, their options, target, "
                 "bytes, sha256, content }"},
        {.name = "steps",
         .type = Type::any,
         .help = "what steps did: STEP: { ran, options, outputs }"},
        {.name = "that",
         .type = Type::any,
         .help = "an expression that is true in the end, or a list of them"},
    };
    return kTable;
}

const std::vector<Option>& test_table() {
    static const std::vector<Option> kTable = {
        {.name = "name", .type = Type::text, .help = "what is shown", .required = true},
        {.name = "given",
         .type = Type::section,
         .help = "the event, and what is known around it",
         .options = given_options()},
        {.name = "simulate",
         .type = Type::any,
         .help = "what steps answer: STEP: { … }, or a list of answers, in turn"},
        {.name = "expect",
         .type = Type::section,
         .help = "what must come of it",
         .required = true,
         .options = expect_table()},
        {.name = "golden",
         .type = Type::path,
         .help = "a file that says all that must come of it, instead of `expect` or beside it; "
                 "musher test --update writes it"},
    };
    return kTable;
}

const std::vector<Option>& answer_table() {
    static const std::vector<Option> kTable = {
        {.name = "fails", .type = Type::text, .help = "the step fails with this message"},
        {.name = "code",
         .type = Type::choice,
         .help =
             "kind of the failure; unavailable, full and denied of a sink, sql or http_get hold "
             "the pipeline",
         .fallback = "failed",
         .choices = {"failed", "usage", "not_found", "conflict", "unavailable", "full", "denied",
                     "corrupt", "timeout"}},
        {.name = "times",
         .type = Type::integer,
         .help = "calls that are answered so; left out: all that follow, but in a list one",
         .least = 1,
         .most = 1'000'000},
        {.name = "returns",
         .type = Type::any,
         .help = "fields of the step, over their samples: { row: { id: 7 } }"},
        {.name = "content", .type = Type::text, .help = "the body from then on"},
        {.name = "takes", .type = Type::duration, .help = "time that passes", .fallback = "0"},
        {.name = "real",
         .type = Type::boolean,
         .help = "of exec: the program runs in earnest",
         .fallback = "false"},
    };
    return kTable;
}

const std::vector<Option>& expected_step_table() {
    static const std::vector<Option> kTable = {
        {.name = "ran",
         .type = Type::integer,
         .help = "how often it ran to its end; 0: never",
         .least = 0},
        {.name = "options", .type = Type::any, .help = "as they were rendered, the last time"},
        {.name = "outputs", .type = Type::any, .help = "its fields, the last time"},
    };
    return kTable;
}

}  // namespace musher
