#include "sinks/redis_publish.h"

#include "reactor/component/shared_client.h"
#include "reactor/drivers/redis.h"

namespace musher {

namespace {
constexpr auto connect = &shared_client<Redis, RedisTarget>;

class RedisPublish final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        const std::string name = options.text("connection");
        MUSHER_CO_TRY(const std::shared_ptr<Redis> redis, connect(context, name, "redis"));
        const Json& message = options.json("message");
        const std::string text =
            message.is_string() ? message.get<std::string>() : to_line(message);
        std::vector<std::string> argv{"PUBLISH", options.text("channel"), text};
        const std::string channel = argv[1];
        auto reply = co_await redis->command(std::move(argv), context.cancel);
        if (!reply) co_return fail(std::move(reply).error().within("connection " + name));
        StepResult result;
        Receipt& receipt = result.receipt.emplace();
        receipt.target = channel;
        receipt.bytes = text.size();
        receipt.extra["receivers"] = reply->integer;
        co_return result;
    }
    bool uses_body() const override { return false; }
};

Faults check_redis_publish(const Options& options) {
    if (!options.text("channel").empty()) return {};
    return {Error(Errc::usage, "`channel` is empty", "name the channel that others listen to")};
}

}  // namespace

const Spec& redis_publish_spec() {
    static const Spec kSpec{
        ComponentKind::sink,
        "redis_publish",
        "publish a message on a Redis channel",
        "Nobody has to listen: the receipt says how many did. A message that no one received is "
        "not kept.",
        {
            {.name = "connection",
             .type = OptionType::connection,
             .help = "a redis connection of musher.yml",
             .required = true,
             .choices = {"redis"}},
            {.name = "channel",
             .type = OptionType::text,
             .help = "name of the channel",
             .required = true,
             .templated = true},
            {.name = "message",
             .type = OptionType::any,
             .help = "text, or anything else as JSON",
             .required = true,
             .templated = true},
        },
        {{"receivers", "how many subscribers got it", 1}},
        R"(version: 1
pipeline: announce
source: { hotfolder: { path: /srv/in } }
steps:
  - redis_publish:
      connection: bus
      channel: files
      message: { name: "${event.name}", size: "${event.size}" }
)",
        Repeats::after_crash,
        {},
        check_redis_publish};
    return kSpec;
}

std::unique_ptr<Step> make_redis_publish() { return std::make_unique<RedisPublish>(); }

}  // namespace musher
