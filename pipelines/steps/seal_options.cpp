#include "pipelines/steps/seal_options.h"

namespace musher {

const std::vector<Option>& seal_option_table() {
    static const std::vector<Option> kTable = {
        {.name = "key",
         .type = OptionType::secret,
         .help = "the key: 32 raw bytes or 64 hex digits, from !env or !file"},
        {.name = "key_file",
         .type = OptionType::path,
         .help = "a file with the key; mode 0600, read for each job"},
        {.name = "aad",
         .type = OptionType::text,
         .help = "text that must be the same to unseal; it is not stored",
         .templated = true},
    };
    return kTable;
}

Result<void> check_seal_options(const Options& options) {
    if (options.has("key") != options.has("key_file")) return {};
    return fail(Errc::usage, "give exactly one of `key` and `key_file`");
}

Result<SealOptions> seal_options(const Options& options) {
    MUSHER_DO(check_seal_options(options));
    Result<Key> key = options.has("key") ? Key::parse(options.text("key"))
                                         : Key::from_file(options.text("key_file"));
    if (!key) return fail(std::move(key).error());
    return SealOptions{std::move(*key), options.text("aad")};
}

}  // namespace musher
