#include "reactor/base/shared_json.h"

#include <gtest/gtest.h>

namespace musher {
namespace {

TEST(SharedJson, CopiesShareUntilOneIsChanged) {
    SharedJson first = Json{{"a", 1}};
    const SharedJson second = first;
    EXPECT_EQ(&*first, &*second);

    first.edit()["a"] = 2;
    EXPECT_EQ(*first, (Json{{"a", 2}}));
    EXPECT_EQ(*second, (Json{{"a", 1}}));

    const Json* const own = &*first;
    first.edit()["b"] = 3;
    EXPECT_EQ(&*first, own) << "nobody else has it";
}

TEST(SharedJson, IsAnEmptyObjectAtFirstAndAfterAMove) {
    SharedJson json;
    EXPECT_EQ(*json, Json::object());
    json.edit()["a"] = 1;
    const SharedJson taken = std::move(json);
    EXPECT_EQ(taken->at("a"), 1);
    EXPECT_EQ(*json, Json::object());  // NOLINT(bugprone-use-after-move): what is left is asked for
    EXPECT_EQ(*SharedJson(), Json::object());
}

}  // namespace
}  // namespace musher
