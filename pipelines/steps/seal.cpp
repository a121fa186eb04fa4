#include "pipelines/steps/seal.h"

#include "pipelines/steps/seal_options.h"

namespace musher {

namespace {
class SealStep final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext&, const Options&) override {
        co_return fail(Errc::internal, "seal is a filter");
    }
    bool is_filter() const override { return true; }
    Result<std::unique_ptr<Filter>> filter(const Options& options) const override {
        MUSHER_TRY(const SealOptions seal, seal_options(options));
        return make_seal(seal);
    }
};
}  // namespace

const Spec& seal_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "seal",
        "encrypt and authenticate the body",
        "Writes Tink's AES256-GCM-HKDF-1MB format without a keyset prefix: any implementation of "
        "it can read the file. A cut, reordered or changed file, and a wrong key, are found when "
        "it is unsealed.",
        seal_option_table(),
        {{"key_id", "names the key, says nothing about it", "0123456789abcdef"}},
        R"(version: 1
pipeline: seal
source: { hotfolder: { path: /srv/in } }
steps:
  - seal: { key_file: /etc/musher/key }
  - directory: { to: /srv/out, name: "${event.name}.sealed" }
)",
        Repeats::never,
        {},
        check_seal_options};
    return kSpec;
}

std::unique_ptr<Step> make_seal_step() { return std::make_unique<SealStep>(); }

}  // namespace musher
