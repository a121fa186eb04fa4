#include "pipelines/steps/seal_options.h"

namespace musher {

const std::vector<Option>& seal_option_table() {
    static const std::vector<Option> kTable = {
        {.name = "key",
         .type = OptionType::secret,
         .help = "the key: 32 raw bytes or 64 hex digits, from !env or a private !file"},
        {.name = "key_file",
         .type = OptionType::path,
         .help = "a file with the key; private (mode 0600), read for each job"},
        {.name = "aad",
         .type = OptionType::text,
         .help = "text that must be the same to unseal; it is not stored",
         .templated = true},
    };
    return kTable;
}

namespace {
constexpr const char* kMakeKey = "make a key: (umask 077; openssl rand -hex 32 > FILE)";

Result<Key> read_key(const Options& options) {
    if (options.has("key") == options.has("key_file")) {
        return fail(Errc::usage, "give exactly one of `key` and `key_file`");
    }
    if (options.has("key")) return Key::parse(options.text("key"));
    return Key::from_file(options.text("key_file"));
}
}  // namespace

Faults check_seal_options(const Options& options) {
    const Result<Key> key = read_key(options);
    if (key) return {};
    Error error = key.error();
    const bool both = options.has("key") == options.has("key_file");
    const bool file = options.has("key_file") && !both;
    if (!both) error.message = (file ? "`key_file`: " : "`key`: ") + error.message;
    if (file && error.hint.empty()) error.hint = kMakeKey;
    return {std::move(error)};
}

Result<SealOptions> seal_options(const Options& options) {
    MUSHER_TRY(const Key key, read_key(options));
    return SealOptions{key, options.text("aad")};
}

}  // namespace musher
