// Chain: a file through filters in one pass, a slice at a time on the pool, in bounded memory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "reactor/base/body_file.h"
#include "reactor/base/digest.h"
#include "reactor/filters/filter.h"
#include "reactor/loop/loop.h"

namespace musher {

struct ChainResult {
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::string sha256_out;  // hex, of what was written
};

/// One use. Holds one slice per filter and two for output, whatever the file's size. While a
/// slice is filtered, the one before it is digested and written.
class Chain {
  public:
    /// `filters` (may be empty: a copy) stay the caller's, for their results.
    Chain(Loop& loop, std::vector<std::unique_ptr<Filter>>& filters);
    ~Chain();

    /// Reads `input` from its start to its end and appends to `output`, both open. A Cancel is
    /// heard between slices. On error `output` holds a part; the caller drops it.
    Task<Result<ChainResult>> run(const Fd& input, const Fd& output, Cancel& cancel);
    /// The same with paths; `input` is opened by open_body(), `output` is created (0600) and
    /// removed again on error. Not synced: for scratch files.
    Task<Result<ChainResult>> file_to_file(std::string input, std::string output, Cancel& cancel,
                                           FileIdentity expected = {});

    /// Called on the loop with the bytes read so far.
    void on_progress(std::function<void(std::uint64_t bytes_in)> progress) {
        progress_ = std::move(progress);
    }

  private:
    struct Pump;
    Task<Result<void>> turn(bool more);
    static Task<void> consume(Loop& loop, Pump& pump, Result<void>& outcome);

    Loop& loop_;
    std::vector<std::unique_ptr<Filter>>& filters_;
    std::unique_ptr<Pump> pump_;
    std::function<void(std::uint64_t)> progress_;
};

}  // namespace musher
