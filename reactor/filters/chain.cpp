#include "reactor/filters/chain.h"

#include <unistd.h>

#include <cerrno>

#include "reactor/base/limits.h"
#include "reactor/loop/offload.h"

namespace musher {

/// The blocking side: everything here runs on a pool thread, produce() and consume() side by side.
struct Chain::Pump {
    struct Stage {
        explicit Stage(Filter& one) : filter(&one) {}
        Filter* filter;
        Slice buffer{limits::kSliceBytes};
        ByteView input;
        bool upstream_ended = false;
        bool finishing = false;  // from then on only finish() may be called
        bool ended = false;
    };

    Pump(int input, int output, std::vector<std::unique_ptr<Filter>>& filters)
        : in(input), out(output), digest(DigestKind::sha256) {
        for (const auto& filter : filters) stages.emplace_back(*filter);
    }

    /// Fills `produced` from at most one slice of input; sets `ended` at the end of everything.
    Result<void> produce() {
        budget = 1;
        produced.resize(0);
        MUSHER_TRY(ended, pull(stages.size(), produced));
        return {};
    }
    /// Digests and writes `consumed`.
    Result<void> consume() {
        digest.update(consumed.view());
        MUSHER_DO(write_all(out, as_text(consumed.view())));
        result.bytes_out += consumed.size();
        return {};
    }

    int in;
    int out;
    Digest digest;
    std::vector<Stage> stages;
    Slice produced{limits::kSliceBytes};
    Slice consumed{limits::kSliceBytes};
    int budget = 0;  // slices that this turn may still read
    bool ended = false;
    ChainResult result;

  private:
    Result<bool> pull(std::size_t level, Slice& into);
    Result<void> filter(Stage& stage, Slice& into);
    Result<bool> read_input(Slice& into);
};

/// True when the file has ended.
Result<bool> Chain::Pump::read_input(Slice& into) {
    if (budget == 0) return false;
    --budget;
    for (;;) {
        const ssize_t got = ::read(in, into.tail(), into.room());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(errno_error(errno, "reading"));
        into.resize(into.size() + static_cast<std::size_t>(got));
        result.bytes_in += static_cast<std::uint64_t>(got);
        return got == 0;
    }
}

/// Appends to `into` what the first `level` filters make; true when they have ended.
Result<bool> Chain::Pump::pull(std::size_t level, Slice& into) {
    if (level == 0) return read_input(into);
    Stage& stage = stages[level - 1];
    while (into.room() > 0 && !stage.ended) {
        if (stage.finishing || (stage.input.empty() && !stage.filter->more_output())) {
            if (stage.upstream_ended) {
                stage.finishing = true;
                MUSHER_DO(filter(stage, into));
                if (!stage.ended) break;  // more to give once there is room
                continue;
            }
            stage.buffer.resize(0);
            MUSHER_TRY(stage.upstream_ended, pull(level - 1, stage.buffer));
            stage.input = stage.buffer.view();
            if (stage.input.empty() && !stage.upstream_ended)
                break;  // this turn's input is used up
            continue;
        }
        MUSHER_DO(filter(stage, into));
    }
    return stage.ended;
}

/// One step of one filter; the one that fails is marked.
Result<void> Chain::Pump::filter(Stage& stage, Slice& into) {
    Result<void> done;
    if (stage.finishing) {
        Result<bool> finished = stage.filter->finish(into);
        if (finished) stage.ended = *finished;
        if (!finished) done = fail(std::move(finished).error());
    } else {
        done = stage.filter->push(stage.input, into);
    }
    if (!done) stage.filter->mark_failed();
    return done;
}

Chain::Chain(Loop& loop, std::vector<std::unique_ptr<Filter>>& filters)
    : loop_(loop), filters_(filters) {}

Chain::~Chain() = default;

Task<void> Chain::consume(Loop& loop, Pump& pump, Result<void>& outcome) {
    auto work = [&pump] { return pump.consume(); };
    outcome = co_await offload(loop, work);
}

/// Filters the next slice while the one before it is digested and written.
Task<Result<void>> Chain::turn(bool more) {
    Pump& pump = *pump_;
    Result<void> written;
    Result<void> filtered;
    {
        Scope scope("chain", loop_.ready(), loop_.clock());
        if (!pump.consumed.empty()) scope.spawn("write", consume(loop_, pump, written));
        if (more) {
            auto work = [&pump] { return pump.produce(); };
            filtered = co_await offload(loop_, work);
        }
        co_await scope.join();
    }
    if (!filtered) co_return filtered;
    co_return written;
}

Task<Result<ChainResult>> Chain::run(const Fd& input, const Fd& output, Cancel& cancel) {
    MUSHER_CO_TRY(const Semaphore::Permit heavy, co_await loop_.heavy().acquire(cancel));
    pump_ = std::make_unique<Pump>(input.get(), output.get(), filters_);
    Pump& pump = *pump_;
    bool more = true;
    while (more || !pump.consumed.empty()) {
        if (cancel.requested()) co_return fail(cancel.error());
        MUSHER_CO_DO(co_await turn(more));
        more = more && !pump.ended;
        std::swap(pump.produced, pump.consumed);
        pump.produced.resize(0);
        if (progress_) progress_(pump.result.bytes_in);
    }
    pump.result.sha256_out = pump.digest.hex();
    co_return pump.result;
}

Task<Result<ChainResult>> Chain::file_to_file(std::string input, std::string output, Cancel& cancel,
                                              FileIdentity expected) {
    struct Files {
        Fd in, out;
    };
    auto open = [&]() -> Result<Files> {
        Files files;
        MUSHER_TRY(files.in, open_body(input, expected));
        MUSHER_TRY(files.out, Fd::open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600));
        return files;
    };
    MUSHER_CO_TRY(Files files, co_await offload(loop_, open));
    Result<ChainResult> result = co_await run(files.in, files.out, cancel);
    auto close = [&] {
        files.in.reset();
        files.out.reset();
        return result ? 0 : ::unlink(output.c_str());
    };
    co_await offload(loop_, close);
    co_return result;
}

}  // namespace musher
