// mail against a real server, whose mails Python's email package reads back.
#include "sinks/mail.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "reactor/base/digest.h"
#include "reactor/base/fd.h"
#include "reactor/drivers/smtp.h"
#include "tests/support/eventually.h"
#include "tests/support/mail_server.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"

namespace musher {
namespace {

using test::MailServer;
using test::StepBench;

std::string over_post(const std::string& yaml) {
    if (yaml.starts_with('{')) return "{ connection: post, " + yaml.substr(1);
    return "connection: post\n" + yaml;
}

class MailBench : public StepBench {
  public:
    MailBench(Loop& loop, const MailServer& server) : StepBench(loop, mail_spec(), make_mail()) {
        connections["post"] = Connection{"smtp", server.options()};
    }
    /// A receipt as later steps see it; an empty map, and a failed test, after an error.
    Task<Json> sent(std::string yaml) {
        std::string whole = over_post(yaml);
        const Result<StepResult> result = co_await run(std::move(whole));
        EXPECT_TRUE(result.has_value()) << result.error().text();
        if (!result) co_return Json::object();
        co_return result->receipt->to_json();
    }
    Task<Error> refused(std::string yaml) {
        std::string whole = over_post(yaml);
        return error(std::move(whole));
    }
};

const char* const kText = "Grüße,\n.\n..\n.hidden\nend \n";

Task<void> texts(Loop& loop, MailServer& server) {
    MailBench bench(loop, server);
    bench.event.facts.edit()["text"] = kText + std::string(3000, 'x') + "\n";
    bench.event.facts.edit()["subject"] = "Ärger mit 😀 " + std::string(150, 'a');
    Json receipt = co_await bench.sent(
        "to: [ \"Jörg \\\"J\\\" <a@example.com>\", \"b@example.com, \\\"C, D\\\" <c@example.com>\" "
        "]\n"
        "subject: \"${event.subject}\"\ntext: \"${event.text}\"");
    EXPECT_EQ(receipt["target"], "a@example.com, b@example.com, c@example.com");
    EXPECT_EQ(receipt["message_id"], "<0190-job.step@example.com>");
    EXPECT_EQ(receipt["answer"], "250 2.0.0 Ok: queued as 1");
    receipt = co_await bench.sent("{ to: a@example.com, subject: again }");
    EXPECT_EQ(receipt["bytes"], 0);
    const std::vector<Json> mails = server.mails();
    EXPECT_EQ(mails.size(), 2u);
    if (mails.size() != 2) co_return;
    const Json& mail = mails[0];
    EXPECT_EQ(mail["text"], bench.event.facts->at("text"));
    EXPECT_EQ(mail["subject"], bench.event.facts->at("subject"));
    EXPECT_EQ(mail["names"][0][0], "Jörg \"J\"");
    EXPECT_EQ(mail["names"][2][0], "C, D");
    EXPECT_EQ(mail["to"], (Json{"a@example.com", "b@example.com", "c@example.com"}));
    EXPECT_EQ(mail["from"], "musher@example.com");
    EXPECT_EQ(mail["sender"][0], "Musher");
    EXPECT_EQ(mail["headers"]["message-id"], "<0190-job.step@example.com>");
    EXPECT_EQ(mails[1]["headers"]["message-id"], mail["headers"]["message-id"]) << "a repeat";
    EXPECT_EQ(mail["headers"]["auto-submitted"], "auto-generated");
    EXPECT_EQ(mail["defects"], Json::array());
    EXPECT_EQ(mail["ascii"], true);
    EXPECT_EQ(mail["bare"], false);
    EXPECT_LE(mail["longest"], 78);
    const double now = static_cast<double>(loop.clock().wall_ms()) / 1000;
    EXPECT_NEAR(mail["date"].get<double>(), now, 60);
    co_await bench.close();
}
TEST(Mail, ArrivesAsItWasWritten) {
    MailServer server;
    test::on_loop(texts, server);
}

Task<void> attachments(Loop& loop, MailServer& server) {
    MailBench bench(loop, server);
    std::string content;
    for (int i = 0; content.size() < (3u << 20) + 17; ++i) content += std::to_string(i * 79);
    Digest digest(DigestKind::sha256);
    digest.update(as_bytes(content));
    const std::string sha256 = digest.hex();
    bench.write_body(content);
    const Json receipt =
        co_await bench.sent("{ to: a@example.com, subject: s, text: hello, attach: true }");
    EXPECT_EQ(receipt["bytes"], content.size());
    co_await bench.sent("{ to: a@example.com, subject: s, attach: \"Ö 1.pdf\" }");
    bench.write_body("");
    bench.id = std::string(64, 's');
    co_await bench.sent("{ to: a@example.com, subject: s, attach: empty }");
    const std::vector<Json> mails = server.mails();
    EXPECT_EQ(mails.size(), 3u);
    if (mails.size() != 3) co_return;
    EXPECT_EQ(mails[0]["text"], "hello\n");
    EXPECT_EQ(mails[0]["attachments"][0]["name"], "a b.txt");
    EXPECT_EQ(mails[0]["attachments"][0]["sha256"], sha256);
    EXPECT_EQ(mails[0]["defects"], Json::array());
    EXPECT_EQ(mails[1]["attachments"][0]["name"], "Ö 1.pdf");
    EXPECT_EQ(mails[2]["attachments"][0]["size"], 0);
    EXPECT_LE(mails[2]["boundary"].get<std::string>().size(), 70u) << "as RFC 2046 wants it";
    std::filesystem::rename(bench.body.path, bench.dir / "other");
    std::filesystem::create_symlink(bench.dir / "other", bench.body.path);
    const Error link = co_await bench.refused("{ to: a@example.com, subject: s, attach: true }");
    EXPECT_EQ(link.message, bench.body.path + " is a link");
    bench.body.path.clear();
    const Error none = co_await bench.refused("{ to: a@example.com, subject: s, attach: true }");
    EXPECT_EQ(none.text(), "this job carries no file to attach");
    EXPECT_EQ(server.mails().size(), 3u);
    co_await bench.close();
}
TEST(Mail, CarriesTheBody) {
    MailServer server;
    test::on_loop(attachments, server);
}

Task<void> refusals(Loop& loop, MailServer& server) {
    MailBench bench(loop, server);
    bench.event.facts.edit()["evil"] = "a\r\nBcc: c@example.com";
    const std::pair<const char*, const char*> kInjected[] = {
        {"{ to: a@example.com, subject: \"${event.evil}\" }",
         "`subject` holds a line break or control character"},
        {"{ to: \"${event.evil} <a@example.com>\", subject: s }",
         "`to`: an address holds a line break or control character"},
        {"{ to: \"a@example.com> <\", subject: s }", "`to`: `a@example.com> <` is no address"},
        {"{ to: [], subject: s }", "`to` names nobody"},
    };
    for (const auto& [yaml, text] : kInjected) {
        const Error error = co_await bench.refused(yaml);
        EXPECT_EQ(info(error.code).name, "usage");
        EXPECT_EQ(error.text(), text);
    }
    const Error unknown =
        co_await bench.refused("{ to: [ a@example.com, unknown@example.com ], subject: s }");
    EXPECT_EQ(info(unknown.code).name, "usage");
    EXPECT_EQ(unknown.message, server.url() +
                                   " answered RCPT TO:<unknown@example.com> with 550 "
                                   "5.1.1 nobody of that name");
    const Error later = co_await bench.refused("{ to: later@example.com, subject: s }");
    EXPECT_EQ(info(later.code).name, "failed") << later.text();
    EXPECT_TRUE(info(later.code).fault == Fault::item) << "others' mails go on";
    EXPECT_TRUE(info(later.code).retryable);
    EXPECT_EQ(later.retry_after, std::chrono::minutes(5)) << "as greylisting wants it";
    const std::pair<const char*, const char*> kLater[] = {
        {"{ to: full@example.com, subject: s }", "failed"},
        {"{ to: system@example.com, subject: s }", "unavailable"},
        {"{ to: leaving@example.com, subject: s }", "unavailable"},
        {"{ to: a@example.com, subject: odd }", "failed"},
        {"{ to: a@example.com, subject: no space }", "unavailable"},
    };
    for (const auto& [yaml, name] : kLater) {
        const Error error = co_await bench.refused(yaml);
        EXPECT_EQ(info(error.code).name, name) << error.text();
    }
    const Error late = co_await bench.refused("{ to: a@example.com, subject: refused }");
    EXPECT_EQ(info(late.code).name, "usage");
    EXPECT_EQ(late.message, server.url() + " answered the message with 554 5.6.0 not this one");
    bench.write_body(std::string(7 << 20, 'x'));
    const Error large = co_await bench.refused("{ to: a@example.com, subject: s, attach: x }");
    EXPECT_EQ(info(large.code).name, "usage");
    EXPECT_NE(large.message.find("takes messages up to 8MiB"), std::string::npos) << large.text();
    EXPECT_TRUE(server.mails().empty()) << "nobody got anything";
    server.stop();
    const Error away = co_await bench.refused("{ to: a@example.com, subject: s }");
    EXPECT_EQ(info(away.code).name, "unavailable");
    co_await bench.close();
}
TEST(Mail, SaysWhoIsAtFault) {
    MailServer server;
    test::on_loop(refusals, server);
}

Task<void> into(MailBench& bench, std::string yaml, Result<StepResult>& result) {
    std::string whole = over_post(yaml);
    result = co_await bench.run(std::move(whole));
}
/// The server has the whole message and thinks about it; meanwhile the loop turns.
Task<void> thinking(Loop& loop, MailServer& server) {
    MailBench bench(loop, server);
    Result<StepResult> result;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("mail", into(bench, "{ to: hang@example.com, subject: s, text: t }", result));
    auto there = [&] { return !server.mails().empty(); };
    co_await test::eventually(loop, there);
    const Json other = co_await bench.sent("{ to: a@example.com, subject: meanwhile }");
    EXPECT_EQ(other["target"], "a@example.com");
    bench.cancel.request();
    co_await scope.join();
    EXPECT_EQ(info(result.error().code).name, "cancelled");
    co_await bench.close();
}
TEST(Mail, TheLoopDoesNotWaitForTheServersAnswer) {
    MailServer server;
    test::on_loop(thinking, server);
}

Task<void> secured(Loop& loop, MailServer& server, const bool& by_starttls) {
    MailBench bench(loop, server);
    const std::string yaml = "{ to: a@example.com, subject: s }";
    co_await bench.sent(yaml);
    EXPECT_EQ(server.mails().size(), 1u);
    EXPECT_EQ(server.mails()[0]["tls"], by_starttls);
    Json& options = bench.connections["post"].options;
    const Json good = options;
    options["password"] = "s3cret";
    const Error wrong = co_await bench.refused(yaml);
    EXPECT_EQ(info(wrong.code).name, "denied") << wrong.text();
    EXPECT_EQ(wrong.text().find("s3cret"), std::string::npos) << wrong.text();
    options = good;
    options.erase("ca_file");
    const Error untrusted = co_await bench.refused(yaml);
    EXPECT_EQ(info(untrusted.code).name, "denied") << untrusted.text();
    EXPECT_NE(untrusted.text().find("certificate"), std::string::npos) << untrusted.text();
    options = good;
    options.erase("password");
    options.erase("user");
    const Error anonymous = co_await bench.refused(yaml);
    EXPECT_EQ(info(anonymous.code).name, "denied") << anonymous.text();
    EXPECT_EQ(server.mails().size(), 1u);
    Smtp smtp(loop, SmtpTarget::from_options(good).value());
    Cancel never;
    const Result<void> probed = co_await smtp.probe(never);
    EXPECT_TRUE(probed.has_value()) << probed.error().text();
    co_await bench.close();
}
TEST(Mail, SwitchesToTlsAndSignsIn) {
    MailServer server("starttls");
    const bool by_starttls = true;
    test::on_loop(secured, server, by_starttls);
}
TEST(Mail, SpeaksTlsFromTheStart) {
    MailServer server("tls");
    const bool by_starttls = false;  // asyncio's own TLS, of which the session knows nothing
    test::on_loop(secured, server, by_starttls);
}

Task<void> in_the_clear(Loop& loop, MailServer& server) {
    MailBench bench(loop, server);
    bench.connections["post"].options["tls"] = "required";
    const Error error = co_await bench.refused("{ to: a@example.com, subject: s }");
    EXPECT_EQ(info(error.code).name, "denied");
    EXPECT_EQ(error.message, server.url() + " offers no TLS");
    bench.connections["post"].options["tls"] = "try";
    co_await bench.sent("{ to: a@example.com, subject: s }");
    EXPECT_EQ(server.mails().size(), 1u);
    co_await bench.close();
}
TEST(Mail, SendsInTheClearOnlyWhenAllowed) {
    MailServer server;
    test::on_loop(in_the_clear, server);
}

/// Who listens and does not accept: the system takes the connection, nobody says a word.
Task<void> mute(Loop& loop, const int& port) {
    const Json options{{"url", "smtp://127.0.0.1:" + std::to_string(port)},
                       {"from", "musher@example.com"},
                       {"tls", "none"}};
    SmtpTarget target = SmtpTarget::from_options(options).value();
    EXPECT_EQ(target.connect_timeout, std::chrono::seconds(10));
    EXPECT_EQ(target.greeting_timeout, std::chrono::seconds(60));
    target.connect_timeout = milliseconds(50);
    target.greeting_timeout = std::chrono::seconds(1);
    Smtp smtp(loop, target);
    Cancel never;
    const Instant begin = loop.clock().now();
    const Result<void> probed = co_await smtp.probe(never);
    EXPECT_EQ(info(probed.error().code).name, "unavailable") << probed.error().text();
    EXPECT_EQ(probed.error().text().find("no connection"), std::string::npos);
    EXPECT_GE(loop.clock().now() - begin, milliseconds(900))
        << "the greeting has a time of its own";
}
TEST(Mail, WaitsLongerForTheGreetingThanForAConnection) {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener.get(), plain, size), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    ASSERT_EQ(::getsockname(listener.get(), plain, &size), 0);
    const int port = ntohs(address.sin_port);
    test::on_loop(mute, port);
}

}  // namespace
}  // namespace musher
