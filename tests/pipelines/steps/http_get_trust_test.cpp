// http_get between servers: who is told which secret, and who is shown it.
#include <gtest/gtest.h>

#include "tests/pipelines/steps/http_get_bench.h"
#include "tests/support/http_server.h"
#include "tests/support/run_loop.h"

namespace musher {
namespace {

using test::bench_of;
using test::fields_of;
using test::HttpServer;
using test::StepBench;

Task<void> elsewhere(Loop& loop, HttpServer& first, HttpServer& other) {
    StepBench bench = bench_of(loop);
    const std::string headers = "\", headers: { X-Token: s3cret-1 } }";
    Json near = co_await fields_of(bench, "{ url: \"" + first.url("/redirect") + headers);
    EXPECT_EQ(near["status"], 200) << near;
    Json far = co_await fields_of(
        bench, "{ url: \"" + first.url("/redirect?to=" + other.url("/200")) + headers);
    EXPECT_EQ(far["status"], 200) << far;
    EXPECT_EQ(first.requests()[1]["headers"]["x-token"], "s3cret-1");
    EXPECT_FALSE(other.requests()[0]["headers"].contains("x-token")) << "another server's business";
    EXPECT_FALSE(other.requests()[0]["headers"].contains("accept-encoding"));
    const Error file =
        co_await bench.error("url: \"" + first.url("/redirect?to=file:///etc/passwd") + "\"");
    EXPECT_EQ(info(file.code).name, "usage") << file.text();
    const Error echoed =
        co_await bench.error("{ url: \"" + first.url("/400?say=s3cret-1") + headers);
    EXPECT_EQ(echoed.text(), "GET " + first.url("/400") + " answered 400");
    const Error query =
        co_await bench.error("url: \"" + first.url("/400?say=no%20key%20hunter22") + "\"");
    EXPECT_EQ(query.text(), "GET " + first.url("/400") + " answered 400");
    const std::string bearer = "\", headers: { Authorization: \"Bearer s3cret-2\" } }";
    const Error word = co_await bench.error("{ url: \"" + first.url("/who") + bearer);
    EXPECT_EQ(word.text(), "GET " + first.url("/who") + " answered 400");
    const Error banner = co_await bench.error("url: \"" + first.url("/banner") + "\"");
    EXPECT_EQ(info(banner.code).name, "unavailable") << banner.text();
    co_await bench.close();
}
TEST(HttpGet, TellsOtherServersNoSecrets) {
    HttpServer first;
    HttpServer other;
    test::on_loop(elsewhere, first, other);
}

Task<void> secret_urls(Loop& loop, HttpServer& server) {
    StepBench bench = bench_of(loop);
    bench.env["HOOK"] = "services/T000/B000/s3cret-3";
    const std::string hidden = "GET http://127.0.0.1:" + std::to_string(server.port()) + "/…";
    const std::string url = "url: \"" + server.url("/404?say=no") + "&h=${env.HOOK}\"";
    const Error query = co_await bench.error(url);
    EXPECT_EQ(query.text(), hidden + " answered 404: no");
    const std::string file = bench.dir / "hook";
    std::ofstream(file) << server.url("/404/s3cret-3");
    const Error reset = co_await bench.error("url: !file " + file);
    EXPECT_TRUE(reset.text().starts_with(hidden + ": ")) << reset.text();
    EXPECT_EQ(reset.text().find("s3cret-3"), std::string::npos) << reset.text();
    std::ofstream(file) << server.url("/redirect?to=file:///s3cret-3");
    const Error moved = co_await bench.error("url: !file " + file);
    EXPECT_EQ(moved.text().find("s3cret-3"), std::string::npos) << moved.text();
    const Error open = co_await bench.error("url: \"" + server.url("/404") + "\"");
    EXPECT_TRUE(open.text().starts_with("GET " + server.url("/404") + " answered")) << open.text();
    co_await bench.close();
}
TEST(HttpGet, ShowsNoPathThatCameFromASecret) {
    HttpServer server;
    test::on_loop(secret_urls, server);
}

Task<void> same_origin(Loop& loop, HttpServer& server, HttpServer& other) {
    StepBench bench = bench_of(loop);
    const std::string signed_in = "http://bob:pass%20word@" + server.url("").substr(7);
    Json near = co_await fields_of(
        bench, "url: \"" + signed_in + "/redirect?to=" + server.url("/200") + "\"");
    EXPECT_EQ(near["status"], 200);
    const std::vector<Json> seen = server.requests();
    EXPECT_EQ(seen[1]["headers"]["authorization"], seen[0]["headers"]["authorization"]);
    EXPECT_TRUE(seen[1]["headers"]["authorization"].is_string());
    Json far = co_await fields_of(
        bench, "url: \"" + signed_in + "/redirect?to=" + other.url("/200") + "\"");
    EXPECT_EQ(far["status"], 200);
    EXPECT_FALSE(other.requests()[0]["headers"].contains("authorization"));
    for (const std::string into : {"body", "response"}) {
        Json small = co_await fields_of(bench, "{ url: \"" + server.url("/redirect?page=5000") +
                                                   "\", max_size: 20, into: " + into + " }");
        EXPECT_EQ(small["bytes"], 10) << "only the last answer's length counts";
    }
    co_await bench.close();
}
TEST(HttpGet, SignsInAgainWhereARedirectStays) {
    HttpServer server;
    HttpServer other;
    test::on_loop(same_origin, server, other);
}

Task<void> downgraded(Loop& loop, HttpServer& secure, HttpServer& plain) {
    StepBench bench = bench_of(loop);
    const std::string trust = "\", ca_file: " + secure.certificate() + " }";
    Json same = co_await fields_of(bench, "{ url: \"" + secure.url("/redirect") + trust);
    EXPECT_EQ(same["status"], 200) << same;
    const Error open =
        co_await bench.error("{ url: \"" + secure.url("/redirect?to=" + plain.url("/200")) + trust);
    EXPECT_EQ(open.text(), "GET " + secure.url("/redirect") + " redirects to " + plain.url("/200"));
    EXPECT_TRUE(plain.requests().empty());
    const Error untrusted = co_await bench.error("url: \"" + secure.url("/200") + "\"");
    EXPECT_EQ(info(untrusted.code).name, "denied");
    co_await bench.close();
}
TEST(HttpGet, StaysWithTls) {
    HttpServer secure(HttpServer::Listen::tls);
    HttpServer plain;
    test::on_loop(downgraded, secure, plain);
}

}  // namespace
}  // namespace musher
