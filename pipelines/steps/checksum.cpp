#include "pipelines/steps/checksum.h"

#include <algorithm>
#include <cctype>

#include "reactor/base/digest.h"
#include "reactor/base/fd.h"
#include "reactor/base/limits.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {

Result<std::string> digest_slice(const Fd& file, Digest& digest, Slice& slice) {
    for (;;) {
        const ssize_t got = ::read(file.get(), slice.data(), slice.capacity());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(errno_error(errno, "reading the body"));
        if (got == 0) return digest.hex();
        slice.resize(static_cast<std::size_t>(got));
        digest.update(slice.view());
        return std::string();
    }
}

Result<void> check_expected(const Options& options) {
    const std::string expected = options.text("expect");
    if (expected.empty() || expected.find("${") != std::string::npos) return {};
    MUSHER_TRY(const DigestKind kind, parse_digest(options.text("algorithm")));
    const std::size_t digits = Digest(kind).hex().size();
    const bool hex = expected.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    if (hex && expected.size() == digits) return {};
    return fail(Errc::usage, "`expect` wants " + std::to_string(digits) + " hex digits, found " +
                                 std::to_string(expected.size()) +
                                 (hex ? std::string() : " characters, not all of them hex"));
}

Faults check_checksum(const Options& options) {
    Faults faults;
    if (options.has("algorithm")) collect(faults, check_expected(options));
    return faults;
}

class Checksum final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        if (context.body.path.empty()) {
            co_return fail(Errc::usage, "this job carries no file for `checksum` to read");
        }
        const std::string algorithm = options.text("algorithm");
        MUSHER_CO_TRY(const DigestKind kind, parse_digest(algorithm));
        MUSHER_CO_TRY(const Semaphore::Permit heavy,
                      co_await context.loop.heavy().acquire(context.cancel));
        Fd file;
        auto open = [&]() -> Result<void> {
            MUSHER_TRY(file, open_body(context.body.path, context.body.identity));
            return {};
        };
        MUSHER_CO_DO(co_await offload(context.loop, open));
        Digest digest(kind);
        Slice slice(limits::kSliceBytes);
        std::string hex;
        auto work = [&] { return digest_slice(file, digest, slice); };
        while (hex.empty()) {
            if (context.cancel.requested()) co_return fail(context.cancel.error());
            MUSHER_CO_TRY(hex, co_await offload(context.loop, work));
        }
        std::string expected = options.text("expect");
        std::transform(expected.begin(), expected.end(), expected.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (!expected.empty() && expected != hex) {
            co_return fail(Errc::corrupt, algorithm + " is " + hex + ", expected " + expected,
                           "the file is not the one that was announced");
        }
        if (kind == DigestKind::sha256) context.body.sha256 = hex;
        StepResult result;
        result.outputs[algorithm] = hex;
        result.outputs["hex"] = hex;
        co_return result;
    }
};

}  // namespace

const Spec& checksum_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "checksum",
        "compute the body's digest, or compare it",
        "With `expect`, a body with another digest is the item's fault: the job is dead at once.",
        {
            {.name = "algorithm",
             .type = OptionType::choice,
             .help = "digest to compute",
             .fallback = "sha256",
             .choices = {"sha256", "sha1", "md5"}},
            {.name = "expect",
             .type = OptionType::text,
             .help = "hex digits that must come out",
             .templated = true},
        },
        {{"hex", "the digest, lower-case hex digits", std::string(64, '0')}},
        R"(version: 1
pipeline: verify
source: { hotfolder: { path: /srv/in } }
steps:
  - checksum: { algorithm: sha256 }
  - directory: { to: "/srv/out", name: "${steps.checksum.hex}" }
)",
        Repeats::never,
        {},
        check_checksum};
    return kSpec;
}

std::unique_ptr<Step> make_checksum() { return std::make_unique<Checksum>(); }

}  // namespace musher
