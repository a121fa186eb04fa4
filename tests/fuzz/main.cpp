// libFuzzer's entry. The environment's MUSHER_FUZZ names the target.
#include <cstdio>
#include <cstdlib>

#include "reactor/base/bytes.h"
#include "reactor/base/log.h"
#include "tests/fuzz/targets.h"

namespace {
const musher::fuzz::Target* chosen() {
    const char* name = std::getenv("MUSHER_FUZZ");
    for (const musher::fuzz::Target& target : musher::fuzz::kTargets) {
        if (name && target.name == name) return &target;
    }
    std::fputs("MUSHER_FUZZ names no target; there are:", stderr);
    for (const auto& target : musher::fuzz::kTargets)
        std::fprintf(stderr, " %s", target.name.data());
    std::fputs("\n", stderr);
    std::exit(2);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    static const musher::fuzz::Target* const kTarget = chosen();
    kTarget->run(musher::as_text(musher::ByteView(data, size)));
    return 0;
}
