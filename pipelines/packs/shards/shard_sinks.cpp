#include "pipelines/packs/shards/shard_sinks.h"

#include "pipelines/packs/shards/shard_use.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/component/on_disk.h"

namespace musher {

namespace {

Result<ShardRequest> request_of(StepContext& context, const Options& options) {
    if (context.cancel.requested()) return fail(context.cancel.error());
    ShardRequest request;
    MUSHER_TRY(request.spot, find_spot(on_disk(context.event, options.text("shard")),
                                       options.text("lock_dir"), options.text("ssd_dir")));
    request.user = on_disk(context.event, options.text("id"));
    MUSHER_DO(check_user(request.user));
    request.timeout = options.duration("timeout");
    request.on_warning = [](const std::string& what) {
        log::warning("shard.leftover", Json{{"reason", what}});
    };
    return request;
}

StepResult result_of(const ShardSpot& spot, ShardOutcome outcome) {
    StepResult result;
    result.receipt.emplace();
    result.receipt->target = escape_name(spot.target());
    result.receipt->bytes = outcome.totals.bytes;
    Json users = Json::array();
    for (const std::string& user : outcome.users) users.push_back(escape_name(user));
    result.receipt->extra = Json{{"changed", outcome.changed}, {"users", std::move(users)}};
    return result;
}

class ShardCopy final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        MUSHER_CO_TRY(ShardRequest request, request_of(context, options));
        request.verify = options.flag("verify");
        std::uint64_t all = 0;
        request.on_total = [&all](const TreeTotals& totals) { all = totals.bytes; };
        request.copy.on_progress = [&context, &all](const TreeTotals& now) {
            if (all > 0) context.progress(static_cast<int>(now.bytes * 100 / all), "");
        };
        const ShardSpot spot = request.spot;
        MUSHER_CO_TRY(ShardOutcome outcome,
                      co_await add_shard_user(context.loop, std::move(request), context.cancel));
        const bool copied = outcome.copied;
        const TreeTotals totals = outcome.totals;
        StepResult result = result_of(spot, std::move(outcome));
        result.receipt->extra["copied"] = copied;
        result.receipt->extra["files"] = totals.files;
        result.receipt->extra["left_out"] = totals.skipped;
        result.receipt->extra["not_kept"] = totals.unkept;
        co_return result;
    }
    bool uses_body() const override { return false; }
};

class ShardRemove final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        MUSHER_CO_TRY(ShardRequest request, request_of(context, options));
        const ShardSpot spot = request.spot;
        MUSHER_CO_TRY(ShardOutcome outcome,
                      co_await remove_shard_user(context.loop, std::move(request), context.cancel));
        const bool removed = outcome.changed && outcome.users.empty();
        StepResult result = result_of(spot, std::move(outcome));
        result.receipt->extra["removed"] = removed;
        co_return result;
    }
    bool uses_body() const override { return false; }
};

/// What can be said of names without ${…} in them.
Faults check_names(const Options& options) {
    Faults faults;
    const auto plain = [&](std::string_view name) {
        return options.has(name) && options.text(name).find("${") == std::string::npos;
    };
    if (plain("id") && !check_user(options.text("id"))) {
        faults.emplace_back(Errc::usage, "`id` is empty or holds a newline");
    }
    if (!plain("shard")) return faults;
    const Result<ShardSpot> spot = find_spot(options.text("shard"), "l", "s");
    if (!spot) faults.push_back(Error(spot.error()).within("`shard`"));
    return faults;
}

std::vector<Option> options_of(std::string_view shard_help, std::vector<Option> more) {
    std::vector<Option> all = {
        {.name = "shard",
         .type = OptionType::path,
         .help = shard_help,
         .required = true,
         .templated = true},
        {.name = "id",
         .type = OptionType::text,
         .help = "who uses the shard; each user needs one of its own",
         .required = true,
         .templated = true},
        {.name = "lock_dir",
         .type = OptionType::path,
         .help = "folder of the lock files, which name the users",
         .required = true},
        {.name = "ssd_dir",
         .type = OptionType::path,
         .help = "folder on the SSD",
         .required = true,
         .folder = Folder::written},
    };
    all.insert(all.end(), more.begin(), more.end());
    all.push_back({.name = "timeout",
                   .type = OptionType::duration,
                   .help = "how long to wait while somebody else copies or removes this shard; "
                           "0s: as long as the job may",
                   .fallback = "0s"});
    return all;
}
}  // namespace

const Spec& shard_copy_spec() {
    static const Spec kSpec{
        ComponentKind::sink,
        "shard_copy",
        "register a user of a shard; the first one's brings it onto the SSD",
        "The shard, a folder, is copied with its holes, links, owners, modes, times, attributes "
        "and "
        "ACLs, synced, and only then gets its name on the SSD. Registering a user twice is no "
        "fault. `musher shard` and `shard_to_ssd` work with the same folders. A shard that changes "
        "while it is copied is the item's fault.",
        options_of("path of the shard", {{.name = "verify",
                                          .type = OptionType::boolean,
                                          .help = "compare digests, of a new copy or one that "
                                                  "nobody used",
                                          .fallback = "false"}}),
        {{"copied", "whether it was not there before", true},
         {"changed", "whether the user was not registered before", true},
         {"users", "all of them", Json::array({"search1"})},
         {"files", "how many were copied", 3},
         {"left_out", "sockets, pipes and devices that were not copied", 0},
         {"not_kept", "owners and attributes that the SSD or the user's rights did not allow", 0}},
        R"yaml(version: 1
pipeline: shards
source: { hotfolder: { path: /srv/orders, match: "*.activate" } }
key: "${event.stem}"
steps:
  - shard_copy:
      shard: "/srv/shards/${event.stem}"
      id: search1
      lock_dir: /run/shards
      ssd_dir: /ssd
)yaml",
        Repeats::idempotent,
        {},
        check_names};
    return kSpec;
}

std::unique_ptr<Step> make_shard_copy() { return std::make_unique<ShardCopy>(); }

const Spec& shard_remove_spec() {
    static const Spec kSpec{
        ComponentKind::sink,
        "shard_remove",
        "take a user of a shard off; after the last one the shard leaves the SSD",
        "Who is no user is no fault, so that a retry does no harm. Of a shard that is still used "
        "nothing is touched but the list of its users.",
        options_of("path of the shard, of which the name counts", {}),
        {{"removed", "whether the shard left the SSD", true},
         {"changed", "whether the user was registered", true},
         {"users", "who is left", Json::array({"search1"})}},
        R"yaml(version: 1
pipeline: shards_off
source: { hotfolder: { path: /srv/orders, match: "*.stop" } }
key: "${event.stem}"
steps:
  - shard_remove:
      shard: "/srv/shards/${event.stem}"
      id: search1
      lock_dir: /run/shards
      ssd_dir: /ssd
)yaml",
        Repeats::idempotent,
        {},
        check_names};
    return kSpec;
}

std::unique_ptr<Step> make_shard_remove() { return std::make_unique<ShardRemove>(); }

}  // namespace musher
