// What reading gives: values, defaults, ids, positions, and thousands of files at once.
#include "pipelines/config/check.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pipelines/config/glob_overlap.h"
#include "pipelines/config/render_error.h"
#include "tests/support/sample_catalogue.h"
#include "tests/support/sanitized.h"
#include "tests/support/temp_dir.h"

namespace musher {
namespace {

namespace fs = std::filesystem;

class CheckTest : public testing::Test {
  protected:
    std::string write(const std::string& name, const std::string& text) {
        const std::string file = folder_ / name;
        fs::create_directories(fs::path(file).parent_path());
        std::ofstream(file) << text;
        return file;
    }
    Configuration read(const std::string& musher) {
        return read_configuration(write("musher.yml", musher), test::sample_catalogue());
    }
    test::TempDir folder_;
};

constexpr const char* kPipeline = R"(version: 1
source: { hotfolder: { path: in, settle: 2s } }
when: event.size > 0
key: "${event.stem}"
priority: 7
steps:
  - log: first
  - log: second
  - shrink
  - log: third
    id: log-2
    when: event.size > 5
    timeout: 90s
  - switch:
      cases:
        - when: event.size > 9
          steps: [ log: inside ]
      default: [ directory: out ]
on_failure: [ log: "${job.error}" ]
limits: { parallel: 8, backoff: 2s..1m, waiting: 50 }
tests: [ { name: a, given: {}, expect: {} } ]
)";

TEST_F(CheckTest, ReadsAPipeline) {
    write("pipelines/small-files.yml", kPipeline);
    const Configuration read = this->read("version: 1\nstate: s\n");
    ASSERT_TRUE(read.ok()) << render_problems(read.problems);
    ASSERT_EQ(read.pipelines.size(), 1u);
    const PipelineConfig& pipeline = read.pipelines[0];
    EXPECT_EQ(pipeline.name, "small-files") << "the file's stem";
    EXPECT_EQ(pipeline.file, folder_ / "pipelines/small-files.yml");
    EXPECT_EQ(pipeline.folder, folder_ / "pipelines");
    EXPECT_EQ(pipeline.text, kPipeline);
    EXPECT_EQ(pipeline.source_kind, "hotfolder");
    EXPECT_EQ(pipeline.when->text, "event.size > 0");
    EXPECT_EQ(pipeline.key->text, "${event.stem}");
    EXPECT_FALSE(pipeline.dedupe);
    EXPECT_EQ(pipeline.priority, 7);
    EXPECT_FALSE(pipeline.direct);
    EXPECT_EQ(pipeline.limits.parallel, 8);
    EXPECT_EQ(pipeline.limits.attempts, 5);
    EXPECT_EQ(pipeline.limits.backoff_from, std::chrono::seconds(2));
    EXPECT_EQ(pipeline.limits.backoff_to, std::chrono::minutes(1));
    EXPECT_EQ(pipeline.limits.waiting, 50);
    EXPECT_FALSE(pipeline.tests.empty());
    std::vector<Problem> none;
    const Options source = decode(pipeline.source->spec.options, pipeline.source_options, "", none);
    EXPECT_EQ(source.text("path"), folder_ / "pipelines/in") << "from the file's folder";
}

TEST_F(CheckTest, NamesEveryStep) {
    write("pipelines/a.yml", kPipeline);
    const Configuration read = this->read("version: 1\n");
    ASSERT_TRUE(read.ok()) << render_problems(read.problems);
    std::vector<std::string> ids;
    for (const StepConfig& step : read.pipelines[0].steps) ids.push_back(step.id);
    EXPECT_EQ(ids, (std::vector<std::string>{"log", "log-3", "shrink", "log-2", "switch"}))
        << "ids that were given come first";
    const StepConfig& given = read.pipelines[0].steps[3];
    EXPECT_EQ(given.timeout, std::chrono::seconds(90));
    EXPECT_EQ(given.when->text, "event.size > 5");
    EXPECT_EQ(given.options.find("message")->text, "third") << "the shorthand's option";
    const StepConfig& nested = read.pipelines[0].steps[4];
    ASSERT_EQ(nested.branches.size(), 2u);
    EXPECT_EQ(nested.branches[0].option, "cases");
    EXPECT_EQ(nested.branches[0].when->text, "event.size > 9");
    EXPECT_EQ(nested.branches[0].steps.at(0).id, "log-4");
    EXPECT_EQ(nested.branches[1].option, "default");
    EXPECT_TRUE(nested.branches[1].steps.at(0).sink);
    EXPECT_EQ(read.pipelines[0].on_failure.at(0).id, "log-5") << "unique in the file";
}

TEST_F(CheckTest, ReadsMusherYml) {
    fs::create_directory(folder_ / "pipelines");
    ::setenv("MUSHER_TEST_SECRET", "hunter2", 1);
    ::setenv("MUSHER_TEST_DATABASE", "postgresql://me:hunter2@db/shop", 1);
    const Configuration read = this->read(R"(version: 1
state: var
node: press-1
timezone: Europe/Vienna
queue:
  redis: { sentinels: ["a:26379", b], master: main, password: !env MUSHER_TEST_SECRET, db: 3 }
http: { listen: "0.0.0.0:80", token: !env MUSHER_TEST_SECRET, path_prefix: /musher }
log: { level: debug, to: log/musher.log }
history: { keep: 2d, jobs: 5 }
sentry_dsn: https://key@sentry.example/1
sentry_log_level: 30
connections:
  main: { redis: { url: "unix:/run/redis.sock" } }
  shop: { postgres: { url: !env MUSHER_TEST_DATABASE } }
environment: { SITE: vienna }
vars: { a: { b: [1, true, x] }, pw: !env MUSHER_TEST_SECRET }
)");
    ASSERT_TRUE(read.ok()) << render_problems(read.problems);
    const DaemonConfig& daemon = read.daemon;
    EXPECT_EQ(daemon.file, folder_ / "musher.yml");
    EXPECT_EQ(daemon.folder, folder_.path());
    EXPECT_EQ(daemon.state, folder_ / "var");
    EXPECT_EQ(daemon.node, "press-1");
    EXPECT_EQ(daemon.pipelines, std::vector<std::string>{folder_ / "pipelines"});
    EXPECT_FALSE(daemon.queue.embedded);
    ASSERT_EQ(daemon.queue.target.sentinels.size(), 2u);
    EXPECT_EQ(daemon.queue.target.sentinels[1].port, 26379);
    EXPECT_EQ(daemon.queue.target.master, "main");
    EXPECT_EQ(daemon.queue.target.password, "hunter2");
    EXPECT_EQ(daemon.queue.target.db, 3);
    EXPECT_EQ(daemon.http_listen, "0.0.0.0:80");
    EXPECT_EQ(daemon.http_token, "hunter2");
    EXPECT_EQ(daemon.log_level, "debug");
    EXPECT_EQ(daemon.log_to, folder_ / "log/musher.log");
    EXPECT_EQ(daemon.history_keep, std::chrono::hours(48));
    EXPECT_EQ(daemon.history_jobs, 5);
    EXPECT_EQ(daemon.sentry_dsn, "https://key@sentry.example/1");
    EXPECT_EQ(daemon.sentry_level, 30);
    EXPECT_EQ(daemon.connections.at("shop").kind, "postgres");
    EXPECT_EQ(daemon.connections.at("shop").options["url"],
              Json("postgresql://me:hunter2@db/shop"));
    EXPECT_EQ(daemon.vars, (Json{{"a", {{"b", {1, true, "x"}}}}, {"pw", "hunter2"}}));
}

TEST_F(CheckTest, DefaultsOfMusherYml) {
    fs::create_directory(folder_ / "pipelines");
    const Configuration read = this->read("version: 1\n");
    ASSERT_TRUE(read.ok()) << render_problems(read.problems);
    EXPECT_EQ(read.daemon.state, "/var/lib/musher");
    EXPECT_NE(read.daemon.node, "");
    EXPECT_EQ(read.daemon.timezone, "UTC");
    EXPECT_TRUE(read.daemon.queue.embedded);
    EXPECT_TRUE(read.daemon.queue.fsync_always);
    EXPECT_EQ(read.daemon.http_listen, "");
    EXPECT_EQ(read.daemon.log_to, "stderr");
    EXPECT_TRUE(this->read("version: 1\nqueue: { appendfsync: everysec }\n").daemon.queue.embedded);
}

TEST_F(CheckTest, ListensWhereRunCan) {
    ::setenv("MUSHER_TEST_SECRET", "hunter2", 1);
    fs::create_directory(folder_ / "pipelines");
    const auto codes = [&](const std::string& listen) {
        const Configuration read = this->read("version: 1\nhttp: { listen: \"" + listen +
                                              "\", token: !env MUSHER_TEST_SECRET }\n");
        return read.problems.empty() ? "" : read.problems.front().code;
    };
    for (const char* good : {"127.0.0.1:80", "localhost:80", "0.0.0.0:80", "10.1.2.3:80", "[::]:80",
                             "[::1]:80", "::1:8470", "[fe80::1]:80"}) {
        EXPECT_EQ(codes(good), "") << good;
    }
    for (const char* bad : {"press.local:80", "127.1:80", "*:80", "0.0.0.256:80", "LOCALHOST:80",
                            "127.0.0.1.example:80", "[fe80::1%eth0]:80", "[::g]:80"}) {
        EXPECT_EQ(codes(bad), "bad_address") << bad;
    }
}

TEST_F(CheckTest, AnEmptyTokenIsNone) {
    fs::create_directory(folder_ / "pipelines");
    for (const char* text : {"", "\n", " \t\n\n", "\r\n"}) {
        write("token", text);
        fs::permissions(folder_ / "token", fs::perms::owner_read | fs::perms::owner_write);
        for (const char* listen : {"0.0.0.0:80", "127.0.0.1:80"}) {
            const Configuration read = this->read(fmt::format(
                "version: 1\nhttp: {{ listen: \"{}\", token: !file token }}\n", listen));
            ASSERT_EQ(read.problems.size(), 1u) << listen;
            EXPECT_EQ(read.problems[0].code, "empty_token") << listen;
        }
    }
}

TEST_F(CheckTest, RendersFixedOptionsOnEnvAndVars) {
    write("pipelines/a.yml",
          "version: 1\nsource: { hotfolder: { path: \"${vars.root}/in\", min_size: "
          "\"${vars.size}\" } }\nlimits: { parallel: \"${vars.n}\" }\nsteps: [ log: x ]\n");
    const Configuration read = this->read("version: 1\nvars: { root: /srv, size: 4KiB, n: 3 }\n");
    ASSERT_TRUE(read.ok()) << render_problems(read.problems);
    const PipelineConfig& pipeline = read.pipelines.at(0);
    EXPECT_EQ(pipeline.source_options.find("path")->text, "/srv/in");
    EXPECT_EQ(pipeline.limits.parallel, 3);
    // On its own, the file cannot be judged there.
    const Configuration alone = read_pipelines({pipeline.file}, test::sample_catalogue());
    EXPECT_TRUE(alone.ok()) << render_problems(alone.problems);
}

TEST_F(CheckTest, FaultyPipelinesAreLeftOut) {
    write("pipelines/a.yml", "version: 1\nsource: { timer: 1h }\nsteps: [ log: x ]\n");
    write("pipelines/b.yml", "version: 1\nsource: { timer: 1h }\nsteps: [ lgo: x ]\n");
    const std::string loop =
        "version: 1\nsource: { hotfolder: { path: /a } }\nsteps: [ directory: /a ]\n";
    write("pipelines/c.yml", loop);
    const Configuration read = this->read("version: 1\n");
    EXPECT_FALSE(read.ok());
    ASSERT_EQ(read.pipelines.size(), 1u);
    EXPECT_EQ(read.pipelines[0].name, "a");
}

TEST_F(CheckTest, PathsMayNameMusherYmlToo) {
    write("pipelines/a.yml", "version: 1\nsource: { timer: 1h }\nsteps: [ log: x ]\n");
    const std::string musher = write("musher.yml", "version: 1\nhttp: { listen: nowhere }\n");
    const Configuration read = read_pipelines({musher}, test::sample_catalogue());
    EXPECT_EQ(read.pipelines.size(), 1u);
    EXPECT_EQ(read.problems.at(0).code, "bad_address");
    const Configuration gone = read_pipelines({folder_ / "none.yml"}, test::sample_catalogue());
    EXPECT_FALSE(gone.ok());
}

TEST_F(CheckTest, ReadsAThousandFilesInATrice) {
    for (int i = 0; i < 1000; ++i) {
        write(fmt::format("pipelines/p{}.yml", i), fmt::format(R"(version: 1
description: one of many
source: {{ hotfolder: {{ path: /srv/in/{0}, match: ["*.pdf", "*.tif"], settle: 2s }} }}
when: event.size > 0
key: "${{event.stem}}"
steps:
  - shrink: {{ level: 6 }}
  - directory: {{ to: "/srv/out/{0}/${{event.date}}", name: "${{event.stem}}.xz" }}
    when: event.size < 2*GiB
  - directory: /srv/in/{1}
  - http_post: {{ url: "http://host/", json: {{ text: "${{steps.directory.sha256}}" }} }}
on_failure: [ log: "${{job.error}}" ]
limits: {{ parallel: 4, backoff: 1s..5m }}
)",
                                                               i, i + 1));
    }
    const Duration before = thread_cpu_time();
    const Configuration read = this->read("version: 1\n");
    const auto spent = std::chrono::duration_cast<milliseconds>(thread_cpu_time() - before).count();
    EXPECT_TRUE(read.ok()) << render_problems(read.problems).substr(0, 2000);
    EXPECT_EQ(read.pipelines.size(), 1000u);
    RecordProperty("cpu_ms", std::to_string(spent));
    EXPECT_LT(spent, 3000 * test::kSlowdown) << "well under a second where nothing else runs";
}

