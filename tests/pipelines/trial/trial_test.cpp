// Tests of pipelines, as they are read from a file, run and judged.
#include "pipelines/trial/trial.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pipelines/config/check.h"
#include "pipelines/config/render_error.h"
#include "pipelines/trial/report.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

/// A pipeline file "p.yml" and the results of its tests.
class TrialTest : public testing::Test {
  protected:
    void read(const std::string& text) {
        std::ofstream(folder_ / "p.yml") << "version: 1\n" << text;
        read_ = read_pipelines({folder_ / "p.yml"}, full_catalogue(), {}, Secrets::leave);
        ASSERT_TRUE(read_.ok()) << render_problems(read_.problems);
    }
    /// Of the file's test at `index`.
    Observed run(std::size_t index = 0) {
        const PipelineConfig& pipeline = read_.pipelines.at(0);
        auto seen = run_trial(pipeline, read_.daemon, pipeline.tests.at(index), work_.path());
        EXPECT_TRUE(seen.has_value()) << seen.error().text();
        EXPECT_TRUE(std::filesystem::is_empty(work_.path())) << "something is left behind";
        return seen ? std::move(*seen) : Observed();
    }
    /// What is told of it: nothing when it has passed.
    std::string told_of(std::size_t index = 0) {
        TestResult result;
        result.pipeline = &read_.pipelines.at(0);
        result.test = &result.pipeline->tests.at(index);
        result.seen = run(index);
        result.misses = judge(*result.pipeline, *result.test, result.seen);
        result.seen.story.clear();
        std::string text = told(result);
        const std::string path = folder_.path() + "/";
        for (std::size_t at = text.find(path); at != text.npos; at = text.find(path)) {
            text.erase(at, path.size());
        }
        return result.misses.empty() ? "" : text;
    }
    void all_pass() {
        for (std::size_t i = 0; i < read_.pipelines.at(0).tests.size(); ++i) {
            EXPECT_EQ(told_of(i), "") << read_.pipelines[0].tests[i].name;
        }
    }

    test::TempDir folder_;
    test::TempDir work_;
    Configuration read_;
};

TEST_F(TrialTest, FiltersRunAndSinksNote) {
    read(R"(source: { hotfolder: { path: /srv/in, match: "*.pdf" } }
key: "${event.stem}"
steps:
  - checksum: { algorithm: sha256 }
  - xz_compress: { level: 1 }
  - xz_expand: {}
  - seal: { key: !file /nowhere/key }
  - unseal: { key_file: /nowhere/either }
  - directory: { to: out, name: "${event.name}.${steps.checksum.hex:sub(1, 4)}", mode: 0600 }
tests:
  - name: content
    given: { content: hello, event: { name: b.pdf } }
    expect:
      key: b
      file: done
      attempts: 1
      receipts:
        - { sink: directory, to: out, name: b.pdf.2cf2, mode: 0600, content: hello, bytes: 5 }
      steps: { xz_compress: { ran: 1 }, checksum: { outputs: { hex: 2cf24* } } }
      that: [ event.size == 5, "steps.directory.target == 'out/b.pdf.2cf2'", job.attempt == 1 ]
  - name: a file
    given: { file: fixture.txt, event: { name: c.pdf } }
    expect: { receipts: [ { step: directory, name: c.pdf.*, content: "from a\nfile\n" } ] }
  - name: another name
    given: { event: { name: b.txt } }
    expect: { outcome: skipped, file: left, receipts: [] }
)");
    std::ofstream(folder_ / "fixture.txt") << "from a\nfile\n";
    all_pass();
    EXPECT_EQ(test::names_in(folder_.path()), (std::vector<std::string>{"fixture.txt", "p.yml"}));
}

