// The house rules that can be read off the text: who includes whom, how coroutines are written,
// how long things are, what they are called, and what may lie where.
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "tests/support/cpp_scan.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

using test::file_text;
using test::is_cpp;
using test::lines_of;

const std::vector<std::string>& files() {
    static const std::vector<std::string> kFiles = test::tree_files();
    return kFiles;
}
/// Joined for a failure's message: one finding a line.
std::string list(const std::vector<std::string>& found) {
    std::string text;
    for (const std::string& one : found) text += "\n  " + one;
    return text;
}
std::string at(const std::string& path, int line, const std::string& what) {
    return path + ":" + std::to_string(line) + ": " + what;
}

/// What a room may include beside itself. The first prefix that fits a file is its room.
struct Room {
    std::string_view prefix;
    std::vector<std::string_view> may;
};
const std::vector<Room>& rooms() {
    static const std::string_view kConfig = "pipelines/config/";
    static const std::string_view kExpr = "pipelines/expr/";
    static const std::string_view kQueue = "pipelines/queue/";
    static const std::string_view kRun = "pipelines/run/";
    static const std::string_view kSteps = "pipelines/steps/";
    static const std::vector<Room> kRooms = {
        {"reactor/base/", {}},
        {"reactor/task/", {"reactor/base/"}},
        {"reactor/loop/", {"reactor/base/", "reactor/task/"}},
        {"reactor/filters/", {"reactor/base/", "reactor/task/", "reactor/loop/"}},
        {"reactor/drivers/", {"reactor/base/", "reactor/task/", "reactor/loop/"}},
        {"reactor/tree/", {"reactor/base/", "reactor/task/", "reactor/loop/", "reactor/drivers/"}},
        {"reactor/component/",
         {"reactor/base/", "reactor/task/", "reactor/loop/", "reactor/filters/"}},
        {"sources/", {"reactor/"}},
        {"sinks/", {"reactor/"}},
        {kExpr, {"reactor/"}},
        // What http_get has in common with the sink http_post.
        {kSteps, {"reactor/", kExpr, "sinks/http_rules.h"}},
        {kConfig, {"reactor/", kExpr, kSteps, "sources/", "sinks/"}},
        {kQueue, {"reactor/", kConfig}},
        {kRun, {"reactor/", kConfig, kExpr, kQueue, kSteps, "sources/", "sinks/"}},
        {"pipelines/trial/",
         {"reactor/", kConfig, kExpr, kQueue, kRun, kSteps, "sources/", "sinks/"}},
        {"pipelines/verb/", {"reactor/"}},
        {"pipelines/packs/",
         {"reactor/", kConfig, kExpr, kQueue, kSteps, "pipelines/verb/", "sources/", "sinks/"}},
        {"pipelines/app/", {"reactor/", "sources/", "sinks/", "pipelines/"}},
        {"tests/", {"reactor/", "sources/", "sinks/", "pipelines/"}},
        {"bench/", {"reactor/", "sources/", "sinks/", "pipelines/", "tests/support/"}},
    };
    return kRooms;
}
/// A pack's room is its own folder: packs never include each other.
std::string home_of(const std::string& path, std::string_view prefix) {
    if (prefix != "pipelines/packs/") return std::string(prefix);
    return path.substr(0, path.find('/', prefix.size()) + 1);
}
bool may_include(const std::string& path, const std::string& included) {
    for (const Room& room : rooms()) {
        if (!path.starts_with(room.prefix)) continue;
        if (included.starts_with(home_of(path, room.prefix))) return true;
        for (const std::string_view allowed : room.may) {
            if (included.starts_with(allowed)) return true;
        }
        return false;
    }
    return false;
}

/// Where a library's headers may be included; a test may include those of what it tests.
struct Home {
    std::string_view header;
    std::string_view pattern;  // of paths
};
constexpr Home kHomes[] = {
    {"uv.h", "reactor/(loop|drivers)/.*"},
    {"postgresql/", "(reactor/drivers/postgres|bench/notify|bench/pgqueue).*"},
    {"hiredis/", "reactor/drivers/redis.*"},
    {"curl/", "reactor/drivers/curl.*"},
    {"mongoc", "reactor/drivers/mongo.*"},
    {"bson", "reactor/drivers/mongo.*"},
    {"lzma.h", "reactor/filters/xz\\.cpp"},
    {"zlib.h", "reactor/drivers/gunzip\\.cpp"},
    {"openssl/", "reactor/(filters|drivers)/.*"},
    {"nettle/", "reactor/base/digest\\.cpp"},
    {"yaml-cpp/", "pipelines/config/yaml\\.cpp"},
    {"lua", "pipelines/expr/lua_.*\\.cpp|tests/pipelines/lua_.*"},
    {"microhttpd", "pipelines/app/control_server\\.cpp"},
    {"CLI/", "pipelines/app/cli\\.cpp"},
    {"spdlog/", "reactor/base/log\\.cpp"},
    {"nlohmann/", "reactor/base/json\\.h|etc/cmake/standard\\.h"},
    {"systemd/", "pipelines/app/.*"},
    {"poppler", "pipelines/packs/prepress/.*"},
    {"qpdf/", "pipelines/packs/prepress/.*"},
    {"prometheus/", "pipelines/app/.*"},
    {"benchmark/", "bench/.*"},
    {"gtest/", "tests/.*"},
    {"gmock/", "tests/.*"},
};

