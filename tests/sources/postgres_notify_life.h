// A postgres_notify source on a real server, from its start to its stop.
#pragma once

#include "sources/postgres_notify.h"
#include "tests/reactor/postgres_words.h"
#include "tests/support/source_life.h"

namespace musher::test::postgres_notify {

class Rig final : public SourceRig {
  public:
    Rig(std::string options, std::string url)
        : options_(std::move(options)), url_(std::move(url)) {}
    std::string yaml() const override { return "{ connection: db, " + options_ + " }"; }
    Connections connections() const override {
        return {{"db", Connection{"postgres", Json{{"url", url_}}}}};
    }
    void happen(const std::string&) override {}
    std::string what(const Event& event) const override {
        const Json& payload = event.facts->at("payload");
        if (payload.is_object()) return to_line(payload["id"]);
        return payload.is_string() ? payload.get<std::string>() : to_line(payload);
    }

  private:
    std::string options_;
    std::string url_;
};

inline const NamedSourceRig& named() {
    static const SourceEntry kEntry{postgres_notify_spec(), make_postgres_notify};
    static const NamedSourceRig kNamed{&kEntry, nullptr, World::keeps};
    return kNamed;
}

/// One source on one server.
struct Life : SourceLife {
    Life(Loop& on, const PostgresServer& at, const std::string& options, std::size_t room = 64)
        : Life(on, options, at.url(), room) {}
    Life(Loop& on, const std::string& options, const std::string& url, std::size_t room = 64)
        : Life(on, std::make_unique<Rig>(options, url), std::make_unique<TestLedger>(), room) {}
    Life(Loop& on, std::unique_ptr<Rig> made, std::unique_ptr<TestLedger> book, std::size_t room)
        : SourceLife(on, named(), *made, *book, room),
          loop(on),
          rig(std::move(made)),
          ledger(std::move(book)) {}
    Task<void> until_listening() {
        const auto on = [this] { return says("listening to"); };
        co_await eventually(loop, on);
    }
    Task<void> until_away() {
        const auto off = [this] { return !source().status().value("ok", true); };
        co_await eventually(loop, off);
    }
    bool says(const std::string& what) {
        return source().status().value("detail", "").find(what) != std::string::npos;
    }
    Loop& loop;
    std::unique_ptr<Rig> rig;
    std::unique_ptr<TestLedger> ledger;
};

/// pg_notify of 1 to `count` on channel c, in one transaction; `more` is put behind each.
inline void notify(const PostgresServer& server, int count, const std::string& more = "''") {
    server.exec("SELECT count(pg_notify('c', i::text || " + more + ")) FROM generate_series(1, " +
                std::to_string(count) + ") i");
}

inline constexpr const char* kCatchUp = "channels: c, catch_up: SELECT id FROM t ORDER BY id";

}  // namespace musher::test::postgres_notify
