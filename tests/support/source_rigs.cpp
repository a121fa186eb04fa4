#include "tests/support/source_rigs.h"

#include <filesystem>
#include <fstream>
#include <map>

#include "sources/catalogue.h"
#include "sources/postgres_notify.h"
#include "sources/postgres_queue_rules.h"
#include "tests/support/eventually.h"
#include "tests/support/postgres_server.h"
#include "tests/support/temp_dir.h"

namespace musher::test {

namespace {

namespace fs = std::filesystem;

class HotfolderRig final : public SourceRig {
  public:
    HotfolderRig() { fs::create_directories(in_); }
    std::string yaml() const override { return "{ path: " + in_ + ", settle: 10ms }"; }
    void happen(const std::string& what) override {
        std::ofstream(dir_ / what) << "content of " << what;
        fs::rename(dir_ / what, in_ + "/" + what);
    }
    std::string what(const Event& event) const override { return event.facts->value("name", ""); }
    bool ended(const std::string& what, Outcome outcome) const override {
        const std::string place = outcome == Outcome::done ? "/done/" : "/failed/";
        return fs::exists(in_ + place + what) && !fs::exists(in_ + "/" + what);
    }
    std::optional<bool> in_place(const std::string& what) const override {
        return fs::exists(in_ + "/" + what);
    }
    void take_away() override { fs::rename(in_, dir_ / "away"); }
    void bring_back() override { fs::rename(dir_ / "away", in_); }

  private:
    TempDir dir_;
    std::string in_ = dir_ / "in";
};

/// Whose hours pass when a test says so.
class TimerRig final : public SourceRig {
  public:
    TimerRig() { clock_.wall = kHour / 2; }
    std::string yaml() const override { return "every: 1h"; }
    std::string state() const override { return dir_ / "state"; }
    Clock* clock() override { return &clock_; }
    void happen(const std::string& what) override {
        clock_.wall += kHour;
        words_[format_time(clock_.wall - kHour / 2)] = what;
    }
    std::string what(const Event& event) const override {
        return words_.at(event.facts->value("due", ""));
    }

  private:
    static constexpr std::int64_t kHour = 3'600'000;
    struct SetClock final : Clock {
        Instant now() const override { return fast.now(); }
        std::int64_t wall_ms() const override { return wall; }
        FastClock fast;
        std::int64_t wall = 0;
    };
    TempDir dir_;
    SetClock clock_;
    std::map<std::string, std::string> words_;  // by due time
};

/// A table with the trigger that `describe --sql` prints; a word is the key of a row.
class PostgresNotifyRig final : public SourceRig {
  public:
    PostgresNotifyRig() {
        server_.exec("CREATE TABLE words (word text PRIMARY KEY)");
        server_.exec(postgres_notify_sql("words", "word").value());
    }
    std::string yaml() const override {
        return "{ connection: db, channels: words, catch_up: SELECT word AS id FROM words }";
    }
    Connections connections() const override {
        return {{"db", Connection{"postgres", Json{{"url", server_.url()}}}}};
    }
    void happen(const std::string& what) override {
        server_.exec("INSERT INTO words VALUES ('" + what + "')");
    }
    std::string what(const Event& event) const override {
        return text_in(event.facts->at("payload"), "id");
    }
    void take_away() override { server_.kill(); }
    void bring_back() override { server_.start(); }

  private:
    PostgresServer server_;
};

/// A table as `describe --sql` makes it, on a server that is killed.
class PostgresQueueRig final : public SourceRig {
  public:
    PostgresQueueRig() { server_.exec(postgres_queue::table_sql("jobs", "id").value()); }
    std::string yaml() const override {
        return "{ connection: shop, table: jobs, channel: jobs, poll: 1s }";
    }
    Connections connections() const override {
        return {{"shop", Connection{"postgres", Json{{"url", server_.url()}}}}};
    }
    void happen(const std::string& what) override {
        server_.exec("INSERT INTO jobs (payload) VALUES ('{\"what\": \"" + what + "\"}')");
    }
    std::string what(const Event& event) const override {
        return event.facts->at("row")["payload"]["what"].get<std::string>();
    }
    bool ended(const std::string& what, Outcome outcome) const override {
        const std::string status =
            server_.exec("SELECT status FROM jobs WHERE payload->>'what' = '" + what + "'");
        return status == (outcome == Outcome::done ? "done" : "failed");
    }
    void take_away() override { server_.kill(); }
    void bring_back() override { server_.start(); }

  private:
    PostgresServer server_;
};

const SourceEntry* entry(std::string_view name) {
    for (const SourceEntry& one : source_catalogue()) {
        if (one.spec.name == name) return &one;
    }
    return nullptr;
}
template <class Rig>
std::unique_ptr<SourceRig> make_rig() {
    return std::make_unique<Rig>();
}

}  // namespace

const std::vector<NamedSourceRig>& source_rigs() {
    static const std::vector<NamedSourceRig> kAll = {
        {entry("hotfolder"), make_rig<HotfolderRig>},
        {entry("postgres_notify"), make_rig<PostgresNotifyRig>, World::keeps},
        {entry("postgres_queue"), make_rig<PostgresQueueRig>},
        {entry("timer"), make_rig<TimerRig>, World::none},
    };
    return kAll;
}

}  // namespace musher::test