TEST_F(TrialTest, HoursOfBackoffPassAtOnce) {
    read(R"(source: { hotfolder: { path: /srv/in } }
steps:
  - id: lookup
    sql: { connection: shop, query: "SELECT 1", params: [ "${event.stem}" ], mode: one }
  - http_post:
      url: "https://a.example/${steps.lookup.row.folder}"
      json: { a: "${job.attempt}" }
on_failure:
  - redis_publish: { connection: bus, channel: alarm, message: "${job.error}" }
limits: { attempts: 3, backoff: 10h }
tests:
  - name: the third try
    given: { event: { name: x.pdf } }
    simulate:
      lookup: [ { fails: away, code: not_found }, { returns: { row: { folder: f1 } } } ]
      http_post: { fails: no, times: 1, takes: 20m }
    expect:
      attempts: 3
      receipts: [ { sink: http_post, url: https://a.example/f1, json: { a: 3 } } ]
      steps: { lookup: { ran: 2, options: { params: [ x ], mode: one } } }
  - name: death, and the alarm
    simulate: { lookup: { fails: no such row, code: not_found } }
    expect:
      outcome: dead
      file: failed
      attempts: 3
      error: such row
      failed_step: lookup
      receipts: [ { sink: redis_publish, channel: alarm, message: no such row } ]
      that: job.error == 'no such row'
  - name: corrupt is not tried again
    simulate: { lookup: { fails: bad, code: corrupt } }
    expect: { outcome: dead, attempts: 1 }
  - name: a sink that stays away holds the pipeline
    simulate:
      lookup: { returns: { row: { folder: f } } }
      http_post: { fails: refused, code: unavailable }
    expect: { outcome: held, receipts: [] }
)");
    all_pass();
}

TEST_F(TrialTest, TimeoutsAreMet) {
    read(R"(source: { timer: { cron: "30 2 * * *", timezone: Europe/Vienna } }
steps:
  - exec: { argv: [ slow, "${event.due}", "${now}", "${event.date}" ] }
    timeout: 5m
limits: { attempts: 2 }
tests:
  - name: too slow once
    given: { at: 2026-03-29T00:00:00Z }
    simulate: { exec: { takes: 6m, times: 1 } }
    expect:
      attempts: 2
      steps:
        exec: { ran: 1, options: { argv: [ slow, "2026-03-29T01:00:00.000Z", "*", 2026-03-29 ] } }
  - name: too slow
    simulate: { exec: { takes: 6m } }
    expect: { outcome: dead, error: not finished within 5m, failed_step: exec }
)");
    all_pass();
}

TEST_F(TrialTest, ABodyThatAStepMakes) {
    read(R"(source: { hotfolder: { path: /srv/in } }
steps:
  - exec: { argv: [ convert ], stdin: body, stdout: body }
  - unseal: { key: !env NOBODY_SETS_THIS }
  - directory: { to: /srv/out }
  - http_post: { url: "https://${vars.host}/", body: true, headers: { X: !env NOBODY_SETS_THIS } }
    when: env.LOUD == "yes"
tests:
  - name: simulated
    given: { vars: { host: a.example }, env: { LOUD: "yes" } }
    simulate:
      exec: { content: "made\n" }
      unseal: { content: "open\n" }
    expect:
      receipts:
        - { sink: directory, content: "open\n" }
        - { sink: http_post, url: https://a.example/, content: "open\n", headers: { X: "***" } }
  - name: what unseal says of zeros
    expect: { outcome: dead, error: not a sealed file, receipts: [] }
)");
    all_pass();
}

TEST_F(TrialTest, AJobWithoutEndIsEnded) {
    read(R"(source: { timer: { every: 1h } }
steps:
  - exec: { argv: [ slow ] }
tests:
  - name: endless
    simulate: { exec: { takes: 100000d } }
    expect: { outcome: done }
)");
    EXPECT_EQ(run().outcome, "unfinished");
}

TEST_F(TrialTest, WhatIsExpectedIsShownAgainstWhatCame) {
    read(R"(source: { hotfolder: { path: /srv/in } }
steps:
  - log: hello
  - directory: { to: /srv/out, name: "${event.name}.xz" }
  - id: second
    directory: { to: /srv/again }
tests:
  - name: wrong
    given: { event: { name: a.pdf }, content: "one\ntwo\n" }
    expect:
      attempts: 2
      receipts:
        - { sink: directory, to: /srv/out, name: a.pdf.gz }
        - { step: second, content: "one\n2\n" }
        - { step: second }
      steps: { log: { options: { message: bye } } }
      that: [ "event.size == 3", "steps.log == nil" ]
  - name: nothing
    given: { event: { name: a.tmp } }
    expect: { outcome: done }
)");
    EXPECT_EQ(told_of(0), R"(  p.yml:12:17: `attempts` differs
    - attempts: 2
    + attempts: 1
  p.yml:14:9: `receipts` differ: 3 expected, 2 came
      - sink: directory
    -   name: a.pdf.gz
    +   name: a.pdf.xz
        to: /srv/out
      - step: second
    -   content: |
    -     one
    -     2
    - - step: second
  p.yml:17:16: the step `log` did something else
      options:
    -   message: bye
    +   message: hello
  p.yml:18:15: `event.size == 3` is false
  p.yml:18:34: `steps.log == nil` is false
)");
    EXPECT_EQ(told_of(1), R"(  p.yml:21:24: `outcome` differs: a.tmp is one of `ignore`
    - outcome: done
    + outcome: skipped
)");
}

constexpr const char* kFlow = R"(source: { hotfolder: { path: /srv/in } }
steps:
  - id: size
    switch:
      cases: [ { when: event.size > 9, steps: [ log: large ] } ]
      default: [ log: small ]
  - id: each
    for_each:
      in: "{1, 2}"
      as: one
      steps:
        - id: inner
          switch: { cases: [ { when: one == 2, steps: [ log: second ] } ] }
  - id: careful
    try:
      steps: [ { id: post, http_post: { url: "https://a.example/", json: { a: 1 } } } ]
      rescue: [ log: "${job.error}" ]
  - id: both
    parallel: { branches: [ [ log: a ], [ log: b ] ] }
  - id: ready
    wait_for:
      steps: [ { id: look, sql: { connection: shop, query: SELECT 1, mode: one } } ]
      until: steps.look.row.n == 1
      interval: 1m
  - id: never
    when: event.size > 9
    parallel: { branches: [ [ log: c ], [ log: d ] ] }
tests:
  - name: as it is
    given: { content: hello }
    simulate: { look: [ { returns: { row: { n: 0 } } }, { returns: { row: { n: 1 } } } ] }
    expect:
      steps:
        size: { ran: 1, outputs: { chosen: default } }
        each: { ran: 1, outputs: { count: 2 } }
        inner: { ran: 2, outputs: { chosen: "cases[0]" } }
        careful: { ran: 1, outputs: { rescued: false } }
        both: { ran: 1 }
        ready: { ran: 1, outputs: { looks: 2 } }
        never: { ran: 0 }
      that: [ "steps.size.chosen == 'default'", steps.ready.looks == 2, steps.each.count == 2 ]
  - name: rescued
    given: { content: hello }
    simulate: { post: { fails: gone }, look: { returns: { row: { n: 1 } } } }
    expect: { steps: { careful: { outputs: { rescued: true, error: gone } } } }
  - name: wrong
    given: { content: hello }
    simulate: { look: { returns: { row: { n: 1 } } } }
    expect: { steps: { size: { ran: 0 }, both: { ran: 2 }, never: { ran: 1 } } }
)";

TEST_F(TrialTest, StepsThatRunOthersAreJudgedToo) {
    read(kFlow);
    EXPECT_EQ(told_of(0), "");
    EXPECT_EQ(told_of(1), "");
    EXPECT_EQ(told_of(2), R"(  p.yml:50:24: the step `size` did something else
    - ran: 0
    + ran: 1
  p.yml:50:42: the step `both` did something else
    - ran: 2
    + ran: 1
  p.yml:50:60: the step `never` did not run
    - ran: 1
    + ran: 0
)");
}

TEST_F(TrialTest, GoldenTextIsTheSameEveryTime) {
    read(R"(source: { hotfolder: { path: /srv/in } }
steps:
  - seal: { key: !file key }
  - id: lookup
    sql:
      connection: shop
      query: SELECT 1
      params: [ "${event.name}", "${job.id}" ]
      mode: exec
  - directory: { to: out, collision: replace }
tests:
  - name: golden
    golden: expected.txt
    simulate: { directory: { fails: "no", times: 1 } }
)");
    const std::string first = golden_text(run());
    EXPECT_EQ(first, golden_text(run()));
    EXPECT_EQ(first, R"(outcome: done
attempts: 2
file: done
did:
- step: lookup
  connection: shop
  kind: sql
  mode: exec
  params:
  - a.pdf
  - bffb8706-fbb7-88db-9bb3-244f57ce5af7
  query: SELECT 1
- step: lookup
  connection: shop
  kind: sql
  mode: exec
  params:
  - a.pdf
  - bffb8706-fbb7-88db-9bb3-244f57ce5af7
  query: SELECT 1
- sink: directory
  collision: replace
  to: out
)");
}

}  // namespace
}  // namespace musher