std::vector<std::string> foreign_includes(const std::string& path, const std::string& text) {
    static const std::regex kInclude("\\s*#\\s*include\\s*([<\"])([^>\"]+)[>\"].*");
    std::vector<std::string> found;
    int line = 0;
    for (const std::string& one : lines_of(text)) {
        ++line;
        std::smatch match;
        if (one.find("#") == std::string::npos || !std::regex_match(one, match, kInclude)) continue;
        const std::string included = match[2];
        if (match[1] == "\"") {
            if (!may_include(path, included)) found.push_back(at(path, line, included));
            continue;
        }
        for (const Home& home : kHomes) {
            const std::regex where{std::string(home.pattern)};
            if (included.starts_with(home.header) && !std::regex_match(path, where)) {
                found.push_back(at(path, line, "<" + included + "> has another home"));
            }
        }
    }
    return found;
}

TEST(Tidy, NoticesAWrongInclude) {
    EXPECT_EQ(foreign_includes("reactor/base/a.h", "#include \"reactor/task/task.h\"\n").size(),
              1u);
    EXPECT_EQ(foreign_includes("sinks/a.cpp", "#include \"sources/look.h\"\n").size(), 1u);
    EXPECT_EQ(foreign_includes("sinks/a.cpp", "  #  include <uv.h>\n").size(), 1u);
    const std::string other = "#include \"pipelines/packs/shards/a.h\"\n";
    EXPECT_EQ(foreign_includes("pipelines/packs/presets/a.h", other).size(), 1u);
    EXPECT_EQ(foreign_includes("pipelines/packs/shards/b.h", other).size(), 0u);
    EXPECT_EQ(foreign_includes("pipelines/run/a.cpp", other).size(), 1u);
    EXPECT_EQ(foreign_includes("pipelines/app/a.cpp", other).size(), 0u);
}

TEST(Tidy, IncludesPointOneWay) {
    std::vector<std::string> found;
    for (const std::string& path : files()) {
        if (!is_cpp(path)) continue;
        for (std::string& one : foreign_includes(path, file_text(path))) {
            found.push_back(std::move(one));
        }
    }
    EXPECT_TRUE(found.empty()) << list(found);
}

std::vector<std::string> coroutine_faults(const std::string& path, const std::string& text) {
    std::vector<std::string> found;
    const test::CppScan scan = test::scan_cpp(text);
    for (const int line : scan.lambda_coroutines) {
        found.push_back(at(path, line, "a lambda is a coroutine"));
    }
    for (const test::Statement& one : scan.statements) {
        if (!one.awaits) continue;
        if (one.braces) found.push_back(at(path, one.line, "co_await beside a {…} value"));
        if (one.lambda) found.push_back(at(path, one.line, "co_await beside a lambda"));
        if (one.conditional) found.push_back(at(path, one.line, "co_await beside ?:"));
    }
    return found;
}

TEST(Tidy, NoticesAwaitsThatAreMiscompiled) {
    const auto faults = [](const std::string& body) {
        const std::string text = "namespace a {\nTask<void> f() {\n" + body + "\n}\n}\n";
        return coroutine_faults("a.cpp", text).size();
    };
    EXPECT_EQ(faults("co_await g(Request{1, name});"), 1u);
    EXPECT_EQ(faults("MUSHER_CO_TRY(auto x, co_await g({1, 2}));"), 1u);
    EXPECT_EQ(faults("auto x = late ? co_await g() : h();"), 1u);
    EXPECT_EQ(faults("co_await offload(loop,\n [&] { return 1; });"), 1u);
    EXPECT_EQ(faults("const auto g = [&]() -> Task<void> { co_return; };"), 1u);
    EXPECT_EQ(faults("auto g = [&] { for (;;) { if (x) co_await y; } };"), 1u);
    EXPECT_EQ(faults("auto g = [&] { return a ? R{1} : R{}; };\nco_await offload(loop, g);"), 0u);
    EXPECT_EQ(faults("R r{1};\nif (co_await g(r)) { b[i] = x ? y : z; } else { R{2}; }"), 0u);
    EXPECT_EQ(faults("// co_await {}\nconst char* s = R\"(co_await {)\"; auto& [a, b] = c;"), 0u);
}

