// http_get against real servers: whole bodies, bounds, redirects, and what each answer means.
#include <gtest/gtest.h>

#include "reactor/base/digest.h"
#include "tests/pipelines/steps/http_get_bench.h"
#include "tests/support/eventually.h"
#include "tests/support/http_server.h"
#include "tests/support/nginx_server.h"
#include "tests/support/run_loop.h"
#include "tests/support/sanitized.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using test::bench_of;
using test::fields_of;
using test::HttpServer;
using test::NginxServer;
using test::StepBench;

constexpr std::uint64_t kLarge = 200u << 20;

/// Not a byte is written but for three words: a file system without holes is none of today's.
void write_large(const std::string& path) {
    std::ofstream file(path, std::ios::binary);
    for (const std::uint64_t at : {std::uint64_t{0}, kLarge / 2 + 1, kLarge - 5}) {
        file.seekp(static_cast<std::streamoff>(at));
        file << "words";
    }
}
std::string sha256_of(const std::string& path) {
    Digest digest(DigestKind::sha256);
    std::ifstream file(path, std::ios::binary);
    std::string slice(1 << 20, '\0');
    while (file.read(slice.data(), 1 << 20) || file.gcount() > 0) {
        digest.update(as_bytes(slice).first(static_cast<std::size_t>(file.gcount())));
    }
    return digest.hex();
}
/// Most memory that this process ever had, in bytes, since forget_peak().
std::uint64_t peak_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) << 10;
    }
    return 0;
}
void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

std::vector<fs::path> scratch_files(const StepBench& bench) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(bench.dir / "scratch")) {
        files.push_back(entry.path());
    }
    return files;
}

Task<void> large(Loop& loop, NginxServer& server) {
    write_large(server.files() + "/large");
    StepBench bench = bench_of(loop);
    forget_peak();
    const std::uint64_t before = peak_memory();
    Json got = co_await fields_of(bench, "url: \"" + server.url("/large") + "\"");
    const std::uint64_t grown = peak_memory() - before;
    EXPECT_EQ(got["status"], 200) << got;
    EXPECT_EQ(got["bytes"], kLarge);
    EXPECT_EQ(got["headers"]["content-length"], std::to_string(kLarge));
    EXPECT_EQ(got["sha256"], sha256_of(server.files() + "/large"));
    EXPECT_EQ(got["sha256"], bench.body.sha256);
    EXPECT_EQ(bench.body.size, kLarge);
    EXPECT_EQ(sha256_of(bench.body.path), bench.body.sha256);
    EXPECT_EQ(scratch_files(bench).size(), 1u);
    ::testing::Test::RecordProperty("grown_kib", std::to_string(grown >> 10));
    // AddressSanitizer keeps 256 MiB of what was freed.
    const std::uint64_t most = test::kSanitized ? 512 << 20 : 24 << 20;
    EXPECT_LT(grown, most) << "of a body of 200 MiB";
    co_await bench.close();
}
TEST(HttpGet, ReadsALargeBodyInBoundedMemory) {
    NginxServer server("");
    test::on_loop(large, server);
}

Task<void> into(StepBench& bench, std::string yaml, Result<StepResult>& result) {
    result = co_await bench.run(std::move(yaml));
}
/// Runs `yaml`, and `when_begun` as soon as the first bytes lie in the scratch folder.
Task<Result<StepResult>> interrupted(Loop& loop, StepBench& bench, std::string yaml,
                                     std::function<void()> when_begun) {
    Result<StepResult> result;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("get", into(bench, std::move(yaml), result));
    auto begun = [&] {
        const std::vector<fs::path> files = scratch_files(bench);
        return !files.empty() && fs::file_size(files[0]) > 0;
    };
    co_await test::eventually(loop, begun);
    when_begun();
    co_await scope.join();
    co_return result;
}
Task<void> killed(Loop& loop, NginxServer& server) {
    write_large(server.files() + "/large");
    StepBench bench = bench_of(loop);
    bench.write_body("before");
    const std::string slow = "url: \"" + server.url("/slow") + "\"";
    const std::function<void()> kill = [&] { server.kill(); };
    const Result<StepResult> broken = co_await interrupted(loop, bench, slow, kill);
    EXPECT_FALSE(broken.has_value());
    EXPECT_EQ(info(broken.error().code).name, "unavailable") << broken.error().text();
    EXPECT_TRUE(scratch_files(bench).empty()) << "a part is no body";
    EXPECT_EQ(bench.body.path, bench.dir / "body");
    const Error away = co_await bench.error(slow);
    EXPECT_EQ(info(away.code).name, "unavailable");
    server.start();
    Json whole = co_await fields_of(bench, "url: \"" + server.url("/large") + "\"");
    EXPECT_EQ(whole["bytes"], kLarge) << whole;
    co_await bench.close();
}
TEST(HttpGet, NeverTakesAPartForTheWholeWhenTheServerIsKilled) {
    NginxServer server("location = /slow { limit_rate 1m; rewrite ^ /large break; }");
    test::on_loop(killed, server);
}

