// The pool of live clients: one per type, name and settings.
#include "reactor/component/pool.h"

#include <gtest/gtest.h>

namespace musher {
namespace {

struct Client {
    int number;
};
struct Other {
    int number;
};

TEST(Pool, SharesOneClientPerTypeAndNameUntilItsSettingsChange) {
    Pool pool;
    int made = 0;
    const auto make = [&] { return std::make_shared<Client>(Client{++made}); };
    const auto other = [&] { return std::make_shared<Other>(Other{++made}); };
    const auto first = pool.get<Client>("shop", "redis://a", make);
    EXPECT_EQ(pool.get<Client>("shop", "redis://a", make), first);
    EXPECT_EQ(pool.get<Other>("shop", "redis://a", other)->number, 2);
    EXPECT_EQ(pool.get<Client>("stock", "redis://a", make)->number, 3);
    EXPECT_EQ(pool.get<Client>("shop", "redis://b", make)->number, 4);
    EXPECT_EQ(first->number, 1) << "who holds the old client keeps it";
    EXPECT_EQ(first.use_count(), 1);
}

}  // namespace
}  // namespace musher
