#include "pipelines/app/top_verb.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "pipelines/app/ask.h"
#include "pipelines/app/terminal.h"
#include "pipelines/app/top_table.h"
#include "pipelines/verb/verb_text.h"
#include "reactor/drivers/http.h"
#include "reactor/loop/signals.h"
#include "reactor/task/doorbell.h"

namespace musher {

namespace {

using Kind = VerbOption::Kind;
constexpr Duration kEvery = std::chrono::seconds(1);

/// Asks once a second and shows it at once when a key, or the window, changes the view.
class Top {
  public:
    Top(Loop& loop, std::string state, TopOrder order)
        : loop_(loop), state_(std::move(state)), changed_(loop.ready()) {
        view_.order = order;
    }
    /// Until `q` or a signal; an error when nobody has answered yet, or there is no terminal.
    Task<void> run(Result<void>& outcome);

  private:
    Task<Result<void>> look(Http& http);
    Task<void> pause();
    void on_key(char key);
    void on_signal(int number);
    void draw();

    Loop& loop_;
    std::string state_;
    std::unique_ptr<Terminal> terminal_;
    Json status_;
    Rates rates_;
    TopView view_;
    Doorbell changed_;
    Cancel stop_;
};

Task<Result<void>> Top::look(Http& http) {
    const ApiCall question{"GET", "/status"};
    Result<Json> answer = co_await ask(http, state_, question, stop_);
    if (!answer) co_return fail(answer.error());
    status_ = std::move(*answer);
    rates_.take(status_, loop_.clock().now());
    co_return Result<void>();
}

void Top::draw() {
    if (!terminal_ || status_.is_null()) return;
    view_.screen = screen_size();
    terminal_->show(top_text(status_, rates_, view_));
}

void Top::on_key(char key) {
    if (key == 'q') stop_.request();
    if (key == 'R') view_.reverse = !view_.reverse;
    if (const auto order = top_order(key)) view_.order = *order;
    draw();
}

void Top::on_signal(int number) {
    if (number == SIGWINCH) return draw();
    if (number != SIGTSTP) return stop_.request();
    if (terminal_) terminal_->release();
    ::raise(SIGSTOP);  // the shell goes on; so do we from here, at its `fg`
    if (terminal_) terminal_->retake();
    draw();
}

Task<void> Top::pause() {
    const Result<void> slept = co_await loop_.timers().sleep(kEvery, stop_);
    static_cast<void>(slept);  // stop_ is looked at
}

Task<void> Top::run(Result<void>& outcome) {
    const Signals signals(loop_, {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH},
                          [this](int number) { on_signal(number); });
    Http http(loop_);
    outcome = co_await look(http);
    if (!outcome) co_return;
    auto taken = Terminal::take(loop_, [this](char key) { on_key(key); });
    if (!taken) {
        outcome = fail(taken.error());
        co_return;
    }
    terminal_ = std::move(*taken);
    while (!stop_.requested()) {
        draw();
        co_await pause();
        if (stop_.requested()) break;
        const Result<void> looked = co_await look(http);
        view_.notice = looked ? "" : looked.error().text() + "; it is asked again";
    }
    terminal_.reset();
}

Result<Answer> once(const Call& call, TopOrder order) {
    Answer answer;
    MUSHER_TRY(answer.json, ask_queue(call, ApiCall{"GET", "/status"}));
    TopView view;
    view.order = order;
    answer.text = top_text(answer.json, Rates(), view);
    return answer;
}

Result<Answer> top(const Call& call) {
    const std::string name = call.has("order") ? call.text("order") : "name";
    const auto order = top_order(name);
    if (!order) {
        return fail(
            Errc::usage,
            "--order wants name, waiting, running, speed, dead or oldest, found '" + name + "'");
    }
    const bool screen = ::isatty(STDOUT_FILENO) == 1 && !call.json && !call.has("once");
    if (!screen) return once(call, *order);
    MUSHER_TRY(std::string state, state_folder(call));
    RealClock clock;
    Loop loop(clock);
    Result<void> outcome;
    {
        Top live(loop, std::move(state), *order);
        loop.run(live.run(outcome));
    }
    MUSHER_CHECK(loop.close() == 0);
    if (!outcome) return fail(outcome.error());
    Answer answer;
    answer.told = true;
    return answer;
}

}  // namespace

const Verb& top_verb() {
    static const Verb kVerb{
        "top",
        "what runs, as it changes; q ends it",
        "  musher top\n  musher top --order waiting\n  musher top --once\n",
        {{"order",
          Kind::value,
          "name (default), waiting, running, speed, dead or oldest",
          false,
          "WHAT",
          {"name", "waiting", "running", "speed", "dead", "oldest"}},
         {"once", Kind::flag, "one table; so too when the output is no terminal"}},
        top};
    return kVerb;
}

}  // namespace musher
