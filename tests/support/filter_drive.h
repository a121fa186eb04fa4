// Drives a filter by hand with chosen slice sizes.
#pragma once

#include <algorithm>
#include <string>

#include "reactor/filters/filter.h"

namespace musher::test {

/// All of `input` through `filter`, at most `in_bytes` and `out_bytes` at a time.
inline Result<std::string> drive(Filter& filter, const std::string& input, std::size_t in_bytes,
                                 std::size_t out_bytes) {
    std::string output;
    Slice out(out_bytes);
    const auto take = [&] {
        output.append(as_text(out.view()));
        out.resize(0);
    };
    for (std::size_t at = 0; at < input.size();) {
        const std::size_t size = std::min(in_bytes, input.size() - at);
        ByteView view = as_bytes(std::string_view(input).substr(at, size));
        while (!view.empty() || filter.more_output()) {
            MUSHER_DO(filter.push(view, out));
            take();
        }
        at += size;
    }
    for (;;) {
        MUSHER_TRY(const bool done, filter.finish(out));
        take();
        if (done) return output;
    }
}

inline std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i & 255);
    return text;
}

}  // namespace musher::test
