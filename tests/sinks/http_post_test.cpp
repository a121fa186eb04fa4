// http_post against a real server: payloads, headers, and what each answer means for the job.
#include "sinks/http_post.h"

#include <gtest/gtest.h>

#include "tests/support/http_server.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"

namespace musher {
namespace {

using test::HttpServer;
using test::StepBench;

Task<void> payloads(Loop& loop, HttpServer& server) {
    StepBench bench(loop, http_post_spec(), make_http_post());
    bench.write_body("abc");
    bench.body.sha256 = "beef";
    bench.env["TOKEN"] = "s3cret";
    const std::string url = "url: \"" + server.url("/echo") + "\"\n";
    const Json json = co_await bench.receipt(
        url + "json: { name: \"${event.name}\", size: \"${event.size}\", deep: [ { x: 1 } ] }");
    EXPECT_EQ(json["target"], server.url("/echo"));
    EXPECT_EQ(json["status"], 200);
    const Json sent{{"name", "a b.txt"}, {"size", 3}, {"deep", Json::array({Json{{"x", 1}}})}};
    EXPECT_EQ(json["response"], sent);
    EXPECT_EQ(json["bytes"], to_line(sent).size());
    const Json form =
        co_await bench.receipt(url + "form: { to: \"+43 1\", text: \"${event.name}&x\" }");
    EXPECT_EQ(form["response"], "text=a%20b.txt%26x&to=%2B43%201");
    const Json body = co_await bench.receipt(
        "url: \"http://user:s3cret@" + server.url("/200?key=s3cret").substr(7) +
        "\"\nbody: true\nheaders: { Authorization: \"Bearer ${env.TOKEN}\", "
        "content-type: text/csv }");
    EXPECT_EQ(body["target"], server.url("/200"));
    EXPECT_EQ(body["bytes"], 3);
    EXPECT_EQ(body["sha256"], "beef");

    std::filesystem::rename(bench.body.path, bench.dir / "secret");
    std::filesystem::create_symlink(bench.dir / "secret", bench.body.path);
    const Json link = co_await bench.receipt(url + "body: true");
    EXPECT_EQ(link, bench.body.path + " is a link");

    const std::vector<Json> seen = server.requests();
    EXPECT_EQ(seen.size(), 3u);
    EXPECT_EQ(seen[0]["headers"]["content-type"], "application/json");
    EXPECT_EQ(seen[0]["headers"]["idempotency-key"], "0190-job/step");
    EXPECT_EQ(seen[1]["headers"]["content-type"], "application/x-www-form-urlencoded");
    EXPECT_EQ(seen[2]["headers"]["content-type"], "text/csv");
    EXPECT_EQ(seen[2]["headers"]["authorization"], "Bearer s3cret");
    EXPECT_EQ(seen[2]["body"], "abc");
    co_await bench.close();
}
TEST(HttpPost, SendsJsonFormsAndTheBody) {
    HttpServer server;
    test::on_loop(payloads, server);
}

Task<void> broken_off(Loop& loop, HttpServer& server) {
    StepBench bench(loop, http_post_spec(), make_http_post());
    for (const char* path : {"/cut", "/cut_chunks"}) {
        const Json receipt =
            co_await bench.receipt("{ url: \"" + server.url(path) + "\", json: { x: 1 } }");
        EXPECT_EQ(receipt["status"], 200) << receipt;
        EXPECT_EQ(receipt["response"], nullptr) << receipt;
    }
    for (const char* path : {"/cut?status=500", "/cut?head=1"}) {
        const Error error =
            co_await bench.error("{ url: \"" + server.url(path) + "\", json: { x: 1 } }");
        EXPECT_EQ(error.code, Errc::unavailable) << path << error.text();
    }
    co_await bench.close();
}
TEST(HttpPost, TakesAnAnswerUnder300WhoseBodyBreaksOffForOne) {
    HttpServer server;
    test::on_loop(broken_off, server);
}

Task<void> proxied(Loop& loop, HttpServer& proxy) {
    StepBench bench(loop, http_post_spec(), make_http_post());
    ::setenv("https_proxy", proxy.url("").c_str(), 1);
    const Error error = co_await bench.error("{ url: \"https://nowhere.example/\", body: false }");
    ::unsetenv("https_proxy");
    EXPECT_EQ(error.code, Errc::unavailable) << error.text();
    co_await bench.close();
}
TEST(HttpPost, TakesNoAnswerOfAProxyForTheServers) {
    HttpServer proxy;
    test::on_loop(proxied, proxy);
}

struct Case {
    const char* path;
    const char* options;
    Errc code;
    bool retryable;
    Fault fault;
};
constexpr Case kCases[] = {
    {"/400", "", Errc::usage, false, Fault::item},
    {"/404", "", Errc::usage, false, Fault::item},
    {"/422", "", Errc::usage, false, Fault::item},
    {"/302", "", Errc::usage, false, Fault::item},
    {"/401", "", Errc::denied, true, Fault::sink},
    {"/403", "", Errc::denied, true, Fault::sink},
    {"/408", "", Errc::timeout, true, Fault::item},
    {"/429", "", Errc::unavailable, true, Fault::sink},
    {"/500", "", Errc::failed, true, Fault::item},
    {"/502", "", Errc::unavailable, true, Fault::sink},
    {"/503", "", Errc::unavailable, true, Fault::sink},
    {"/500", "retry_on: [503]", Errc::usage, false, Fault::item},
    {"/404", "retry_on: [4xx]", Errc::failed, true, Fault::item},
    {"/404", "retry_on: [4yx]", Errc::usage, false, Fault::item},
    {"/reset", "", Errc::unavailable, true, Fault::sink},
};
Task<void> answers(Loop& loop, HttpServer& server) {
    StepBench bench(loop, http_post_spec(), make_http_post());
    for (const Case& one : kCases) {
        const std::string yaml =
            "url: \"" + server.url(one.path) + "\"\njson: {}\n" + std::string(one.options);
        const Error error = co_await bench.error(yaml);
        EXPECT_EQ(info(error.code).name, info(one.code).name) << one.path << one.options;
        EXPECT_EQ(info(error.code).retryable, one.retryable) << one.path << one.options;
        EXPECT_EQ(info(error.code).fault == one.fault, true) << one.path << one.options;
    }
    const Error refused = co_await bench.error("{ url: \"http://127.0.0.1:1/\", json: {} }");
    EXPECT_EQ(refused.code, Errc::unavailable);
    const Error busy = co_await bench.error(
        "{ url: \"" + server.url("/429?retry_after=90&token=s3cret") + "\", json: {} }");
    EXPECT_EQ(busy.retry_after, std::chrono::seconds(90));
    EXPECT_EQ(busy.text(), "POST " + server.url("/429") + " answered 429: answer 429");
    const Error none = co_await bench.error("{ url: \"http://127.0.0.1:1/\" }");
    EXPECT_EQ(none.text(), "http_post needs one of json, form, body");
    const Error two = co_await bench.error("{ url: x, json: {}, body: true }");
    EXPECT_EQ(two.text(), "http_post takes only one of json, form, body");
    const Error bodiless = co_await bench.error("{ url: \"http://127.0.0.1:1/\", body: true }");
    EXPECT_EQ(bodiless.text(), "this job carries no file");
    co_await bench.close();
}
TEST(HttpPost, SaysWhoIsAtFaultAndWhetherToTryAgain) {
    HttpServer server;
    test::on_loop(answers, server);
}

Task<void> quoted(Loop& loop, HttpServer& server) {
    StepBench bench(loop, http_post_spec(), make_http_post());
    bench.env["TOKEN"] = "s3cret-1";
    bench.env["KEY"] = "s3cret-2";
    bench.env["HOOK"] = "s3cret-3";
    const Json receipt = co_await bench.receipt(
        "url: \"http://bob:s3cret-4@" + server.url("/quote").substr(7) +
        "?hook=${env.HOOK}\"\nheaders: { Authorization: \"Bearer ${env.TOKEN}\", X-Empty: \"\" }\n"
        "json: { key: \"${env.KEY}\", name: \"${event.name}\" }");
    EXPECT_EQ(receipt["status"], 200) << receipt;
    EXPECT_EQ(to_line(receipt).find("s3cret"), std::string::npos) << receipt;
    const Json& response = receipt["response"];
    EXPECT_EQ(response["body"], R"({"key":"***","name":"a b.txt"})");
    EXPECT_EQ(response["Content-Type"], "application/json") << "no secret";
    EXPECT_EQ(response["Idempotency-Key"], "0190-job/step") << "neither";
    EXPECT_EQ(server.requests()[0]["headers"]["x-empty"], "") << "an empty header is one too";
    EXPECT_EQ(receipt["target"], "http://127.0.0.1:" + std::to_string(server.port()) + "/…");
    co_await bench.close();
}
TEST(HttpPost, KeepsNoSecretThatTheServerQuotes) {
    HttpServer server;
    test::on_loop(quoted, server);
}

}  // namespace
}  // namespace musher
