// The safe coroutine patterns, run on every build: if a compiler breaks one, this fails first.
// g++ 12.2 miscompiles their unsafe siblings (PR 107288, 99576, 100611, 104872, 100897).
#include <gtest/gtest.h>

#include "reactor/task/scope.h"

namespace musher {
namespace {

struct Request {
    explicit Request(std::string n) : name(std::move(n)) {}
    std::string name;
    std::vector<std::string> parts = std::vector<std::string>(3, "a part long enough for the heap");
};

/// Counts its instances, to see a double free or a silent copy as a number.
struct Counted {
    static inline int alive = 0;
    Counted() { ++alive; }
    Counted(const Counted&) { ++alive; }
    Counted(Counted&&) noexcept { ++alive; }
    ~Counted() { --alive; }
};

struct Yield {
    explicit Yield(ReadyList& list) : ready(list) {}
    Yield(Yield&&) = delete;
    ReadyList& ready;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) { ready.post(handle); }
    void await_resume() const noexcept {}
};

Task<std::size_t> measure(ReadyList& ready, Request request) {
    co_await Yield(ready);
    co_return request.name.size() + request.parts.size();
}
Task<int> count(ReadyList& ready, Counted first, std::unique_ptr<int> second) {
    co_await Yield(ready);
    static_cast<void>(first);
    co_return *second;
}

Task<void> named_arguments(ReadyList& ready) {
    const Request request("a name that is too long for the small string");
    for (int i = 0; i < 1000; ++i) {
        const std::size_t size = co_await measure(ready, request);
        EXPECT_EQ(size, request.name.size() + 3);
        Counted counted;
        auto number = std::make_unique<int>(i);
        const int got = co_await count(ready, counted, std::move(number));
        EXPECT_EQ(got, i);
    }
}
Task<void> branches(ReadyList& ready, bool yes, std::string& out) {
    if (yes) {
        const std::size_t size = co_await measure(ready, Request("yes"));
        out = std::to_string(size);
    } else {
        out = "no";
    }
}
Task<void> recurse(ReadyList& ready, int depth) {
    if (depth == 0) co_return;
    co_await Yield(ready);
    co_await recurse(ready, depth - 1);
}

TEST(CompilerCanary, SafePatternsHold) {
    ReadyList ready;
    ManualClock clock;
    std::string out;
    {
        Scope scope("canary", ready, clock);
        scope.spawn("named", named_arguments(ready));
        scope.spawn("branches", branches(ready, true, out));
        scope.spawn("recurse", recurse(ready, 2000));
        ready.run_all();
    }
    EXPECT_EQ(out, "6");
    EXPECT_EQ(Counted::alive, 0);
}

}  // namespace
}  // namespace musher
