// Which of the edited files may run, and where their changes would show.
#include "pipelines/run/edits.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pipelines/run/config_watch.h"
#include "tests/support/temp_dir.h"

namespace musher {
namespace {

struct EditsTest : testing::Test {
    EditsTest() {
        std::filesystem::create_directories(dir / "pipelines");
        write("musher.yml", "version: 1\nstate: ./state\npipelines: ./pipelines\n");
    }
    void write(const std::string& name, const std::string& text) {
        std::ofstream(dir / name) << text;
    }
    void pipeline(const std::string& name, const std::string& folder,
                  const std::string& message = "x") {
        write("pipelines/" + name + ".yml",
              "version: 1\nsource: { hotfolder: { path: " + (dir / folder) +
                  " } }\nsteps: [ { log: \"" + message + "\" } ]\n");
    }
    /// "name name* …", * for what was edited; then what is refused.
    std::string read() {
        const Edits edits = read_edits(dir / "musher.yml", running);
        std::map<std::string, std::string> names;
        std::vector<PipelineConfig> now;
        for (const Edits::One& one : edits.pipelines) {
            names[one.config.name] = one.config.name + (one.edited ? "* " : " ");
            now.push_back(one.config);
        }
        running = now;
        std::string words;
        for (const auto& [name, word] : names) words += word;
        for (const auto& [file, problem] : edits.refused) {
            words += "!" + std::filesystem::path(file).filename().string() + ":" + problem.code;
        }
        return words;
    }
    test::TempDir dir;
    std::vector<PipelineConfig> running;
};

TEST_F(EditsTest, TakeWhatIsSound) {
    pipeline("a", "in/a");
    pipeline("b", "in/b");
    EXPECT_EQ(read(), "a* b* ");
    EXPECT_EQ(read(), "a b ");
    pipeline("a", "in/a", "other");
    EXPECT_EQ(read(), "a* b ");
    std::filesystem::remove(dir / "pipelines/b.yml");
    EXPECT_EQ(read(), "a ");
}

TEST_F(EditsTest, AFaultyFileKeepsItsPipeline) {
    pipeline("a", "in/a");
    EXPECT_EQ(read(), "a* ");
    write("pipelines/a.yml", "");
    EXPECT_EQ(read().substr(0, 8), "a !a.yml");
    EXPECT_EQ(running.at(0).steps.size(), 1u);
    pipeline("a", "in/a");
    EXPECT_EQ(read(), "a ");
}

TEST_F(EditsTest, OfTwoThatDoNotFitTheNewcomerIsRefused) {
    pipeline("b", "in/b");
    EXPECT_EQ(read(), "b* ");
    pipeline("a", "in/b");  // before it in the order of files
    EXPECT_EQ(read(), "b !a.yml:shared_folder");
    pipeline("a", "in/a");
    EXPECT_EQ(read(), "a* b ");
    pipeline("a", "in/b");
    EXPECT_EQ(read(), "a b !a.yml:shared_folder");
    // The two change places in one go.
    pipeline("a", "in/b");
    pipeline("b", "in/a");
    EXPECT_EQ(read(), "a* b* ");
}

TEST_F(EditsTest, AFaultyMusherYmlKeepsAll) {
    pipeline("a", "in/a");
    EXPECT_EQ(read(), "a* ");
    write("musher.yml", "version: 1\npipelines: ./nowhere\n");
    EXPECT_EQ(read(), "a !musher.yml:unreadable");
    std::filesystem::remove(dir / "musher.yml");
    EXPECT_EQ(read(), "a !musher.yml:unreadable");
}

TEST_F(EditsTest, AValueFromOutsideCounts) {
    write("key", std::string(64, 'a'));
    std::filesystem::permissions(dir / "key", std::filesystem::perms(0600));
    write("pipelines/a.yml", "version: 1\nsource: { hotfolder: { path: " + (dir / "in") +
                                 " } }\nsteps: [ { seal: { key: !file " + (dir / "key") +
                                 " } } ]\n");
    EXPECT_EQ(read(), "a* ");
    write("key", std::string(64, 'b'));
    EXPECT_EQ(read(), "a* ");
}

TEST_F(EditsTest, AConnectionCountsForTheSourceThatNamesIt) {
    const auto connect = [&](const std::string& shop, const std::string& stock) {
        write("musher.yml",
              "version: 1\nstate: ./state\npipelines: ./pipelines\n"
              "connections: { shop: { postgres: '" +
                  shop +
                  "' }, stock: "
                  "{ postgres: '" +
                  stock + "' } }\n");
    };
    const std::string source =
        "version: 1\nsource: { postgres_notify: "
        "{ connection: shop, channels: c } }\n";
    const std::string step = "steps: [ { sql: { connection: stock, query: SELECT 1 } } ]\n";
    write("pipelines/a.yml", source + step);
    pipeline("b", "in/b");
    connect("postgresql:///one", "postgresql:///one");
    EXPECT_EQ(read(), "a* b* ");
    const PipelineConfig before = running.at(0);
    connect("postgresql:///one", "postgresql:///two");
    EXPECT_EQ(read(), "a b ") << "a step takes it as it finds it";
    connect("postgresql:///two", "postgresql:///two");
    EXPECT_EQ(read(), "a* b ");
    EXPECT_FALSE(same_source(before, running.at(1)));
    EXPECT_EQ(running.at(1).connections.at("shop").options.at("url"), "postgresql:///two");
    EXPECT_EQ(read(), "a b ");
}

TEST_F(EditsTest, LinksAreWatchedWhereTheyLead) {
    std::filesystem::create_directories(dir / "releases/1");
    std::filesystem::create_directories(dir / "maps");
    std::filesystem::create_symlink("releases/1", dir / "current");
    std::filesystem::create_symlink(dir / "maps/p.yml", dir / "releases/1/p.yml");
    const WatchPoints points = watch_points({dir / "current", dir / "musher.yml"});
    EXPECT_TRUE(points.at(dir.path()).contains("current"));
    EXPECT_TRUE(points.at(dir.path()).contains("musher.yml"));
    EXPECT_TRUE(points.at(dir / "releases/1").empty()) << "every name counts";
    EXPECT_TRUE(points.at(dir / "maps").contains("p.yml"));
}

}  // namespace
}  // namespace musher
