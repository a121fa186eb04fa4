// A sealed file of unknown origin, in slices of any size; and one of our own, there and back.
#include <string>

#include "reactor/filters/seal.h"
#include "tests/fuzz/targets.h"
#include "tests/support/filter_drive.h"

namespace musher::fuzz {

namespace {
/// Sizes of slices and segments and one change, from the first bytes of the input.
struct Cut {
    std::size_t in_bytes, out_bytes, segment_bytes, change_at;
    unsigned char change;
};
constexpr std::size_t kCutBytes = 6;

Cut read_cut(std::string_view bytes) {
    const auto at = [&](std::size_t i) -> std::size_t {
        return static_cast<unsigned char>(bytes[i]);
    };
    return {1 + at(0), 1 + at(1), 64 + at(2), at(3) << 8 | at(4),
            static_cast<unsigned char>(at(5))};
}
}  // namespace

void sealed(std::string_view bytes) {
    if (bytes.size() < kCutBytes) return;
    const Cut cut = read_cut(bytes);
    const std::string text(bytes.substr(kCutBytes));
    const SealOptions options{Key::parse(std::string(Key::kBytes, 'k')).value(), "aad",
                              cut.segment_bytes, std::string(39, 'h')};
    const auto drive = [&](Filter& filter, const std::string& input) {
        return test::drive(filter, input, cut.in_bytes, cut.out_bytes);
    };

    const Result<std::string> foreign = drive(*make_unseal(options), text);
    MUSHER_CHECK(foreign || foreign.error().code == Errc::corrupt);

    std::string file = drive(*make_seal(options), text).value();
    const Result<std::string> back = drive(*make_unseal(options), file);
    MUSHER_CHECK(back && *back == text);

    char& changed = file[cut.change_at % file.size()];
    changed = static_cast<char>(static_cast<unsigned char>(changed) ^ cut.change);
    MUSHER_CHECK(drive(*make_unseal(options), file).has_value() == (cut.change == 0));
    file.resize(cut.change_at % file.size());
    MUSHER_CHECK(!drive(*make_unseal(options), file));
}

}  // namespace musher::fuzz
