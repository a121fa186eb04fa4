#include "tests/support/sink_rigs.h"

#include <csignal>
#include <filesystem>
#include <sstream>

#include "reactor/drivers/redis_subscription.h"
#include "sinks/catalogue.h"
#include "tests/support/eventually.h"
#include "tests/support/http_server.h"
#include "tests/support/mail_server.h"
#include "tests/support/postgres_server.h"
#include "tests/support/redis_server.h"
#include "tests/support/tree.h"

namespace musher::test {

namespace {

namespace fs = std::filesystem;

class DirectoryRig final : public SinkRig {
  public:
    std::string yaml() const override { return "to: " + out_; }
    std::vector<std::string> arrived() const override {
        std::vector<std::string> words;
        if (!fs::is_directory(out_)) return words;
        for (const auto& entry : fs::directory_iterator(out_)) {
            words.push_back(file_text(entry.path()));
        }
        return words;
    }
    /// As when something else lies where the mount belongs.
    void take_away() override {
        if (fs::exists(out_)) fs::rename(out_, dir_ / "away");
        std::ofstream(out_) << "in the way";
    }
    void bring_back() override {
        fs::remove(out_);
        if (fs::exists(dir_ / "away")) fs::rename(dir_ / "away", out_);
    }

  private:
    TempDir dir_;
    std::string out_ = dir_ / "out";
};

class HttpRig final : public SinkRig {
  public:
    std::string yaml() const override {
        return "{ url: \"" + server_.url(hangs_ ? "/hang" : "/200") + "\", body: true }";
    }
    std::vector<std::string> arrived() const override {
        std::vector<std::string> words;
        for (const Json& request : server_.requests()) {
            if (request.value("path", "") == "/200") words.push_back(request.value("body", ""));
        }
        return words;
    }
    void take_away() override { server_.stop(); }
    void bring_back() override { server_.start(); }
    bool hang() override { return hangs_ = true; }
    void wake() override { hangs_ = false; }

  private:
    HttpServer server_;
    bool hangs_ = false;
};

class MailRig final : public SinkRig {
  public:
    std::string yaml() const override {
        return "{ connection: post, to: a@example.com, subject: word, text: \"${event.name}\" }";
    }
    Connections connections() const override {
        return Connections{{"post", Connection{"smtp", server_.options()}}};
    }
    std::vector<std::string> arrived() const override {
        std::vector<std::string> words;
        for (const Json& mail : server_.mails()) {
            const std::string text = mail.value("text", "");
            words.push_back(text.substr(0, text.find('\n')));
        }
        return words;
    }
    void take_away() override { server_.stop(); }
    void bring_back() override { server_.start(); }
    bool hang() override {
        server_.signal(SIGSTOP);
        return true;
    }
    void wake() override { server_.signal(SIGCONT); }

  private:
    MailServer server_;
};

/// The listener comes back by itself; bring_back() is over when the server answers, and the words
/// that count are those that were heard.
class PublishRig final : public SinkRig {
  public:
    std::string yaml() const override {
        return "{ connection: bus, channel: words, message: \"${event.name}\" }";
    }
    Connections connections() const override {
        return Connections{{"bus", Connection{"redis", Json{{"url", server_.url()}}}}};
    }
    Task<void> start(Loop& loop) override {
        loop_ = &loop;
        subscription_ = std::make_unique<RedisSubscription>(loop, server_.target());
        RedisSubscription::Listener listener;
        listener.on_message = [this](std::string_view word) { heard_.emplace_back(word); };
        listener.on_gap = [this] { listening_ = true; };
        subscription_->subscribe("words", std::move(listener));
        const auto listening = [this] { return listening_; };
        co_await eventually(loop, listening);
    }
    Task<void> stop() override { co_await subscription_->close(); }
    std::vector<std::string> arrived() const override { return heard_; }
    void take_away() override { server_.kill(); }
    void bring_back() override { server_.start(); }
    bool hang() override {
        server_.signal(SIGSTOP);
        return true;
    }
    void wake() override { server_.signal(SIGCONT); }

  private:
    RedisServer server_;
    Loop* loop_ = nullptr;
    std::unique_ptr<RedisSubscription> subscription_;
    std::vector<std::string> heard_;
    bool listening_ = false;
};

class TableRig final : public SinkRig {
  public:
    TableRig() { server_.exec("CREATE TABLE words (word text PRIMARY KEY)"); }
    std::string yaml() const override {
        return "{ connection: shop, table: words, row: { word: event.name }, conflict: word }";
    }
    Connections connections() const override {
        return Connections{{"shop", Connection{"postgres", Json{{"url", server_.url()}}}}};
    }
    std::vector<std::string> arrived() const override {
        std::vector<std::string> words;
        std::istringstream lines(server_.exec("SELECT word FROM words"));
        for (std::string word; std::getline(lines, word);) words.push_back(word);
        return words;
    }
    void take_away() override { server_.kill(); }
    void bring_back() override { server_.start(); }
    /// Its sessions first: a session's cancel request goes to the server's first process.
    bool hang() override {
        std::istringstream lines(server_.exec(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> "
            "pg_backend_pid()"));
        for (pid_t pid = 0; lines >> pid;) frozen_.push_back(pid);
        frozen_.push_back(server_.pid());
        for (const pid_t pid : frozen_) ::kill(pid, SIGSTOP);
        return true;
    }
    void wake() override {
        for (const pid_t pid : frozen_) ::kill(pid, SIGCONT);
        frozen_.clear();
    }

  private:
    PostgresServer server_;
    std::vector<pid_t> frozen_;
};

const StepEntry* entry(std::string_view name) {
    for (const StepEntry& one : sink_catalogue()) {
        if (one.spec.name == name) return &one;
    }
    return nullptr;
}
template <class Rig>
std::unique_ptr<SinkRig> make_rig() {
    return std::make_unique<Rig>();
}

}  // namespace

const std::vector<NamedSinkRig>& sink_rigs() {
    static const std::vector<NamedSinkRig> kAll = {
        {entry("directory"), make_rig<DirectoryRig>},
        {entry("http_post"), make_rig<HttpRig>},
        {entry("mail"), make_rig<MailRig>},
        {entry("postgres_table"), make_rig<TableRig>},
        {entry("redis_publish"), make_rig<PublishRig>},
    };
    return kAll;
}

}  // namespace musher::test
