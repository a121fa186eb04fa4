#include "sinks/directory.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "reactor/base/limits.h"
#include "reactor/base/text.h"
#include "reactor/component/on_disk.h"
#include "reactor/drivers/publisher.h"
#include "reactor/filters/chain.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {

Result<mode_t> parse_mode(const std::string& text) {
    unsigned mode = 0;
    const char* end = text.data() + text.size();
    if (std::from_chars(text.data(), end, mode, 8).ptr != end || text.empty() || mode > 07777) {
        return fail(Errc::usage, "`mode` wants octal digits such as 0644, found `" + text + "`");
    }
    if (mode > 0777) {
        return fail(Errc::usage, "`mode` is at most 0777, found `" + text + "`",
                    "what came in from outside gets no set-user-ID, set-group-ID or sticky bit");
    }
    return static_cast<mode_t>(mode);
}

/// "user" or "user:group".
Result<void> parse_owner(const std::string& text, Publication& into) {
    if (text.empty()) return {};
    const std::size_t colon = text.find(':');
    passwd entry{};
    passwd* found = nullptr;
    char buffer[4096];
    if (getpwnam_r(text.substr(0, colon).c_str(), &entry, buffer, sizeof buffer, &found) != 0 ||
        !found) {
        return fail(Errc::usage, "`owner`: there is no user '" + text.substr(0, colon) + "'");
    }
    into.uid = entry.pw_uid;
    if (colon == std::string::npos) return {};
    group group_entry{};
    group* found_group = nullptr;
    if (getgrnam_r(text.substr(colon + 1).c_str(), &group_entry, buffer, sizeof buffer,
                   &found_group) != 0 ||
        !found_group) {
        return fail(Errc::usage, "`owner`: there is no group '" + text.substr(colon + 1) + "'");
    }
    into.gid = group_entry.gr_gid;
    return {};
}

class Directory final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        if (context.body.size > limits::kSliceBytes) {
            // In slices: it can be cancelled, shows its progress, and holds up no batch of others.
            std::vector<std::unique_ptr<Filter>> none;
            co_return co_await run_filtered(context, options, none);
        }
        MUSHER_CO_TRY(Publication wanted, plan(context, options));
        wanted.source = context.body.path;
        wanted.identity = context.body.identity;
        co_return co_await publish(context, std::move(wanted));
    }

    bool takes_filters() const override { return true; }

    Task<Result<StepResult>> run_filtered(StepContext& context, const Options& options,
                                          std::vector<std::unique_ptr<Filter>>& filters) override {
        MUSHER_CO_TRY(Publication wanted, plan(context, options));
        const Result<ChainResult> made = co_await write(context, filters, wanted);
        if (!made) {
            // Removing a large file takes the disk a while.
            auto drop = [&wanted] {
                wanted.prepared = AtomicFile();
                return 0;
            };
            co_await offload(context.loop, drop);
            co_return fail(made.error());
        }
        MUSHER_CO_TRY(StepResult result, co_await publish(context, std::move(wanted)));
        result.receipt->bytes = made->bytes_out;
        result.receipt->sha256 = made->sha256_out;
        co_return result;
    }

  private:
    /// The body through `filters` into wanted.prepared, synced, so that its batch need not wait.
    static Task<Result<ChainResult>> write(StepContext& context,
                                           std::vector<std::unique_ptr<Filter>>& filters,
                                           Publication& wanted) {
        Fd input;
        const std::uint64_t reserved = filters.empty() ? context.body.size : 0;
        auto open = [&]() -> Result<void> {
            MUSHER_TRY(input, open_body(context.body.path, context.body.identity));
            MUSHER_DO(ensure_target(wanted.folder));
            MUSHER_TRY(wanted.prepared,
                       AtomicFile::create(wanted.folder, wanted.name, wanted.mode, reserved));
            return {};
        };
        MUSHER_CO_DO(co_await offload(context.loop, open));
        Chain chain(context.loop, filters);
        const std::uint64_t total = context.body.size;
        chain.on_progress([&context, total](std::uint64_t read) {
            if (total > 0) context.progress(static_cast<int>(read * 100 / total), "");
        });
        MUSHER_CO_TRY(const ChainResult made,
                      co_await chain.run(input, wanted.prepared.fd(), context.cancel));
        if (made.bytes_out > limits::kSliceBytes) {
            auto sync = [&wanted] { return wanted.prepared.sync(); };
            MUSHER_CO_DO(co_await offload(context.loop, sync));
        }
        co_return made;
    }
    static Result<Publication> plan(StepContext& context, const Options& options) {
        if (context.cancel.requested()) return fail(context.cancel.error());
        if (context.body.path.empty()) {
            return fail(Errc::usage, "this job carries no file for `directory` to write");
        }
        Publication wanted;
        wanted.folder = on_disk(context.event, options.text("to"));
        while (wanted.folder.size() > 1 && wanted.folder.back() == '/') wanted.folder.pop_back();
        wanted.name = name_for(context, options);
        MUSHER_DO(check_entry_name(wanted.name));
        MUSHER_TRY(wanted.mode, parse_mode(options.text("mode")));
        MUSHER_DO(parse_owner(options.text("owner"), wanted));
        MUSHER_TRY(wanted.collision, parse_collision(options.text("collision")));
        wanted.job = context.job + "/" + context.place;
        wanted.hops = context.event.hops + 1;
        return wanted;
    }
    static std::string name_for(const StepContext& context, const Options& options) {
        if (options.has("name")) return on_disk(context.event, options.text("name"));
        return on_disk(context.event, text_in(context.event.facts, "name", context.job));
    }
    static Task<Result<StepResult>> publish(StepContext& context, Publication wanted) {
        // Each sink its own: one target that hangs stops no other.
        const auto make = [&context] { return std::make_shared<Publisher>(context.loop); };
        const std::string own = context.pipeline + "/" + context.step;
        const std::shared_ptr<Publisher> publisher = context.pool.get<Publisher>(own, Json(), make);
        MUSHER_CO_TRY(Published made,
                      co_await publisher->publish(std::move(wanted), context.cancel));
        StepResult result;
        result.receipt.emplace();
        result.receipt->target = escape_name(made.path);
        result.receipt->bytes = made.bytes;
        result.receipt->sha256 = std::move(made.sha256);
        co_return result;
    }
};

