// A job table on a real server, and lives of a postgres_queue over it.
#pragma once

#include <algorithm>
#include <string>

#include "sources/catalogue.h"
#include "sources/postgres_queue.h"
#include "tests/support/postgres_server.h"
#include "tests/support/run_loop.h"
#include "tests/support/source_life.h"

namespace musher::test {

inline const SourceEntry& postgres_queue_entry() {
    const auto& all = source_catalogue();
    return *std::find_if(all.begin(), all.end(),
                         [](const SourceEntry& one) { return one.spec.name == "postgres_queue"; });
}

/// A table on a server; the words are rows' keys.
class JobTableRig final : public SourceRig {
  public:
    explicit JobTableRig(const std::string& sql = postgres_queue::table_sql("jobs", "id").value()) {
        server.exec(sql);
    }
    std::string yaml() const override { return "{ connection: shop, " + options + " }"; }
    Connections connections() const override {
        return {{"shop", Connection{"postgres", Json{{"url", url.empty() ? server.url() : url}}}}};
    }
    void happen(const std::string&) override {}
    std::string what(const Event& event) const override {
        const Json& key = event.facts->at("row")[id];
        return key.is_string() ? key.get<std::string>() : key.dump();
    }
    std::string row(const std::string& columns, const std::string& key) const {
        return server.exec("SELECT " + columns + " FROM " + table + " WHERE " + id + " = " + key);
    }

    void insert(int rows) const {
        server.exec("INSERT INTO jobs (priority) SELECT 1 FROM generate_series(1, " +
                    std::to_string(rows) + ")");
    }

    PostgresServer server;
    std::string options = "table: jobs, poll: 1s";
    std::string table = "jobs";
    std::string id = "id";
    std::string url;
    TestLedger ledger;
    NamedSourceRig named{&postgres_queue_entry(), nullptr};
};

struct JobTableLife : SourceLife {
    JobTableLife(Loop& loop, JobTableRig& table, const std::string& node = "node-1",
                 std::size_t room = 64)
        : SourceLife(loop, table.named, table, table.ledger, room, node) {}
};

inline void over(Task<void> (*body)(Loop&, JobTableRig&), JobTableRig& table) {
    FastClock clock;
    on_loop_with(clock, *body, table);
}

}  // namespace musher::test
