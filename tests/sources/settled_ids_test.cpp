// The files that stay: remembered over restarts, torn writes and generations.
#include "sources/settled_ids.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "reactor/base/uuid.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"

namespace musher::hotfolder {
namespace {

namespace fs = std::filesystem;

std::string id(int number) { return uuid_of("file " + std::to_string(number)); }

void save(SettledIds& ids) {
    if (!ids.unsaved()) return;
    EXPECT_TRUE(ids.write(ids.take()).has_value());
}

/// As a new process finds it.
SettledIds reopen(const std::string& file, std::size_t most = 100) {
    SettledIds ids(file, most);
    auto found = ids.read();
    EXPECT_TRUE(found.has_value());
    if (found) ids.adopt(std::move(*found));
    return ids;
}

TEST(SettledIds, OutlivesItsProcess) {
    const test::TempDir dir;
    const std::string file = dir / "settled/p";
    SettledIds ids = reopen(file);
    EXPECT_FALSE(ids.knows(id(1)));
    ids.add(id(1));
    ids.add(id(1));
    ids.add("not a uuid");
    save(ids);
    EXPECT_FALSE(ids.unsaved());
    EXPECT_EQ(fs::file_size(file), 16u);
    ids.add(id(2));  // killed before it was written: the queue's history has it
    SettledIds later = reopen(file);
    EXPECT_TRUE(later.knows(id(1)));
    EXPECT_FALSE(later.knows(id(2)));
}

TEST(SettledIds, CutsOffWhatWasWrittenInPart) {
    const test::TempDir dir;
    const std::string file = dir / "p";
    SettledIds ids = reopen(file);
    ids.add(id(1));
    save(ids);
    std::ofstream(file, std::ios::app) << "torn";
    SettledIds later = reopen(file);
    EXPECT_TRUE(later.knows(id(1)));
    later.add(id(2));
    save(later);
    EXPECT_EQ(fs::file_size(file), 32u);
    EXPECT_TRUE(reopen(file).knows(id(2)));
}

TEST(SettledIds, ForgetsTheOldestThatNobodyAsksFor) {
    const test::TempDir dir;
    const std::string file = dir / "p";
    SettledIds ids = reopen(file, 4);
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(ids.knows(id(0)), i > 0) << "it is asked for, so it stays";
        ids.add(id(i));
        save(ids);
        EXPECT_LE(fs::exists(file) ? fs::file_size(file) : 0, 4u * 16);
    }
    EXPECT_EQ(test::names_in(dir.path()), (std::vector<std::string>{"p", "p.old"}));
    SettledIds later = reopen(file, 4);
    EXPECT_TRUE(later.knows(id(0)));
    EXPECT_FALSE(later.knows(id(1)));
    EXPECT_TRUE(later.knows(id(19)));
}

TEST(SettledIds, KeepsWhatCouldNotBeWritten) {
    const test::TempDir dir;
    std::ofstream(dir / "in_the_way") << "a file";
    SettledIds ids(dir / "in_the_way/p", 100);
    ids.add(id(1));
    SettledIds::Batch batch = ids.take();
    EXPECT_FALSE(ids.write(batch).has_value());
    ids.put_back(std::move(batch));
    fs::remove(dir / "in_the_way");
    save(ids);
    EXPECT_TRUE(reopen(dir / "in_the_way/p").knows(id(1)));
}

}  // namespace
}  // namespace musher::hotfolder