/// Of a name with ${…} only what surely stands in it: no expression may give a slash either.
Result<void> check_name(const Options& options) {
    const std::string name = options.text("name");
    const std::vector<std::string> ends = literal_ends(name);
    const bool slash = std::any_of(ends.begin(), ends.end(), [](const std::string& text) {
        return text.find('/') != std::string::npos;
    });
    const bool whole = ends.size() == 1;
    if (!slash && (!whole || check_entry_name(name))) return {};
    return fail(Errc::usage, "`name` is no name of a file: `" + name + "`",
                slash ? "folders belong into `to`" : "");
}

Faults check_directory(const Options& options) {
    Faults faults;
    Publication ignored;
    if (options.has("mode")) {
        if (auto mode = parse_mode(options.text("mode")); !mode) faults.push_back(mode.error());
    }
    if (options.has("name")) collect(faults, check_name(options));
    collect(faults, parse_owner(options.text("owner"), ignored));
    return faults;
}
}  // namespace

const Spec& directory_spec() {
    static const Spec kSpec{
        ComponentKind::sink,
        "directory",
        "write the body to a folder",
        "The file gets its name only when it is whole and on disk. A retry of the same job "
        "replaces its own file. What musher wrote is marked, so that a hot folder that reads it "
        "again notices a loop.",
        {
            {.name = "to",
             .type = OptionType::path,
             .help = "the folder; created when it is missing",
             .required = true,
             .templated = true,
             .folder = Folder::written},
            {.name = "name",
             .type = OptionType::text,
             .help = "name of the file; the original's by default",
             .templated = true},
            {.name = "mode",
             .type = OptionType::text,
             .help = "permissions, at most 0777",
             .fallback = "0644"},
            {.name = "owner",
             .type = OptionType::text,
             .help = "user or user:group that gets the file; needs the right to give it away"},
            {.name = "collision",
             .type = OptionType::choice,
             .help = "when another file has the name: number it, replace it, or fail",
             .fallback = "number",
             .choices = {"number", "replace", "fail"}},
        },
        {},
        R"(version: 1
pipeline: copy
source: { hotfolder: { path: /srv/in } }
steps:
  - directory: { to: "/srv/out/${event.date}" }
)",
        Repeats::idempotent,
        "to",
        check_directory};
    return kSpec;
}

std::unique_ptr<Step> make_directory() { return std::make_unique<Directory>(); }

}  // namespace musher