TEST(Tidy, CoroutinesAvoidTheCompilersFaults) {
    std::vector<std::string> found;
    for (const std::string& path : files()) {
        if (!is_cpp(path)) continue;
        for (std::string& one : coroutine_faults(path, file_text(path))) {
            found.push_back(std::move(one));
        }
    }
    EXPECT_TRUE(found.empty()) << list(found);
}

constexpr std::size_t kHeaderLines = 150;
constexpr std::size_t kSourceLines = 400;
constexpr int kFunctionLines = 60;
constexpr std::size_t kColumns = 100;

std::size_t columns(const std::string& line) {
    return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

TEST(Tidy, MeasuresFunctions) {
    const test::CppScan scan = test::scan_cpp(
        "struct A final : B {\n  public:\n    A() : a_{1}, b_(2) {}\n"
        "    auto f(int x = 1) const noexcept -> int {\n        return 1;\n    }\n};\n"
        "static const T kT{\n  1,\n};\nTEST(X, Y) {\n  if (a) {\n  }\n}\n");
    ASSERT_EQ(scan.functions.size(), 3u);
    EXPECT_EQ(scan.functions[1].name, "f");
    EXPECT_EQ(scan.functions[1].lines, 3);
    EXPECT_EQ(scan.functions[2].lines, 4);
    EXPECT_EQ(scan.types, std::vector<std::string>{"A"});
}

TEST(Tidy, NothingIsTooLong) {
    std::vector<std::string> found;
    for (const std::string& path : files()) {
        if (!is_cpp(path)) continue;
        const std::string text = file_text(path);
        const std::vector<std::string> lines = lines_of(text);
        if (lines.size() > (path.ends_with(".h") ? kHeaderLines : kSourceLines)) {
            found.push_back(path + " has " + std::to_string(lines.size()) + " lines");
        }
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (columns(lines[i]) > kColumns) {
                found.push_back(at(path, static_cast<int>(i) + 1, "over 100 columns"));
            }
        }
        for (const test::Function& one : test::scan_cpp(text).functions) {
            if (one.lines <= kFunctionLines) continue;
            found.push_back(
                at(path, one.line, one.name + " has " + std::to_string(one.lines) + " lines"));
        }
    }
    EXPECT_TRUE(found.empty()) << list(found);
}

TEST(Tidy, NamesSayWhatThingsAre) {
    const std::regex vague("manager|helper|util|processor|handler", std::regex::icase);
    const std::regex snake("([a-z0-9_]+/)*[a-z0-9_]+\\.(h|cpp)");
    const std::regex pascal("[A-Z][A-Za-z0-9]*");
    std::vector<std::string> found;
    for (const std::string& path : files()) {
        if (!is_cpp(path)) continue;
        if (std::regex_search(path, vague)) found.push_back(path);
        if (!std::regex_match(path, snake)) found.push_back(path + " is not snake_case");
        for (const std::string& type : test::scan_cpp(file_text(path)).types) {
            if (std::regex_search(type, vague)) found.push_back(path + ": " + type);
        }
    }
    EXPECT_TRUE(found.empty()) << list(found);
}

/// Put together at run time, so that this file does not hold it.
std::string whole(std::string_view halves) {
    std::string word(halves);
    std::erase(word, '~');
    return word;
}
/// Lines of the files in `folder` that hold one of `words` and, where it is given, fit `pattern`,
/// which is too slow to be tried on every line.
std::vector<std::string> lines_with(const std::vector<std::string>& words, std::string_view folder,
                                    const std::string& pattern = "") {
    const std::regex unwanted(pattern);
    const auto holds = [&](const std::string& text) {
        return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
            return text.find(whole(word)) != std::string::npos;
        });
    };
    std::vector<std::string> found;
    for (const std::string& path : files()) {
        if (!path.starts_with(folder)) continue;
        const std::string text = file_text(path);
        if (text.find('\0') != std::string::npos || !holds(text)) continue;
        int number = 0;
        for (const std::string& line : lines_of(text)) {
            ++number;
            if (!holds(line) || !std::regex_search(line, unwanted)) continue;
            found.push_back(at(path, number, line));
        }
    }
    return found;
}

