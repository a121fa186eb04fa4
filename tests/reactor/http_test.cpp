// The HTTP driver against a real server: answers, bounds, faults, kept connections, cancelling.
#include "reactor/drivers/http.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/eventually.h"
#include "tests/support/http_server.h"
#include "tests/support/run_loop.h"

namespace musher {
namespace {

using test::HttpServer;

Task<HttpResponse> answered(Http& http, const HttpRequest& request) {
    Cancel never;
    Result<HttpResponse> response = co_await http.send(request, never);
    EXPECT_TRUE(response.has_value()) << response.error().text();
    if (!response) co_return HttpResponse();
    co_return std::move(*response);
}
Task<Error> refused(Http& http, const HttpRequest& request) {
    Cancel never;
    const Result<HttpResponse> response = co_await http.send(request, never);
    EXPECT_FALSE(response.has_value());
    co_return response ? Error() : response.error();
}

Task<void> plain(Loop& loop, HttpServer& server) {
    Http http(loop);
    HttpRequest get("GET", server.url("/200"));
    get.headers = {"X-One: 1", "X-Empty:", "X-Blank: "};
    const HttpResponse first = co_await answered(http, get);
    EXPECT_EQ(first.status, 200);
    EXPECT_EQ(first.body, "answer 200");
    EXPECT_EQ(first.header("content-length"), "10");
    HttpRequest post("POST", server.url("/echo"));
    post.headers = {"Content-Type: text/plain"};
    post.body = std::string("a\0b", 3);
    const HttpResponse second = co_await answered(http, post);
    EXPECT_EQ(second.body, std::string("a\0b", 3));
    HttpRequest empty("POST", server.url("/echo"));
    const HttpResponse third = co_await answered(http, empty);
    EXPECT_EQ(third.status, 200);
    HttpRequest remove("DELETE", server.url("/404?x=1"));
    const HttpResponse fourth = co_await answered(http, remove);
    EXPECT_EQ(fourth.status, 404);
    HttpRequest head("HEAD", server.url("/200"));
    const HttpResponse fifth = co_await answered(http, head);
    EXPECT_EQ(fifth.body, "");

    const std::vector<Json> seen = server.requests();
    EXPECT_EQ(seen[0]["method"], "GET");
    EXPECT_EQ(seen[0]["headers"]["x-one"], "1");
    EXPECT_EQ(seen[0]["headers"]["x-empty"], "");
    EXPECT_EQ(seen[0]["headers"]["x-blank"], "") << "sent, not left out";
    EXPECT_EQ(seen[1]["headers"]["content-type"], "text/plain");
    EXPECT_FALSE(seen[1]["headers"].contains("expect"));
    EXPECT_EQ(seen[2]["headers"]["content-length"], "0");
    EXPECT_FALSE(seen[2]["headers"].contains("content-type"));
    EXPECT_EQ(seen[3]["method"], "DELETE");
    EXPECT_EQ(seen[0]["client"], seen[4]["client"]) << "one connection serves all";
}
TEST(Http, SendsAndReceives) {
    HttpServer server;
    test::on_loop(plain, server);
}

Task<void> upload(Loop& loop, HttpServer& server) {
    std::string content;
    for (int i = 0; content.size() < (5u << 20) + 17; ++i) content += std::to_string(i);
    const std::string path = server.dir() / "upload";
    std::ofstream(path) << content;
    Http http(loop);
    HttpRequest put("PUT", server.url("/echo"));
    put.body_file = path;
    put.response_limit = 100;
    const HttpResponse response = co_await answered(http, put);
    EXPECT_EQ(response.body, content.substr(0, 100));
    EXPECT_TRUE(response.truncated);
    EXPECT_EQ(server.requests()[0]["size"], content.size());
    put.url = server.url("/200");
    put.response_limit = 1 << 20;
    const HttpResponse whole = co_await answered(http, put);
    EXPECT_FALSE(whole.truncated);
    EXPECT_EQ(server.requests()[1]["sha256"], server.requests()[0]["sha256"]);
    put.body_file = server.dir() / "missing";
    const Error missing = co_await refused(http, put);
    EXPECT_EQ(missing.code, Errc::not_found);
}
TEST(Http, SendsAFileInSlicesAndCutsLongAnswers) {
    HttpServer server;
    test::on_loop(upload, server);
}

Task<void> keep_alive(Loop& loop, HttpServer& server) {
    Http http(loop);
    HttpRequest get("GET", server.url("/200"));
    const HttpResponse before = co_await answered(http, get);
    EXPECT_EQ(before.status, 200);
    server.stop();
    server.start();
    const HttpResponse after = co_await answered(http, get);
    EXPECT_EQ(after.status, 200) << "a kept connection that died is made anew";
    server.stop();
    const Error gone = co_await refused(http, get);
    EXPECT_EQ(gone.code, Errc::unavailable);
    server.start();
    const std::string path = server.dir() / "upload";
    std::ofstream(path) << std::string(3u << 20, 'x');
    HttpRequest post("POST", server.url("/200"));
    post.body_file = path;
    const HttpResponse first = co_await answered(http, post);
    server.stop();
    server.start();
    const HttpResponse again = co_await answered(http, post);
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(server.requests().back()["sha256"], server.requests()[2]["sha256"]);
}
TEST(Http, ReconnectsAfterTheServerRestarted) {
    HttpServer server;
    test::on_loop(keep_alive, server);
}

Task<void> faults(Loop& loop, HttpServer& server) {
    Http http(loop);
    HttpRequest closed("GET", "http://user:s3cret@127.0.0.1:1/a?token=s3cret");
    const Error refusal = co_await refused(http, closed);
    EXPECT_EQ(refusal.code, Errc::unavailable);
    EXPECT_EQ(refusal.text().find("s3cret"), std::string::npos) << refusal.text();
    EXPECT_TRUE(refusal.text().starts_with("GET http://127.0.0.1:1/a: failed to connect"))
        << refusal.text();
    HttpRequest unknown("GET", "http://name.invalid/");
    const Error unresolved = co_await refused(http, unknown);
    EXPECT_EQ(unresolved.code, Errc::unavailable);
    HttpRequest reset("GET", server.url("/reset"));
    const Error broken = co_await refused(http, reset);
    EXPECT_EQ(broken.code, Errc::unavailable);
    HttpRequest cut("GET", server.url("/cut"));
    const Error partial = co_await refused(http, cut);
    EXPECT_EQ(partial.code, Errc::unavailable);
    HttpRequest hang("GET", server.url("/hang"));
    hang.timeout = milliseconds(100);
    const Error late = co_await refused(http, hang);
    EXPECT_EQ(late.code, Errc::timeout);
    const char* const kWrong[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "http://a b/",
                                  "http://127.0.0.1/\nX: y", ""};
    for (const char* url : kWrong) {
        HttpRequest wrong("GET", url);
        const Error error = co_await refused(http, wrong);
        EXPECT_EQ(error.code, Errc::usage) << url;
    }
    HttpRequest blank("GET", server.url("/a b.txt?token=s3cret"));
    const Error unsent = co_await refused(http, blank);
    EXPECT_EQ(unsent.text(), "GET: the URL holds a blank");
    EXPECT_NE(unsent.hint.find("${url_encode(event.name)}"), std::string::npos) << unsent.hint;
    HttpRequest split("GET", server.url("/200"));
    split.headers = {"X-Name: a\r\nX-Injected: b"};
    const Error injected = co_await refused(http, split);
    EXPECT_EQ(injected.code, Errc::usage);
    EXPECT_EQ(injected.message, "the header 'X-Name' is malformed or holds a control character");
}
TEST(Http, NamesFaultsWithoutSecrets) {
    HttpServer server;
    test::on_loop(faults, server);
}

Task<void> tls(Loop& loop, HttpServer& server) {
    Http http(loop);
    HttpRequest get("GET", server.url("/200"));
    const Error untrusted = co_await refused(http, get);
    EXPECT_EQ(untrusted.code, Errc::denied) << untrusted.text();
    get.ca_file = server.certificate();
    const HttpResponse trusted = co_await answered(http, get);
    EXPECT_EQ(trusted.status, 200);
    get.url = "https://localhost:" + std::to_string(server.port()) + "/200";
    const Error wrong_name = co_await refused(http, get);
    EXPECT_EQ(wrong_name.code, Errc::denied) << "the certificate is for 127.0.0.1 only";
}
TEST(Http, RefusesCertificatesThatDoNotHold) {
    HttpServer server(HttpServer::Listen::tls);
    test::on_loop(tls, server);
}

Task<void> redirect(Loop& loop, HttpServer& server) {
    Http http(loop);
    HttpRequest get("GET", server.url("/redirect"));
    const HttpResponse stays = co_await answered(http, get);
    EXPECT_EQ(stays.status, 302);
    get.redirects = 1;
    const HttpResponse goes = co_await answered(http, get);
    EXPECT_EQ(goes.status, 200);
    EXPECT_EQ(goes.body, "answer 200");
    HttpRequest busy("GET", server.url("/429?retry_after=7"));
    const HttpResponse wait = co_await answered(http, busy);
    EXPECT_EQ(wait.retry_after, std::chrono::seconds(7));
    busy.url = server.url("/503?retry_after=Wed,%2021%20Oct%202099%2007:28:00%20GMT");
    const HttpResponse until = co_await answered(http, busy);
    EXPECT_EQ(until.retry_after, std::chrono::hours(1)) << "no longer than an hour";
}
TEST(Http, FollowsRedirectsOnlyWhenAskedAndReadsRetryAfter) {
    HttpServer server;
    test::on_loop(redirect, server);
}

Task<void> over_unix(Loop& loop, HttpServer& server) {
    Http http(loop);
    HttpRequest get("GET", "http://musher/200");
    get.unix_socket = server.socket();
    const HttpResponse response = co_await answered(http, get);
    EXPECT_EQ(response.body, "answer 200");
    get.unix_socket = server.dir() / "none";
    const Error none = co_await refused(http, get);
    EXPECT_EQ(none.code, Errc::unavailable);
}
TEST(Http, TalksToAUnixSocket) {
    HttpServer server(HttpServer::Listen::unix_socket);
    test::on_loop(over_unix, server);
}

Task<void> streams(Loop& loop, HttpServer& server) {
    Http http(loop);
    std::string all;
    HttpRequest events("GET", server.url("/events"));
    events.on_data = [&](std::string_view piece) {
        all += piece;
        return true;
    };
    const HttpResponse whole = co_await answered(http, events);
    EXPECT_EQ(all, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
    EXPECT_EQ(whole.body, "");
    events.url = server.url("/404");
    const HttpResponse missing = co_await answered(http, events);
    EXPECT_EQ(missing.body, "answer 404") << "only a 2xx body is streamed";
    all.clear();
    HttpRequest drip("GET", server.url("/drip"));
    drip.on_data = [&](std::string_view piece) {
        all += piece;
        return all.find("data: 3") == std::string::npos;
    };
    const HttpResponse enough = co_await answered(http, drip);
    EXPECT_EQ(enough.status, 200);
    auto hung_up = [&] { return server.requests().back().contains("hangup"); };
    co_await test::eventually(loop, hung_up);
}
TEST(Http, StreamsUntilItHasEnough) {
    HttpServer server;
    test::on_loop(streams, server);
}

Task<void> into(Http& http, const HttpRequest& request, Cancel& cancel,
                Result<HttpResponse>& result) {
    result = co_await http.send(request, cancel);
}
Task<void> cancelled(Loop& loop, HttpServer& server) {
    Http http(loop);
    Cancel cancel;
    Result<HttpResponse> result;
    HttpRequest hang("GET", server.url("/hang"));
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("hang", into(http, hang, cancel, result));
    auto arrived = [&] { return !server.requests().empty(); };
    co_await test::eventually(loop, arrived);
    cancel.request();
    co_await scope.join();
    EXPECT_EQ(result.error().code, Errc::cancelled);
    auto hung_up = [&] { return server.requests().back().contains("hangup"); };
    co_await test::eventually(loop, hung_up);
    const Result<HttpResponse> early = co_await http.send(hang, cancel);
    EXPECT_EQ(early.error().code, Errc::cancelled);
}
TEST(Http, ACancelAbortsTheTransfer) {
    HttpServer server;
    test::on_loop(cancelled, server);
}

Task<void> count_ok(Http& http, const HttpRequest& request, int& ok) {
    const HttpResponse response = co_await answered(http, request);
    ok += response.ok() ? 1 : 0;
}
Task<void> many(Loop& loop, HttpServer& server) {
    Http http(loop);
    HttpRequest get("GET", server.url("/large?bytes=100000"));
    int ok = 0;
    Scope scope("test", loop.ready(), loop.clock());
    for (int i = 0; i < 50; ++i) scope.spawn("get", count_ok(http, get, ok));
    co_await scope.join();
    EXPECT_EQ(ok, 50);
}
TEST(Http, RunsManyTransfersAtOnce) {
    HttpServer server;
    test::on_loop(many, server);
}

TEST(Http, PublicUrlsHoldNoSecrets) {
    const std::pair<const char*, const char*> kCases[] = {
        {"https://a.example/x/y", "https://a.example/x/y"},
        {"https://u:p@a.example:444/x?key=1#f", "https://a.example:444/x"},
        {"http://t0ken@a.example", "http://a.example/"},
        {"not a url", "a malformed URL"},
    };
    for (const auto& [url, expected] : kCases) EXPECT_EQ(public_url(url), expected);
    EXPECT_EQ(public_url("https://u:p@a.example:444/services/s3cret?key=1", true),
              "https://a.example:444/…");
    EXPECT_EQ(public_url("not a url", true), "a malformed URL");
}

TEST(Http, ARedirectKeepsUserAndPasswordAtItsOrigin) {
    const std::string from = "https://u:p%40@a.example/x/y?q=1";
    const std::pair<const char*, const char*> kCases[] = {
        {"z", "https://u:p%40@a.example/x/z"},
        {"/z?r=2", "https://u:p%40@a.example/z?r=2"},
        {"https://a.example/z", "https://u:p%40@a.example/z"},
        {"https://A.example:443/z", "https://u:p%40@A.example:443/z"},
        {"https://v:w@a.example/z", "https://v:w@a.example/z"},
        {"//a.example/z", "https://u:p%40@a.example/z"},
        {"//b.example/z", "https://b.example/z"},
        {"https://b.example/z", "https://b.example/z"},
        {"https://a.example:444/z", "https://a.example:444/z"},
        {"http://a.example/z", "http://a.example/z"},
        {"https://u@b.example/z", "https://u@b.example/z"},
        {"http://[", ""},
    };
    for (const auto& [location, expected] : kCases) {
        EXPECT_EQ(redirect_target(from, location), expected) << location;
    }
}

}  // namespace
}  // namespace musher
