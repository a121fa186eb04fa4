#include "pipelines/steps/unseal.h"

#include "pipelines/steps/seal_options.h"

namespace musher {

namespace {
class UnsealStep final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext&, const Options&) override {
        co_return fail(Errc::internal, "unseal is a filter");
    }
    bool is_filter() const override { return true; }
    Result<std::unique_ptr<Filter>> filter(const Options& options) const override {
        MUSHER_TRY(const SealOptions seal, seal_options(options));
        return make_unseal(seal);
    }
};
}  // namespace

const Spec& unseal_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "unseal",
        "verify and decrypt a sealed body",
        "Reads what `seal` and other writers of Tink's AES256-GCM-HKDF-1MB format (no prefix) "
        "made. Nothing is given out before it was verified; a file that does not verify is the "
        "item's fault: the job is dead at once.",
        seal_option_table(),
        {{"key_id", "names the key, says nothing about it", "0123456789abcdef"}},
        R"(version: 1
pipeline: unseal
source: { hotfolder: { path: /srv/in, match: "*.sealed" } }
steps:
  - unseal: { key_file: /etc/musher/key }
  - directory: { to: /srv/out, name: "${event.stem}" }
)",
        Repeats::never,
        {},
        check_seal_options};
    return kSpec;
}

std::unique_ptr<Step> make_unseal_step() { return std::make_unique<UnsealStep>(); }

}  // namespace musher
