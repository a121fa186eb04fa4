#include "reactor/filters/xz.h"

#include <fmt/format.h>
#include <lzma.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "reactor/base/clock.h"

namespace musher {

namespace {

// lzma_code returns at least this often, so that a pool thread is never parked for long.
constexpr std::uint32_t kTimeoutMs = 300;

std::uint32_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

class XzFilter final : public Filter {
  public:
    explicit XzFilter(bool encodes) : encodes_(encodes) {}
    ~XzFilter() override { lzma_end(&stream_); }
    XzFilter(const XzFilter&) = delete;

    std::string_view name() const override { return encodes_ ? "xz_compress" : "xz_expand"; }
    Result<void> push(ByteView& input, Slice& out) override;
    Result<bool> finish(Slice& out) override;
    bool more_output() const override { return more_output_; }
    Json result() const override {
        return Json{{"bytes_in", stream_.total_in}, {"bytes_out", stream_.total_out}};
    }

    lzma_stream* stream() { return &stream_; }

  private:
    Result<bool> step(ByteView& input, Slice& out, lzma_action action);
    Failure failure(lzma_ret code) const;
    Failure too_tight() const;
    std::uint64_t first_need() const;

    static constexpr std::size_t kHead = LZMA_STREAM_HEADER_SIZE + LZMA_BLOCK_HEADER_SIZE_MAX;
    std::vector<std::uint8_t> head_;  // of what is expanded, up to the end of the first header
    lzma_stream stream_ = LZMA_STREAM_INIT;
    bool encodes_;
    bool more_output_ = false;
};

/// True at the end of the stream.
Result<bool> XzFilter::step(ByteView& input, Slice& out, lzma_action action) {
    stream_.next_in = input.data();
    stream_.avail_in = input.size();
    stream_.next_out = out.tail();
    stream_.avail_out = out.room();
    const lzma_ret code = lzma_code(&stream_, action);
    out.resize(out.capacity() - stream_.avail_out);
    input = input.last(stream_.avail_in);
    // A full slice means that more may be waiting inside.
    more_output_ = stream_.avail_out == 0 && code == LZMA_OK;
    if (code == LZMA_STREAM_END) return true;
    if (code == LZMA_OK) return false;
    if (code == LZMA_BUF_ERROR && action == LZMA_RUN) return false;
    return failure(code);
}

/// What the threaded decoder does not tell: the need of the first block, by its header. 0 when the
/// fault lies further on.
std::uint64_t XzFilter::first_need() const {
    const auto* const bytes = head_.data() + LZMA_STREAM_HEADER_SIZE;
    lzma_stream_flags flags{};
    if (stream_.total_out > 0 || head_.size() <= LZMA_STREAM_HEADER_SIZE ||
        lzma_stream_header_decode(&flags, head_.data()) != LZMA_OK) {
        return 0;
    }
    lzma_filter filters[LZMA_FILTERS_MAX + 1];
    lzma_block block{};
    block.filters = filters;
    block.check = flags.check;
    block.header_size = lzma_block_header_size_decode(*bytes);
    if (head_.size() < LZMA_STREAM_HEADER_SIZE + block.header_size ||
        lzma_block_header_decode(&block, nullptr, bytes) != LZMA_OK) {
        return 0;
    }
    const std::uint64_t need = lzma_raw_decoder_memusage(filters);
    lzma_filters_free(filters, nullptr);
    return need == UINT64_MAX ? 0 : need;
}

Failure XzFilter::too_tight() const {
    constexpr std::uint64_t kMiB = 1 << 20;
    const std::string limit = format_size(lzma_memlimit_get(&stream_));
    const std::uint64_t need = (first_need() + kMiB - 1) / kMiB * kMiB;
    if (need == 0) {
        return fail(Errc::corrupt, ".xz data needs more memory to expand than the limit, " + limit,
                    "raise `memory_limit`");
    }
    return fail(Errc::corrupt,
                fmt::format(".xz data needs {} of memory to expand, and the limit is {}",
                            format_size(need), limit),
                fmt::format("raise `memory_limit` to {}", format_size(need)));
}

Failure XzFilter::failure(lzma_ret code) const {
    const std::uint64_t at = stream_.total_in;
    switch (code) {
        case LZMA_FORMAT_ERROR:
            return fail(Errc::corrupt, "not an .xz file");
        case LZMA_DATA_ERROR:
            return fail(Errc::corrupt, fmt::format(".xz data is damaged near byte {}", at));
        case LZMA_BUF_ERROR:
            return fail(Errc::corrupt, fmt::format(".xz data is truncated after {} bytes", at),
                        "the file was not written to its end");
        case LZMA_OPTIONS_ERROR:
            return fail(Errc::corrupt, ".xz data uses options that liblzma does not know");
        case LZMA_MEMLIMIT_ERROR:
            return too_tight();
        case LZMA_MEM_ERROR:
            return fail(Errc::unavailable, "out of memory in liblzma");
        default:
            return fail(Errc::internal, fmt::format("liblzma returned {}", static_cast<int>(code)));
    }
}

Result<void> XzFilter::push(ByteView& input, Slice& out) {
    if (!encodes_ && stream_.total_in == head_.size() && head_.size() < kHead) {
        const ByteView more = input.first(std::min(input.size(), kHead - head_.size()));
        head_.insert(head_.end(), more.begin(), more.end());
    }
    MUSHER_TRY(const bool ended, step(input, out, LZMA_RUN));
    if (ended) return fail(Errc::internal, "liblzma ended early");
    return {};
}

Result<bool> XzFilter::finish(Slice& out) {
    if (out.room() == 0) return false;
    ByteView nothing;
    return step(nothing, out, LZMA_FINISH);
}

}  // namespace

Result<std::unique_ptr<Filter>> make_xz_encoder(const XzEncodeOptions& options) {
    lzma_mt mt{};
    mt.preset = options.level;
    mt.check = LZMA_CHECK_CRC64;
    mt.block_size = options.block_bytes;
    mt.timeout = kTimeoutMs;
    mt.threads = options.threads == 0 ? cores() : options.threads;
    while (mt.threads > 1 && lzma_stream_encoder_mt_memusage(&mt) > options.memory) --mt.threads;
    auto filter = std::make_unique<XzFilter>(true);
    if (const lzma_ret code = lzma_stream_encoder_mt(filter->stream(), &mt); code != LZMA_OK) {
        return fail(Errc::usage, fmt::format("xz refuses level {} with block {}", options.level,
                                             options.block_bytes));
    }
    return std::unique_ptr<Filter>(std::move(filter));
}

Result<std::unique_ptr<Filter>> make_xz_decoder(const XzDecodeOptions& options) {
    lzma_mt mt{};
    mt.flags = LZMA_CONCATENATED;
    mt.threads = options.threads == 0 ? cores() : options.threads;
    mt.timeout = kTimeoutMs;
    mt.memlimit_threading = options.memory_limit;
    mt.memlimit_stop = options.memory_limit;
    auto filter = std::make_unique<XzFilter>(false);
    if (const lzma_ret code = lzma_stream_decoder_mt(filter->stream(), &mt); code != LZMA_OK) {
        return fail(Errc::internal, fmt::format("liblzma returned {}", static_cast<int>(code)));
    }
    return std::unique_ptr<Filter>(std::move(filter));
}

}  // namespace musher
