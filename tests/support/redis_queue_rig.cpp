#include "tests/support/redis_queue_rig.h"

#include <fstream>
#include <sstream>

namespace musher::test {

namespace {
/// A script of this folder, with the parts of the real ones before it. Tests run in the tree.
RedisScript test_script(const std::string& name) {
    std::string source;
    for (const char* part : {"keys", "turns", "receipts", "endings"}) source += lua_text(part);
    std::ifstream file("tests/support/" + name + ".lua");
    std::stringstream own;
    own << file.rdbuf();
    MUSHER_CHECK(!own.str().empty());
    return RedisScript::of(name, source + own.str());
}

Task<std::string> run_script(Redis& redis, const RedisScript& script, std::string queue,
                             std::string arg) {
    std::vector<std::string> keys = QueueKeys(queue).at(0);
    std::vector<std::string> args;
    args.push_back(std::move(arg));
    Cancel never;
    const Result<RedisReply> reply =
        co_await redis.eval(script, std::move(keys), std::move(args), never);
    co_return reply ? reply->text : reply.error().text();
}
}  // namespace

Task<std::string> queue_faults(Redis& redis, std::string queue) {
    static const RedisScript script = test_script("queue_faults");
    co_return co_await run_script(redis, script, std::move(queue), "");
}

Task<void> RedisQueueRig::start(Loop& loop, QueueOptions options) {
    server_.command({"FLUSHALL"});
    redis_ = std::make_unique<Redis>(loop, target_);
    queue_ = std::make_unique<RedisQueue>(loop, *redis_, "orders", options, more_);
    Cancel never;
    const Result<void> opened = co_await queue_->open(never);
    EXPECT_TRUE(opened.has_value()) << opened.error().text();
}

Task<void> RedisQueueRig::pass(milliseconds time) {
    static const RedisScript script = test_script("queue_pass");
    const std::string failed =
        co_await run_script(*redis_, script, "orders", std::to_string(time.count()));
    EXPECT_EQ(failed, "");
}

Task<std::string> RedisQueueRig::faults() { return queue_faults(*redis_, "orders"); }

Task<void> RedisQueueRig::stop() {
    co_await queue_->close();
    co_await redis_->close();
    queue_.reset();
    redis_.reset();
}

}  // namespace musher::test