Task<void> stopped(Loop& loop, NginxServer& server) {
    write_large(server.files() + "/large");
    StepBench bench = bench_of(loop);
    const std::string slow = "url: \"" + server.url("/slow") + "\"\n";
    const Error late = co_await bench.error(slow + "timeout: 100ms");
    EXPECT_EQ(late.text(), "not finished within 100ms");
    EXPECT_EQ(info(late.code).name, "timeout");
    const std::function<void()> cancel = [&] { bench.cancel.request(); };
    const Result<StepResult> ended = co_await interrupted(loop, bench, slow, cancel);
    EXPECT_EQ(info(ended.error().code).name, "cancelled");
    EXPECT_TRUE(scratch_files(bench).empty());
    co_await bench.close();
}
TEST(HttpGet, EndsByCancelAndTimeout) {
    NginxServer server("location = /slow { limit_rate 1m; rewrite ^ /large break; }");
    test::on_loop(stopped, server);
}

Task<void> cut(Loop& loop, HttpServer& server) {
    StepBench bench = bench_of(loop);
    for (const std::string path : {"/cut", "/cut_chunks", "/reset"}) {
        for (const std::string into : {"body", "response"}) {
            const Error error =
                co_await bench.error("{ url: \"" + server.url(path) + "\", into: " + into + " }");
            EXPECT_EQ(info(error.code).name, "unavailable") << path << ' ' << error.text();
        }
    }
    const std::string unsized = "url: \"" + server.url("/events") + "\"\n";
    const Error endless = co_await bench.error(unsized);
    EXPECT_EQ(endless.text(),
              "GET " + server.url("/events") + ": the answer does not say where it ends");
    EXPECT_TRUE(scratch_files(bench).empty());
    Json taken = co_await fields_of(bench, unsized + "unsized: true");
    EXPECT_EQ(taken["bytes"], 27);
    const Error part = co_await bench.error("url: \"" + server.url("/206") + "\"");
    EXPECT_EQ(part.text(),
              "GET " + server.url("/206") + " answered 206: a part that nobody asked for");
    Json asked = co_await fields_of(
        bench, "{ url: \"" + server.url("/206") + "\", headers: { range: bytes=0-9 } }");
    EXPECT_EQ(asked["status"], 206);
    co_await bench.close();
}
TEST(HttpGet, RefusesWhatWasCutOff) {
    HttpServer server;
    test::on_loop(cut, server);
}

Task<void> bounds(Loop& loop, NginxServer& server) {
    std::ofstream(server.files() + "/text") << std::string(3 << 20, 'x');
    StepBench bench = bench_of(loop);
    const std::string text = "url: \"" + server.url("/text") + "\"\n";
    const Error large = co_await bench.error(text + "max_size: 3145727");
    EXPECT_EQ(large.text(), "GET " + server.url("/text") + ": more than 3145727B");
    EXPECT_EQ(large.hint, "raise `max_size` if that is meant");
    EXPECT_EQ(info(large.code).name, "usage");
    EXPECT_TRUE(scratch_files(bench).empty());
    Json fits = co_await fields_of(bench, text + "max_size: 3145728");
    EXPECT_EQ(fits["bytes"], 3 << 20);
    const Error bomb = co_await bench.error("url: \"" + server.url("/gzip/text") +
                                            "\"\ncompressed: true\nmax_size: 1MiB");
    EXPECT_EQ(bomb.text(), "GET " + server.url("/gzip/text") + ": more than 1MiB");
    const Error fields = co_await bench.error(text + "into: response");
    EXPECT_EQ(fields.text(), "GET " + server.url("/text") + ": more than 1MiB");
    EXPECT_EQ(fields.hint, "into: body takes more");
    co_await bench.close();
}
const char* const kGzip =
    "location /gzip/ { rewrite ^/gzip/(.*) /$1 break; gzip on; gzip_types *; gzip_min_length 1; }\n"
    "location = /list { default_type application/json; return 200 '[1, {\"a\": \"ö\"}]'; }\n"
    "location = /broken { default_type application/vnd.api+json; return 200 '{\"a\":'; }\n"
    "location = /unnamed { default_type text/plain; return 200 '{\"a\": 1}'; }\n"
    "location = /number { default_type text/plain; return 200 '12'; }\n"
    "location = /busy { add_header Retry-After 7 always; return 503; }\n"
    "location = /moved { return 301 /text; }\n"
    "location = /circle { return 302 /circle; }\n";
