#include "pipelines/queue/scripts.h"

#include <initializer_list>

namespace musher {

namespace {
/// In the order in which lua/keys.lua names them; the minute's counters follow.
constexpr std::string_view kKeys[] = {"p",  "ready", "delayed", "lease", "o",    "a",  "k",
                                      "u",  "g",     "gw",      "gk",    "dead", "de", "pr",
                                      "cx", "rc",    "done",    "dn",    "rx",   "rd", "meta"};
constexpr std::int64_t kMinuteMs = 60'000;

/// A script is the parts it needs, its own text last.
RedisScript script(std::string_view name, std::initializer_list<std::string_view> parts) {
    std::string source(lua_text("keys"));
    for (const std::string_view part : parts) source += lua_text(part);
    const std::string_view own = lua_text(name);
    MUSHER_CHECK(!own.empty());
    source += own;
    return RedisScript::of("queue." + std::string(name), std::move(source));
}

QueueScripts build() {
    QueueScripts all;
    all.open = script("open", {});
    all.enqueue = script("enqueue", {"turns"});
    all.cycle = script("cycle", {"turns", "receipts", "endings"});
    all.fail = script("fail", {"turns", "receipts", "endings"});
    all.release = script("release", {"turns", "receipts", "endings"});
    all.receipt = script("receipt", {"receipts"});
    all.reap = script("reap", {"turns", "receipts", "endings", "rows"});
    all.find = script("find", {});
    all.show = script("show", {"turns", "receipts", "endings", "rows"});
    all.list = script("list", {"turns", "receipts", "endings", "rows"});
    all.stats = script("stats", {});
    all.cancel = script("cancel", {"turns", "receipts", "endings", "rows"});
    all.replay = script("replay", {"turns", "receipts", "endings", "rows"});
    all.hasten = script("hasten", {"turns", "receipts", "endings", "rows"});
    all.pause = script("pause", {});
    all.purge = script("purge", {"turns", "receipts", "endings"});
    all.withdraw = script("withdraw", {"turns", "receipts", "endings", "rows"});
    all.forget = script("forget", {"turns", "receipts", "endings", "rows"});
    return all;
}
}  // namespace

const QueueScripts& queue_scripts() {
    static const QueueScripts all = build();
    return all;
}

QueueKeys::QueueKeys(const std::string& queue) : prefix_("m1:{" + queue + "}:") {
    for (const std::string_view name : kKeys) fixed_.push_back(key(name));
}

std::vector<std::string> QueueKeys::at(std::int64_t wall_ms) const {
    std::vector<std::string> all = fixed_;
    all.push_back(key("st:" + std::to_string(wall_ms / kMinuteMs)));
    return all;
}

}  // namespace musher
