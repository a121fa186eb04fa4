// Folders read in bounded windows, by the rules that events are held to as well.
#include "sources/scan.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

#include "reactor/base/limits.h"
#include "tests/support/temp_dir.h"

namespace musher::hotfolder {
namespace {

namespace fs = std::filesystem;

ScanRules rules() {
    ScanRules all;
    all.names = NameRules({"*"}, {".*", "*.tmp"}, {}, false);
    return all;
}

std::set<std::string> scan(const std::string& path, const ScanRules& by,
                           const std::string& subfolder = "") {
    DirScan scan(*Fd::open(path, O_RDONLY | O_DIRECTORY), subfolder);
    std::set<std::string> names;
    for (bool end = false; !end;) {
        const DirScan::Window window = scan.next(by);
        EXPECT_EQ(window.error, 0);
        EXPECT_LE(window.found.size(), limits::kScanWindow);
        for (const Found& found : window.found) names.insert(found.name + (found.enter ? "/" : ""));
        end = window.end;
    }
    return names;
}

class Scan : public testing::Test {
  protected:
    Scan() {
        for (const char* name : {"a.pdf", "b.tmp", ".hidden", "done/old", "sub/c"}) {
            fs::create_directories(fs::path(dir / name).parent_path());
            std::ofstream(dir / name) << name;
        }
        fs::create_symlink("a.pdf", dir / "link");
        EXPECT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
    }
    test::TempDir dir;
    using Names = std::set<std::string>;
};

TEST_F(Scan, FindsFilesOnly) { EXPECT_EQ(scan(dir.path(), rules()), Names{"a.pdf"}); }

TEST_F(Scan, EntersFoldersButNotItsOwn) {
    ScanRules deep = rules();
    deep.enter_folders = true;
    deep.excluded = {"done"};
    EXPECT_EQ(scan(dir.path(), deep), (Names{"a.pdf", "sub/"}));
    deep.excluded = {"sub/done"};
    EXPECT_EQ(scan(dir.path(), deep), (Names{"a.pdf", "sub/", "done/"}));
}

TEST_F(Scan, FoldersCanBeTheItems) {
    ScanRules whole = rules();
    whole.folders_are_items = true;
    whole.excluded = {"done"};
    EXPECT_EQ(scan(dir.path(), whole), Names{"sub"});
    whole.excluded = {"sub/done"};
    EXPECT_EQ(scan(dir.path(), whole), Names{"done"}) << "sub holds what was put aside";
}

TEST_F(Scan, UnmatchedOnesOnlyWhenAskedFor) {
    ScanRules pdf = rules();
    pdf.names = NameRules({"*.txt"}, {".*", "*.tmp"}, {}, false);
    EXPECT_EQ(scan(dir.path(), pdf), Names{});
    pdf.unmatched_too = true;
    EXPECT_EQ(scan(dir.path(), pdf), Names{"a.pdf"});
}

TEST_F(Scan, SamplesWhatItFinds) {
    DirScan scan(*Fd::open(dir.path(), O_RDONLY | O_DIRECTORY), "");
    const DirScan::Window window = scan.next(rules());
    ASSERT_EQ(window.found.size(), 1u);
    EXPECT_EQ(window.found[0].sample.size, 5u);
    EXPECT_NE(window.found[0].sample.ino, 0u);
    EXPECT_TRUE(window.end);
}

TEST_F(Scan, ReadsALargeFolderWindowByWindow) {
    const std::size_t many = limits::kScanWindow * 2 + 17;
    fs::create_directory(dir / "many");
    for (std::size_t i = 0; i < many; ++i) {
        ::close(::open((dir / ("many/" + std::to_string(i))).c_str(), O_CREAT | O_WRONLY, 0600));
    }
    EXPECT_EQ(scan(dir / "many", rules()).size(), many);
}

TEST_F(Scan, AFolderRemovedMeanwhileHasEnded) {
    DirScan scan(*Fd::open(dir / "sub", O_RDONLY | O_DIRECTORY), "sub");
    fs::remove_all(dir / "sub");
    const DirScan::Window window = scan.next(rules());
    EXPECT_TRUE(window.end);
    EXPECT_EQ(window.error, 0);
    EXPECT_TRUE(window.found.empty());
}

}  // namespace
}  // namespace musher::hotfolder
