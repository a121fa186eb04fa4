// One life of a source, from start to stop, with a queue that knows what a test tells it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "pipelines/config/yaml.h"
#include "tests/support/eventually.h"
#include "tests/support/source_rigs.h"

namespace musher::test {

class TestLedger final : public Ledger {
  public:
    Task<Result<std::vector<Presence>>> find(std::vector<std::string> ids, Cancel&) override {
        std::vector<Presence> all;
        for (const std::string& id : ids) {
            const auto found = known.find(id);
            all.push_back(found == known.end() ? Presence::unknown : found->second);
        }
        co_return all;
    }
    Task<Result<Settlement>> settlement(std::string id, Cancel&) override {
        const auto found = settlements.find(id);
        if (found == settlements.end()) co_return fail(Errc::not_found, "no settlement of " + id);
        co_return found->second;
    }
    std::map<std::string, Presence> known;
    std::map<std::string, Settlement> settlements;
};

inline Settlement settlement_of(const Event& event, Outcome outcome) {
    Settlement ended;
    ended.event = event;
    ended.outcome = outcome;
    if (outcome == Outcome::done) return ended;
    ended.error = Error(Errc::corrupt, "broken");
    ended.report = Json{{"error", Json{{"message", "broken"}}}, {"job", Json{{"id", event.id}}}};
    return ended;
}

/// co_await stop() at the end.
class SourceLife {
  public:
    SourceLife(Loop& loop, const NamedSourceRig& named, SourceRig& rig, TestLedger& ledger,
               std::size_t room = 64, const std::string& node = "node-1")
        : loop_(loop),
          out_(loop.ready(), room),
          connections_(rig.connections()),
          rig_(rig),
          ledger_(ledger),
          scope_("source", loop.ready(), loop.clock()) {
        std::vector<Problem> problems;
        const auto value = parse_yaml(rig.yaml(), "rig.yml", problems);
        const Options options =
            decode(named.entry->spec.options, value.value_or(Value()), "source", problems);
        EXPECT_TRUE(problems.empty()) << problems.front().message;
        SourceContext context{loop, "conformance", "/", out_, ledger, connections_, node};
        context.state = rig.state();
        auto made = named.entry->make(options, context);
        EXPECT_TRUE(made.has_value()) << made.error().text();
        source_ = std::move(*made);
        scope_.spawn("run", run());
    }
    Source& source() { return *source_; }
    Channel<Delivery>& out() { return out_; }
    bool ended() const { return ended_; }

    /// Asks it to stop; it must say `cancelled`. What was not taken is refused, as Intake does.
    Task<void> stop() {
        stop_.request();
        out_.close();
        co_await scope_.join();
        EXPECT_EQ(outcome_.has_value() ? "fine" : info(outcome_.error().code).name, "cancelled");
        Cancel never;
        while (out_.size() > 0) {
            auto rest = co_await out_.receive(1, never);
            rest->front().ticket->rejected(Error(Errc::cancelled, "stopped"));
        }
    }
    /// Takes the next `count` events and answers each of them; their words. What it accepts is live
    /// in the ledger.
    Task<std::vector<std::string>> take(std::size_t count, bool accept = true) {
        std::vector<std::string> words;
        Cancel never;
        const auto some = [this] { return out_.size() > 0; };
        while (words.size() < count) {
            const bool came = co_await eventually(loop_, some);
            if (!came) break;
            auto got = co_await out_.receive(1, never);
            Delivery delivery = std::move(got->front());
            words.push_back(rig_.what(delivery.event));
            events[words.back()] = delivery.event;
            if (accept) {
                ledger_.known[delivery.event.id] = Presence::live;
                delivery.ticket->accepted(Admission::stored);
            } else {
                delivery.ticket->rejected(Error(Errc::full, "the queue is full"));
            }
        }
        co_return words;
    }
    /// Lets `span` of the (fast) clock pass; what came meanwhile stays in out().
    Task<void> pass(Duration span) {
        const Instant end = loop_.clock().now() + span;
        const auto later = [this, end] { return loop_.clock().now() >= end; };
        co_await eventually(loop_, later);
    }
    Task<void> settle(std::string word, Outcome outcome) {
        std::vector<Settlement> ended{settlement_of(events[word], outcome)};
        Cancel never;
        const Result<void> settled = co_await source_->settle(ended, never);
        EXPECT_TRUE(settled.has_value()) << settled.error().text();
        EXPECT_TRUE(ended.empty());
    }

    std::map<std::string, Event> events;  // the newest by word

  private:
    Task<void> run() {
        outcome_ = co_await source_->run(stop_);
        ended_ = true;
    }
    Loop& loop_;
    Channel<Delivery> out_;
    const Connections connections_;
    SourceRig& rig_;
    TestLedger& ledger_;
    std::unique_ptr<Source> source_;
    Cancel stop_;
    Result<void> outcome_;
    bool ended_ = false;
    Scope scope_;
};

}  // namespace musher::test
