#include "pipelines/queue/embedded_redis_tail.h"

#include "reactor/base/log.h"
#include "reactor/loop/child.h"

namespace musher {

namespace {
constexpr std::size_t kOutputBytes = 4096;
}  // namespace

bool is_tail_cut_short(const Error& end) {
    return end.message.find("Unexpected end of file reading the append only file") !=
           std::string::npos;
}

Task<Result<void>> take_off_cut_tail(Loop& loop, std::string folder, Cancel& cancel) {
    ChildSpec spec;
    spec.argv = {"redis-check-aof", "--fix", folder + "/appendonlydir/appendonly.aof.manifest"};
    spec.stdin_bytes = "y\n";  // it asks
    spec.out = ChildOutput::capture_last(kOutputBytes);
    spec.err = ChildOutput::capture_last(kOutputBytes);
    const Result<ChildExit> exit = co_await run_child(loop, spec, cancel);
    if (!exit && exit.error().code == Errc::not_found) {
        co_return fail(Errc::corrupt,
                       "the embedded redis-server's file ends in the middle of a write, and no "
                       "redis-check-aof is found to mend it",
                       "apt install redis-tools");
    }
    if (!exit) co_return fail(exit.error());
    if (!exit->ok()) {
        co_return fail(Errc::corrupt, "redis-check-aof " + exit->text() + ": " + exit->out,
                       "keep a copy of " + folder + ", then mend it by hand");
    }
    const std::size_t from = exit->out.find("This will shrink");
    if (from == std::string::npos) co_return Result<void>();  // it was whole
    const std::size_t to = exit->out.find('\n', from);
    log::warning("embedded_redis.mended", Json{{"what", exit->out.substr(from, to - from)}});
    co_return Result<void>();
}

}  // namespace musher