TEST(Tidy, NothingIsLeftForLater) {
    const auto found =
        lines_with({"TO~DO", "FIX~ME", "XX~X"}, "", whole("\\b(TO~DO|FIX~ME|XX~X)\\b"));
    EXPECT_TRUE(found.empty()) << list(found);
}

TEST(Tidy, NoPackageRegistryIsNamed) {
    const auto found =
        lines_with({"registry.np~mjs", "registry.ya~rnpkg", "py~pi.org", "pythonho~sted.org",
                    "static.cra~tes.io", "index.cra~tes.io", "proxy.go~lang.org", "rubyge~ms.org",
                    "docker~.io", "gh~cr.io", "qu~ay.io", "deb.deb~ian.org", "snapshot.deb~ian.org",
                    "arti~factory", "index-u~rl"},
                   "");
    EXPECT_TRUE(found.empty()) << list(found);
}

/// A campaign strikes at a random moment: that pause is its input and waits for nothing.
const std::string kSleeps = whole(
    "sl~eep_for\\(|sl~eep_until\\(|\\busl~eep\\(|\\bnanosl~eep\\(|::sl~eep\\(|"
    "time\\.sl~eep\\((?!.*random)|^\\s*sl~eep [0-9.]");

TEST(Tidy, NoticesAWaitForTimeToPass) {
    for (const char* wait : {"std::this_thread::sl~eep_for(", "  time.sl~eep(1)", "  sl~eep 0.1",
                             "::sl~eep(1);", "usl~eep(5)", "nanosl~eep(", "sl~eep_until("}) {
        EXPECT_TRUE(std::regex_search(whole(wait), std::regex(kSleeps))) << wait;
    }
    for (const char* none : {"time.sl~eep(random.random())", "sl~eeping 1", "exec: [ sl~eep 9 ]"}) {
        EXPECT_FALSE(std::regex_search(whole(none), std::regex(kSleeps))) << none;
    }
}

/// A wait for time to pass: in tests, only what waits for an event or for its Cancel is allowed.
TEST(Tidy, TestsDoNotSleep) {
    const auto found = lines_with({"sl~eep"}, "tests/", kSleeps);
    EXPECT_TRUE(found.empty()) << list(found);
    const std::string timed = whole("timers\\(\\)\\.sl~eep\\((?!std::chrono::hours)");
    std::vector<std::string> waits;
    for (const std::string& one : lines_with({"sl~eep"}, "tests/", timed)) {
        const bool clock = one.starts_with("tests/reactor/loop_test.cpp") ||
                           one.starts_with("tests/support/eventually.h");
        if (!clock) waits.push_back(one);
    }
    EXPECT_TRUE(waits.empty()) << list(waits);
}

TEST(Tidy, TheTopLevelIsClosed) {
    const std::set<std::string> known = {"CMakeLists.txt", "reactor",   "sources",
                                         "sinks",          "pipelines", "tests",
                                         "bench",          "etc",       "README.md"};
    for (const auto& entry : std::filesystem::directory_iterator(".")) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(".") || (name.starts_with("build") && entry.is_directory())) continue;
        EXPECT_TRUE(known.contains(name)) << name << " does not belong at the top level";
    }
}

TEST(Tidy, EveryFileIsBuiltOnce) {
    static const std::regex kSource("[A-Za-z0-9_/.]+\\.cpp");
    std::set<std::string> named;
    for (const std::string folder : {"", "tests/"}) {
        const std::string text = file_text(folder + "CMakeLists.txt");
        for (std::sregex_iterator one(text.begin(), text.end(), kSource), end; one != end; ++one) {
            named.insert(folder + one->str());
        }
    }
    for (const std::string& path : files()) {
        if (!path.ends_with(".cpp") || path.starts_with("bench/")) continue;
        EXPECT_TRUE(named.contains(path)) << path << " is in no list of CMake";
    }
    std::set<std::string> listed;
    for (const std::string& line : lines_of(file_text("CMakeLists.txt"))) {
        if (!line.ends_with(".cpp") || line.starts_with("set_")) continue;
        EXPECT_TRUE(listed.insert(line).second) << line << " is listed twice";
    }
}

TEST(Tidy, HeadersAreIncludedOnce) {
    for (const std::string& path : files()) {
        if (!path.ends_with(".h") || path.starts_with("etc/")) continue;
        EXPECT_NE(file_text(path).find("\n#pragma once\n"), std::string::npos) << path;
    }
}

}  // namespace
}  // namespace musher
