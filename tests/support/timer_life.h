// One life of a timer under a clock that a test holds.
#pragma once

#include <gtest/gtest.h>

#include "pipelines/config/yaml.h"
#include "sources/timer.h"
#include "tests/support/held_time.h"
#include "tests/support/source_life.h"

namespace musher::test {

/// co_await stop() at the end.
class TimerLife {
  public:
    TimerLife(Loop& loop, ManualClock& clock, const std::string& yaml, std::string state = "",
              std::size_t room = 64)
        : loop_(loop),
          clock_(clock),
          out_(loop.ready(), room),
          scope_("timer", loop.ready(), loop.clock()) {
        std::vector<Problem> problems;
        const auto value = parse_yaml(yaml, "timer.yml", problems);
        const Options options =
            decode(timer_spec().options, value.value_or(Value()), "timer", problems);
        EXPECT_TRUE(problems.empty()) << problems.front().message;
        SourceContext context{loop, "ticks", "/", out_, ledger, connections_, "node-1"};
        context.state = std::move(state);
        context.timezone = "Europe/Vienna";
        auto made = make_timer(options, context);
        EXPECT_TRUE(made.has_value()) << made.error().text();
        source_ = std::move(*made);
        scope_.spawn("run", run());
    }

    Source& source() { return *source_; }
    Channel<Delivery>& out() { return out_; }
    bool answers = true;  // what comes is accepted; false: it stays in out()
    bool refuses = false;
    TestLedger ledger;
    std::vector<Event> events;  // all that came

    /// Goes on by `span`; the due times of what came meanwhile, as HH:MM:SS UTC.
    Task<std::vector<std::string>> pass(Duration span) {
        const std::size_t before = events.size();
        co_await settle_down(loop_);
        co_await take();
        for (Duration left = span; left.count() > 0; left -= kStep) {
            clock_.advance(std::min(kStep, left));
            loop_.timers().fire_due();
            co_await settle_down(loop_);
            co_await take();
        }
        co_return dues(before);
    }
    /// Those of all events but the first `from`.
    std::vector<std::string> dues(std::size_t from = 0) const {
        std::vector<std::string> due;
        for (std::size_t i = from; i < events.size(); ++i) {
            due.push_back(events[i].facts->at("due").get<std::string>().substr(11, 8));
        }
        return due;
    }
    Task<void> take() {
        Cancel never;
        while (answers && out_.size() > 0) {
            auto got = co_await out_.receive(1, never);
            Delivery delivery = std::move(got->front());
            events.push_back(delivery.event);
            if (refuses) {
                delivery.ticket->rejected(Error(Errc::full, "no room"));
            } else {
                delivery.ticket->accepted(Admission::stored);
            }
            co_await settle_down(loop_);
        }
    }
    /// It must say `cancelled`. What was not taken is refused, as Intake does.
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

  private:
    static constexpr Duration kStep = milliseconds(500);
    Task<void> run() { outcome_ = co_await source_->run(stop_); }
    Loop& loop_;
    ManualClock& clock_;
    Channel<Delivery> out_;
    const Connections connections_;
    std::unique_ptr<Source> source_;
    Cancel stop_;
    Result<void> outcome_;
    Scope scope_;
};

}  // namespace musher::test
