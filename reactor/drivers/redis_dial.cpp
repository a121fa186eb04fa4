#include "reactor/drivers/redis_dial.h"

namespace musher {

namespace {
using Link = std::unique_ptr<RedisLink>;
constexpr milliseconds kSentinelTimeout{700};  // one that hangs must not cost the whole dial

Task<Result<void>> sign_in(RedisLink& link, const std::string& user, const std::string& password,
                           Cancel& cancel) {
    if (password.empty() && user.empty()) co_return Result<void>();
    std::vector<std::string> argv;
    argv.emplace_back("AUTH");
    if (!user.empty()) argv.push_back(user);
    argv.push_back(password);
    MUSHER_CO_DO(co_await link.ask(std::move(argv), cancel));
    co_return Result<void>();
}

/// The first of a name's addresses that takes the connection.
Task<Result<Link>> connect_host(Loop& loop, const HostPort& where, Cancel& cancel) {
    MUSHER_CO_TRY(std::vector<SocketAddress> all,
                  co_await resolve(loop, where.host, where.port, cancel));
    Error last;
    for (SocketAddress& address : all) {
        Result<Link> link = co_await RedisLink::connect(loop, std::move(address), cancel);
        if (link) co_return link;
        last = std::move(link).error();
        if (cancel.requested()) break;
    }
    co_return fail(std::move(last));
}

/// For the reader of CLIENT LIST; a user without the right to it does without.
void introduce(Loop& loop, RedisLink& link) {
    const std::vector<std::string> argv{"CLIENT", "SETNAME", "musher"};
    const auto call = std::make_shared<RedisCall>(loop, argv);
    call->abandoned = true;
    link.send(call);
}

Task<Result<void>> prepare(Loop& loop, RedisLink& link, const RedisTarget& target, Cancel& cancel) {
    MUSHER_CO_DO(co_await sign_in(link, target.user, target.password, cancel));
    introduce(loop, link);
    if (target.db != 0) {
        std::vector<std::string> select;
        select.emplace_back("SELECT");
        select.push_back(std::to_string(target.db));
        MUSHER_CO_DO(co_await link.ask(std::move(select), cancel));
    }
    // Refused while the server loads its data, and without credentials where they are needed.
    std::vector<std::string> ping(1, "PING");
    MUSHER_CO_DO(co_await link.ask(std::move(ping), cancel));
    co_return Result<void>();
}

Task<Result<HostPort>> ask_sentinel(Loop& loop, const HostPort& sentinel, const RedisTarget& target,
                                    Cancel& cancel) {
    MUSHER_CO_TRY(const Link link, co_await connect_host(loop, sentinel, cancel));
    MUSHER_CO_DO(co_await sign_in(*link, target.sentinel_user, target.sentinel_password, cancel));
    std::vector<std::string> argv;
    argv.emplace_back("SENTINEL");
    argv.emplace_back("get-master-addr-by-name");
    argv.push_back(target.master);
    MUSHER_CO_TRY(const RedisReply reply, co_await link->ask(std::move(argv), cancel));
    if (!reply.is_list() || reply.items.size() != 2) {
        co_return fail(Errc::unavailable, "the sentinel " + sentinel.text() +
                                              " knows no master named " + target.master);
    }
    co_return HostPort::parse(reply.items[0].text + ":" + reply.items[1].text, 0);
}

Task<Result<void>> require_master(RedisLink& link, Cancel& cancel) {
    std::vector<std::string> argv(1, "ROLE");
    MUSHER_CO_TRY(const RedisReply role, co_await link.ask(std::move(argv), cancel));
    const bool master = role.is_list() && !role.items.empty() && role.items[0].text == "master";
    if (master) co_return Result<void>();
    co_return fail(Errc::unavailable, link.server() + " is not a master (yet)");
}

Task<Result<Link>> dial_through(Loop& loop, const HostPort& sentinel, const RedisTarget& target,
                                Cancel& cancel) {
    HostPort master;
    {
        Cancel mine(cancel);
        const Deadline limit(loop.timers(), mine, kSentinelTimeout);
        MUSHER_CO_TRY(master, co_await ask_sentinel(loop, sentinel, target, mine));
    }
    MUSHER_CO_TRY(Link link, co_await connect_host(loop, master, cancel));
    MUSHER_CO_DO(co_await prepare(loop, *link, target, cancel));
    MUSHER_CO_DO(co_await require_master(*link, cancel));
    co_return link;
}
}  // namespace

Task<Result<Link>> redis_dial(Loop& loop, const RedisTarget& target, Cancel& cancel) {
    if (!target.sentinels.empty()) {
        Error last;
        for (const HostPort& sentinel : target.sentinels) {
            Result<Link> link = co_await dial_through(loop, sentinel, target, cancel);
            if (link) co_return link;
            last = std::move(link).error().within("asking the sentinel " + sentinel.text());
            if (cancel.requested()) break;
        }
        co_return fail(std::move(last));
    }
    Link link;
    if (!target.unix_path.empty()) {
        MUSHER_CO_TRY(SocketAddress path, SocketAddress::unix_path(target.unix_path));
        MUSHER_CO_TRY(link, co_await RedisLink::connect(loop, std::move(path), cancel));
    } else {
        MUSHER_CO_TRY(link, co_await connect_host(loop, target.server, cancel));
    }
    MUSHER_CO_DO(co_await prepare(loop, *link, target, cancel));
    co_return link;
}

}  // namespace musher
