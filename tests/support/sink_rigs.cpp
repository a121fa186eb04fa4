#include "tests/support/sink_rigs.h"

#include <csignal>
#include <filesystem>

#include "reactor/drivers/redis_subscription.h"
#include "sinks/catalogue.h"
#include "tests/support/eventually.h"
#include "tests/support/http_server.h"
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
        {entry("redis_publish"), make_rig<PublishRig>},
    };
    return kAll;
}

}  // namespace musher::test
