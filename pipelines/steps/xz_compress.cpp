#include "pipelines/steps/xz_compress.h"

#include "reactor/filters/xz.h"

namespace musher {

namespace {
class XzCompress final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext&, const Options&) override {
        co_return fail(Errc::internal, "xz_compress is a filter");
    }
    bool is_filter() const override { return true; }
    Result<std::unique_ptr<Filter>> filter(const Options& options) const override {
        XzEncodeOptions encode;
        encode.level = static_cast<std::uint32_t>(options.integer("level"));
        encode.threads = static_cast<std::uint32_t>(options.integer("threads"));
        encode.block_bytes = static_cast<std::uint64_t>(options.integer("block"));
        return make_xz_encoder(encode);
    }
};
}  // namespace

const Spec& xz_compress_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "xz_compress",
        "compress the body with xz",
        "The body becomes an .xz file, made by several threads in blocks. Names do not change by "
        "themselves: give the sink's `name` its .xz.",
        {
            {.name = "level",
             .type = OptionType::integer,
             .help = "0 (fast) to 9 (small)",
             .fallback = "6",
             .least = 0,
             .most = 9},
            {.name = "threads",
             .type = OptionType::integer,
             .help = "threads that compress; 0: one per core",
             .fallback = "0",
             .least = 0,
             .most = 256},
            {.name = "block",
             .type = OptionType::size,
             .help = "bytes that one thread takes at a time; 0: by level",
             .fallback = "0",
             .least = 0,
             .most = std::int64_t{1} << 40},
        },
        {
            {"bytes_in", "size before", 1000},
            {"bytes_out", "size after", 400},
        },
        R"(version: 1
pipeline: compress
source: { hotfolder: { path: /srv/in } }
steps:
  - xz_compress: { level: 6 }
  - directory: { to: /srv/out, name: "${event.name}.xz" }
)"};
    return kSpec;
}

std::unique_ptr<Step> make_xz_compress() { return std::make_unique<XzCompress>(); }

}  // namespace musher
