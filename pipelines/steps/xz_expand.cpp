#include "pipelines/steps/xz_expand.h"

#include "reactor/filters/xz.h"

namespace musher {

namespace {
class XzExpand final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext&, const Options&) override {
        co_return fail(Errc::internal, "xz_expand is a filter");
    }
    bool is_filter() const override { return true; }
    Result<std::unique_ptr<Filter>> filter(const Options& options) const override {
        XzDecodeOptions decode;
        decode.memory_limit = static_cast<std::uint64_t>(options.integer("memory_limit"));
        return make_xz_decoder(decode);
    }
};
}  // namespace

const Spec& xz_expand_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "xz_expand",
        "expand an .xz body",
        "Reads what `xz` and xz_compress write, concatenated files too. A truncated or damaged "
        "body is the item's fault: the job is dead at once.",
        {
            {.name = "memory_limit",
             .type = OptionType::size,
             .help = "memory that expanding may take",
             .fallback = "512MiB",
             .least = 1 << 20},
        },
        {
            {"bytes_in", "size before", 400},
            {"bytes_out", "size after", 1000},
        },
        R"(version: 1
pipeline: expand
source: { hotfolder: { path: /srv/in, match: "*.xz" } }
steps:
  - xz_expand
  - directory: { to: /srv/out, name: "${event.stem}" }
)"};
    return kSpec;
}

std::unique_ptr<Step> make_xz_expand() { return std::make_unique<XzExpand>(); }

}  // namespace musher