TEST(GlobOverlap, FindsACommonName) {
    EXPECT_TRUE(globs_overlap("*", "", false));
    EXPECT_TRUE(globs_overlap("*.pdf", "a*", false));
    EXPECT_TRUE(globs_overlap("a*c", "ab*", false));
    EXPECT_TRUE(globs_overlap("*a*", "*b*", false));
    EXPECT_TRUE(globs_overlap("?.pdf", "[a-c].pdf", false));
    EXPECT_TRUE(globs_overlap("[!a]*", "b", false));
    EXPECT_TRUE(globs_overlap("*.PDF", "*.pdf", true));
    EXPECT_TRUE(globs_overlap("[a", "[a", false)) << "no set: as it stands";
    EXPECT_FALSE(globs_overlap("*.PDF", "*.pdf", false));
    EXPECT_FALSE(globs_overlap("*.pdf", "*.xz", true));
    EXPECT_FALSE(globs_overlap("[!a]", "a", false));
    EXPECT_FALSE(globs_overlap("[a-c]x", "[d-f]x", true));
    EXPECT_FALSE(globs_overlap("??", "?", true));
    EXPECT_FALSE(globs_overlap("", "?*", true));
    EXPECT_TRUE(globs_overlap(std::string(500, '*') + "a", std::string(500, '*') + "a", true));
}

TEST(Excerpt, PutsTheCaretBelow) {
    EXPECT_EQ(excerpt("a: b", 4), "    a: b\n       ^\n");
    EXPECT_EQ(excerpt("a", 9), "    a\n     ^\n") << "behind the end";
    EXPECT_EQ(excerpt("\ta", 2), "        a\n        ^\n");
    EXPECT_EQ(excerpt("日a", 2), "    日a\n      ^\n") << "two columns wide";
    EXPECT_EQ(excerpt("e\u0301a", 3), "    e\u0301a\n     ^\n") << "an accent of its own";
    EXPECT_EQ(excerpt("\x1b[31m\xff", 1), "    ?[31m?\n    ^\n");
    const std::string cut = excerpt(std::string(300, 'x') + "Y" + std::string(300, 'x'), 301);
    const std::size_t caret = cut.find('^') - cut.find('\n') - 1;
    EXPECT_EQ(cut.substr(caret + 2, 1), "Y") << "the cut marks take three bytes, one column";
    EXPECT_LT(cut.size(), 230u);
}

}  // namespace
}  // namespace musher
