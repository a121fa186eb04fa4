// Connecting to a real PostgreSQL: refusals, passwords, certificates, several servers.
#include <netinet/in.h>

#include "reactor/base/fd.h"
#include "tests/reactor/postgres_words.h"

namespace musher {
namespace {

using test::dialled;
using test::PostgresServer;
using test::said;

struct Refusal {
    std::string url;
    Errc code;
    std::string text;
};

Task<void> expect_refusal(Loop& loop, const Refusal& refusal) {
    const Result<PostgresTarget> target = PostgresTarget::from_url(refusal.url);
    MUSHER_CHECK(target.has_value());
    Cancel never;
    const Result<std::unique_ptr<PostgresLink>> link =
        co_await PostgresLink::dial(loop, *target, never);
    EXPECT_FALSE(link.has_value()) << refusal.url;
    if (link) co_return;
    const std::string all = link.error().text() + " | " + link.error().hint;
    EXPECT_EQ(info(link.error().code).name, info(refusal.code).name) << all;
    EXPECT_NE(all.find(refusal.text), std::string::npos) << all;
    EXPECT_EQ(all.find("hush"), std::string::npos) << all;
    EXPECT_EQ(all.find('\n'), std::string::npos) << all;
}

Task<void> refusals(Loop& loop, PostgresServer& server) {
    const std::string port = std::to_string(server.port());
    const Refusal all[] = {
        {"postgresql://app:hush@127.0.0.1:" + port + "/postgres", Errc::denied,
         "password authentication failed for user \"app\" (28P01)"},
        {"postgresql://app@127.0.0.1:" + port + "/postgres", Errc::denied, "no password supplied"},
        {server.url("shop"), Errc::unavailable, "database \"shop\" does not exist (3D000)"},
        {"postgresql://app:hush@127.0.0.1:1/postgres", Errc::unavailable, "Connection refused"},
        {"postgresql://app:hush@no-such-host.invalid/postgres", Errc::unavailable,
         "resolving no-such-host.invalid"},
        {"postgresql:///postgres?host=/no/such/folder&user=app", Errc::unavailable,
         "No such file or directory"},
        {"postgresql://app:hush@127.0.0.1:" + port + "/postgres?sslmode=require", Errc::denied,
         "server does not support SSL"},
        {"postgresql://nobody:hush@127.0.0.1:" + port + "/postgres", Errc::denied, "28P01"},
        {server.url() + "&target_session_attrs=standby", Errc::unavailable,
         "server is not in hot standby mode"},
    };
    for (const Refusal& one : all) co_await expect_refusal(loop, one);
}
TEST(PostgresConnect, SaysWhyItWasRefused) {
    PostgresServer server;
    test::on_loop(refusals, server);
    server.stop();
    server.start();
}

Task<void> says_its_name(Loop& loop, std::string& url) {
    const PostgresTarget target = PostgresTarget::from_url(url).value();
    const std::unique_ptr<PostgresLink> link = co_await dialled(loop, target);
    EXPECT_EQ(co_await said(*link, "SELECT current_setting('application_name')"), "musher");
    EXPECT_EQ(co_await said(*link, "SELECT current_setting('client_encoding')"), "UTF8");
    EXPECT_EQ(co_await said(*link, "SELECT pg_backend_pid()"), std::to_string(link->backend()));
}
TEST(PostgresConnect, SpeaksOverUnixAndTcp) {
    PostgresServer server;
    std::string url = server.url();
    test::on_loop(says_its_name, url);
    url = server.tcp_url();
    test::on_loop(says_its_name, url);
    url = server.tcp_url("localhost");  // has to be looked up; its IPv6 address refuses
    test::on_loop(says_its_name, url);
    url = server.tcp_url("127.0.0.1:1,localhost");  // the first one is away
    test::on_loop(says_its_name, url);
    url = server.url() + "&target_session_attrs=prefer-standby";  // there is none
    test::on_loop(says_its_name, url);
}

Task<void> names_all_that_are_away(Loop& loop) {
    const Refusal both{"postgresql://app@127.0.0.1:1,127.0.0.1:2/postgres", Errc::unavailable,
                       "connecting to postgres at 127.0.0.1:1: Connection refused; "
                       "connecting to postgres at 127.0.0.1:2: Connection refused"};
    co_await expect_refusal(loop, both);
}
TEST(PostgresConnect, TellsOfEachOfSeveralServers) { test::on_loop(names_all_that_are_away); }

Task<void> verified(Loop& loop, PostgresServer& server) {
    const std::string good = "sslmode=verify-full&sslrootcert=" + server.ca_file();
    const std::string wrong = "sslmode=verify-full&sslrootcert=" + server.wrong_ca_file();
    const PostgresTarget target =
        PostgresTarget::from_url(server.tcp_url("localhost", good)).value();
    {
        const std::unique_ptr<PostgresLink> link = co_await dialled(loop, target);
        const std::string tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        EXPECT_EQ(co_await said(*link, tls), "t");
        // TLS records and libpq's buffer do not end at the same place.
        EXPECT_EQ(co_await said(*link, "SELECT length(repeat('x', 3000000))"), "3000000");
        const std::string large = co_await said(*link, "SELECT repeat('x', 3000000)");
        EXPECT_EQ(large.size(), 3'000'000u);
    }
    const Refusal all[] = {
        {server.tcp_url("localhost", wrong), Errc::denied, "certificate verify failed"},
        {server.tcp_url("127.0.0.1", good), Errc::denied, "does not match host name \"127.0.0.1\""},
        {server.tcp_url("localhost", "sslmode=verify-full&sslrootcert=/no/such.crt"), Errc::denied,
         "/no/such.crt"},
    };
    for (const Refusal& one : all) co_await expect_refusal(loop, one);
}
TEST(PostgresConnect, VerifiesTheServersCertificate) {
    test::PostgresSettings settings;
    settings.tls = true;
    PostgresServer server(settings);
    test::on_loop(verified, server);
}

/// Takes connections into its backlog and says nothing.
struct Mute {
    Mute() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* native = reinterpret_cast<sockaddr*>(&address);
        MUSHER_CHECK(::bind(fd.get(), native, size) == 0 && ::listen(fd.get(), 8) == 0);
        MUSHER_CHECK(::getsockname(fd.get(), native, &size) == 0);
        port = std::to_string(ntohs(address.sin_port));
    }
    Fd fd;
    std::string port;
};

Task<void> impatient(Loop& loop, PostgresServer& server, Mute& mute) {
    const std::string alone = "host=127.0.0.1 port=" + mute.port + " user=app";
    PostgresTarget target = PostgresTarget::from_url(alone).value();
    target.dial = milliseconds(50);
    Cancel never;
    const Result<std::unique_ptr<PostgresLink>> link =
        co_await PostgresLink::dial(loop, target, never);
    EXPECT_EQ(link.error().code, Errc::unavailable);
    EXPECT_NE(link.error().text().find("took longer than 50ms"), std::string::npos)
        << link.error().text();
    // One that hangs has its share of the time, not all of it.
    target =
        PostgresTarget::from_url("host=127.0.0.1," + server.socket_folder() + " port=" + mute.port +
                                 "," + std::to_string(server.port()) + " user=app dbname=postgres")
            .value();
    target.dial = std::chrono::seconds(2);
    const std::unique_ptr<PostgresLink> second = co_await dialled(loop, target);
    EXPECT_EQ(co_await said(*second, "SELECT 1"), "1");

    Cancel gone;
    gone.request(Errc::cancelled, "enough");
    const Result<std::unique_ptr<PostgresLink>> none =
        co_await PostgresLink::dial(loop, target, gone);
    EXPECT_EQ(none.error().text(), "enough");
}
TEST(PostgresConnect, DoesNotWaitForAMuteServer) {
    PostgresServer server;
    Mute mute;
    test::on_loop(impatient, server, mute);
}

}  // namespace
}  // namespace musher