TEST(HttpGet, RefusesWhatIsLongerThanAllowed) {
    NginxServer server(kGzip);
    test::on_loop(bounds, server);
}

Task<void> gzip(Loop& loop, NginxServer& server) {
    const std::string text(100'000, 'x');
    std::ofstream(server.files() + "/text") << text;
    StepBench bench = bench_of(loop);
    const std::string url = "url: \"" + server.url("/gzip/text") + "\"\n";
    Json plain = co_await fields_of(bench, url);
    EXPECT_EQ(plain["bytes"], text.size());
    EXPECT_FALSE(plain["headers"].contains("content-encoding")) << "gzip only when asked for";
    Json unpacked = co_await fields_of(bench, url + "compressed: true");
    EXPECT_EQ(unpacked["headers"]["content-encoding"], "gzip");
    EXPECT_EQ(unpacked["bytes"], text.size());
    EXPECT_EQ(unpacked["sha256"], plain["sha256"]);
    Json packed = co_await fields_of(bench, url + "headers: { Accept-Encoding: gzip }");
    EXPECT_LT(packed["bytes"], 1000) << "asked for by hand, it stays as it is";
    EXPECT_TRUE(read_small_file(bench.body.path, 1000).value().starts_with("\x1f\x8b"));
    co_await bench.close();
}
TEST(HttpGet, AsksForGzipOnlyWhenTold) {
    NginxServer server(kGzip);
    test::on_loop(gzip, server);
}

Task<void> unsound(Loop& loop, HttpServer& server) {
    StepBench bench = bench_of(loop);
    const auto at = [&](const std::string& query, const std::string& into) {
        return "{ url: \"" + server.url("/gzip" + query) + "\", compressed: true, into: " + into +
               " }";
    };
    const std::string named = "GET " + server.url("/gzip") + ": ";
    for (const std::string into : {"body", "response"}) {
        for (const std::string early : {"?keep=20", "?keep=0", "?twice=1&keep=40"}) {
            const Error error = co_await bench.error(at(early, into));
            EXPECT_EQ(error.text(), named + "the answer ends in the middle of its gzip stream")
                << early << into;
            EXPECT_TRUE(info(error.code).retryable);
            EXPECT_TRUE(info(error.code).fault == Fault::item);
        }
        const Error damaged = co_await bench.error(at("?damage=1", into));
        EXPECT_EQ(damaged.text(), named + "the answer's gzip stream is damaged") << into;
        const Error other = co_await bench.error(at("?as=br", into));
        EXPECT_EQ(other.text(),
                  named + "the answer's encoding is not gzip, and nobody asked for it");
        Json twice = co_await fields_of(bench, at("?twice=1", into));
        EXPECT_EQ(twice["bytes"], 200) << "two streams are one text";
        Json none = co_await fields_of(bench, at("?status=204&keep=0", into));
        EXPECT_EQ(none["status"], 204);
    }
    Json plain = co_await fields_of(bench, at("?as=identity", "body"));
    EXPECT_LT(plain["bytes"], 100) << "sent as it is";
    EXPECT_EQ(server.requests()[0]["headers"]["accept-encoding"], "gzip");
    const Error refused = co_await bench.error(at("?status=404&keep=20", "body"));
    EXPECT_TRUE(refused.text().starts_with("GET " + server.url("/gzip") + " answered 404"));
    co_await bench.close();
}
TEST(HttpGet, NeverTakesAGzipStreamThatEndsEarlyForTheWhole) {
    HttpServer server;
    test::on_loop(unsound, server);
}

constexpr std::uint64_t kUnpacked = 64u << 20;
/// 64 MiB that are 64 KiB on the wire: the bounds are of what is unpacked.
Task<void> unpacks_large(Loop& loop, HttpServer& server) {
    StepBench bench = bench_of(loop);
    const std::string url = "url: \"" + server.url("/gzip?bytes=" + std::to_string(kUnpacked)) +
                            "\"\ncompressed: true\n";
    forget_peak();
    const std::uint64_t before = peak_memory();
    Json got = co_await fields_of(bench, url);
    const std::uint64_t grown = peak_memory() - before;
    EXPECT_EQ(got["bytes"], kUnpacked);
    EXPECT_LT(grown, std::uint64_t{24 << 20} * test::kShadow) << "of a body of 64 MiB";
    Json fits = co_await fields_of(bench, url + "max_size: " + std::to_string(kUnpacked));
    EXPECT_EQ(fits["bytes"], kUnpacked);
    const Error bomb = co_await bench.error(url + "max_size: " + std::to_string(kUnpacked - 1));
    EXPECT_EQ(info(bomb.code).name, "usage") << bomb.text();
    co_await bench.close();
}
TEST(HttpGet, UnpacksALargeBodyInBoundedMemory) {
    HttpServer server;
    test::on_loop(unpacks_large, server);
}

Task<void> fields(Loop& loop, NginxServer& server) {
    std::ofstream(server.files() + "/bytes") << "\xff\xfe";
    StepBench bench = bench_of(loop);
    bench.write_body("before");
    const auto at = [&](const std::string& path) {
        return "{ url: \"" + server.url(path) + "\", into: response }";
    };
    Json list = co_await fields_of(bench, at("/list"));
    EXPECT_EQ(list["response"][1]["a"], "ö");
    EXPECT_EQ(list["headers"]["content-type"], "application/json");
    EXPECT_FALSE(list.contains("sha256"));
    Json unnamed = co_await fields_of(bench, at("/unnamed"));
    EXPECT_EQ(unnamed["response"]["a"], 1);
    Json number = co_await fields_of(bench, at("/number"));
    EXPECT_EQ(number["response"], "12") << "text, as it was called";
    const Error broken = co_await bench.error(at("/broken"));
    EXPECT_EQ(info(broken.code).name, "corrupt");
    EXPECT_TRUE(broken.text().starts_with("GET " + server.url("/broken"))) << broken.text();
    const Error bytes = co_await bench.error(at("/bytes"));
    EXPECT_EQ(bytes.text(), "GET " + server.url("/bytes") + " is neither JSON nor text");
    EXPECT_EQ(bench.body.path, bench.dir / "body") << "the body is left alone";
    co_await bench.close();
}
TEST(HttpGet, GivesTheAnswerAsAField) {
    NginxServer server(kGzip);
    test::on_loop(fields, server);
}

Task<void> answers(Loop& loop, NginxServer& server) {
    StepBench bench = bench_of(loop);
    const auto at = [&](const std::string& path) { return "url: \"" + server.url(path) + "\"\n"; };
    const Error missing = co_await bench.error(at("/no?token=s3cret"));
    EXPECT_EQ(info(missing.code).name, "usage");
    EXPECT_TRUE(missing.text().starts_with("GET " + server.url("/no") + " answered 404"));
    EXPECT_EQ(missing.text().find("s3cret"), std::string::npos);
    const Error later = co_await bench.error(at("/no") + "retry_on: [404]");
    EXPECT_TRUE(info(later.code).retryable);
    const Error busy = co_await bench.error(at("/busy"));
    EXPECT_EQ(info(busy.code).name, "unavailable");
    EXPECT_EQ(busy.retry_after, std::chrono::seconds(7));
    server.kill();
    const Error refused = co_await bench.error(at("/no"));
    EXPECT_EQ(info(refused.code).name, "unavailable");
    co_await bench.close();
}
TEST(HttpGet, SaysWhoIsAtFaultAndWhenToTryAgain) {
    NginxServer server(kGzip);
    test::on_loop(answers, server);
}

Task<void> circles(Loop& loop, NginxServer& server) {
    std::ofstream(server.files() + "/text") << "text";
    StepBench bench = bench_of(loop);
    Json moved = co_await fields_of(bench, "url: \"" + server.url("/moved") + "\"");
    EXPECT_EQ(moved["bytes"], 4) << moved;
    const Error stays =
        co_await bench.error("{ url: \"" + server.url("/moved") + "\", redirects: 0 }");
    EXPECT_EQ(info(stays.code).name, "usage");
    EXPECT_EQ(stays.hint, "redirects are not followed; use the final URL");
    const Error circle = co_await bench.error("url: \"" + server.url("/circle") + "\"");
    EXPECT_EQ(circle.text(), "GET " + server.url("/circle") + ": more than 5 redirects");
    EXPECT_TRUE(scratch_files(bench).size() == 1);
    co_await bench.close();
}
TEST(HttpGet, FollowsRedirectsToAnEnd) {
    NginxServer server(kGzip);
    test::on_loop(circles, server);
}

}  // namespace
}  // namespace musher
