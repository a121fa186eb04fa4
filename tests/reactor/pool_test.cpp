// The pool of live clients: one per type, name and settings; closed when nobody holds them.
#include "reactor/component/pool.h"

#include <gtest/gtest.h>

#include "tests/support/run_loop.h"

namespace musher {
namespace {

struct Client {
    int number;
    std::vector<int>& closed;
    Task<void> close() {
        closed.push_back(number);
        co_return;
    }
};
struct Other {
    int number;
};

Task<void> share(Loop& loop) {
    Pool pool(loop);
    int made = 0;
    std::vector<int> closed;
    const auto make = [&] { return std::make_shared<Client>(Client{++made, closed}); };
    const auto other = [&] { return std::make_shared<Other>(Other{++made}); };
    auto first = pool.get<Client>("shop", "redis://a", make);
    EXPECT_EQ(pool.get<Client>("shop", "redis://a", make), first);
    EXPECT_EQ(pool.get<Other>("shop", "redis://a", other)->number, 2);
    EXPECT_EQ(pool.get<Client>("stock", "redis://a", make)->number, 3);
    EXPECT_EQ(pool.get<Client>("shop", "redis://b", make)->number, 4);
    EXPECT_EQ(pool.get<Client>("shop", "redis://b", make)->number, 4);
    EXPECT_TRUE(closed.empty()) << "who holds the old client keeps it";
    first.reset();
    EXPECT_EQ(pool.get<Client>("shop", "redis://b", make)->number, 4);
    EXPECT_EQ(closed, std::vector<int>{1});
    co_await pool.close();
    std::sort(closed.begin(), closed.end());
    const std::vector<int> all{1, 3, 4};
    EXPECT_EQ(closed, all);
}
TEST(Pool, SharesOneClientPerTypeAndNameUntilItsSettingsChange) { test::on_loop(share); }

Task<void> let_go(Loop& loop) {
    Pool pool(loop);
    int made = 0;
    std::vector<int> closed;
    const auto make = [&] { return std::make_shared<Client>(Client{++made, closed}); };
    Connections named;
    named["shop"] = Connection{"redis", "redis://a"};
    named["stock"] = Connection{"redis", "redis://a"};
    named["gone"] = Connection{"redis", "redis://a"};
    auto shop = pool.get<Client>("shop", "redis://a", make);
    EXPECT_EQ(pool.get<Client>("stock", "redis://a", make)->number, 2);
    EXPECT_EQ(pool.get<Client>("gone", "redis://a", make)->number, 3);
    EXPECT_EQ(pool.get<Client>("", Json(), make)->number, 4);
    pool.keep(named);
    EXPECT_TRUE(closed.empty());
    named["shop"].options = "redis://b";
    named.erase("gone");
    pool.keep(named);
    EXPECT_EQ(closed, std::vector<int>{3}) << "shop's is held";
    shop.reset();
    pool.sweep();
    const std::vector<int> replaced{3, 1};
    EXPECT_EQ(closed, replaced);
    EXPECT_EQ(pool.get<Client>("stock", "redis://a", make)->number, 2);
    EXPECT_EQ(pool.get<Client>("", Json(), make)->number, 4);
    co_await pool.close();
}
TEST(Pool, LetsGoOfClientsWhoseConnectionChanged) { test::on_loop(let_go); }

}  // namespace
}  // namespace musher
