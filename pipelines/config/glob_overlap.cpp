#include "pipelines/config/glob_overlap.h"

#include <utility>
#include <vector>

namespace musher {

namespace {
/// What one place of a name may hold. Bytes stand for characters: that a `?` is more than one byte
/// is overlooked.
struct Token {
    bool star = false;
    bool accepts[256] = {};
};

unsigned char fold(unsigned char c, bool fold_case) {
    return fold_case && c >= 'A' && c <= 'Z' ? static_cast<unsigned char>(c + 32) : c;
}

void accept(Token& token, unsigned char from, unsigned char to, bool fold_case) {
    for (unsigned c = from; c <= to; ++c) {
        token.accepts[fold(static_cast<unsigned char>(c), fold_case)] = true;
    }
}

/// Reads the set that begins at `at`, and leaves `at` at its `]`; false when it never ends.
bool read_set(std::string_view glob, std::size_t& at, Token& token, bool fold_case) {
    std::size_t i = at + 1;
    const bool negated = i < glob.size() && (glob[i] == '!' || glob[i] == '^');
    if (negated) ++i;
    for (bool first = true; i < glob.size() && (first || glob[i] != ']'); first = false) {
        const auto from = static_cast<unsigned char>(glob[i++]);
        auto to = from;
        if (i + 1 < glob.size() && glob[i] == '-' && glob[i + 1] != ']') {
            to = static_cast<unsigned char>(glob[i + 1]);
            i += 2;
        }
        accept(token, from, to, fold_case);
    }
    if (i >= glob.size()) return false;
    if (negated) {
        for (bool& accepted : token.accepts) accepted = !accepted;
    }
    at = i;
    return true;
}

std::vector<Token> tokens_of(std::string_view glob, bool fold_case) {
    std::vector<Token> tokens;
    for (std::size_t i = 0; i < glob.size(); ++i) {
        Token token;
        if (glob[i] == '*') {
            token.star = true;
        } else if (glob[i] == '?') {
            accept(token, 1, 255, fold_case);
        } else if (glob[i] != '[' || !read_set(glob, i, token, fold_case)) {
            const auto c = static_cast<unsigned char>(glob[i]);
            accept(token, c, c, fold_case);
        }
        tokens.push_back(token);
    }
    return tokens;
}

bool meet(const Token& a, const Token& b) {
    for (std::size_t c = 0; c < std::size(a.accepts); ++c) {
        if (a.accepts[c] && b.accepts[c]) return true;
    }
    return false;
}
}  // namespace

bool globs_overlap(std::string_view a, std::string_view b, bool fold_case) {
    const std::vector<Token> left = tokens_of(a, fold_case);
    const std::vector<Token> right = tokens_of(b, fold_case);
    // overlap[j]: whether left[i…] and right[j…] can match one text; i goes backwards.
    std::vector<bool> below(right.size() + 1);
    std::vector<bool> overlap(right.size() + 1);
    for (std::size_t i = left.size() + 1; i-- > 0;) {
        for (std::size_t j = right.size() + 1; j-- > 0;) {
            const bool no_left = i == left.size();
            const bool no_right = j == right.size();
            if (no_left && no_right) {
                overlap[j] = true;
            } else if (!no_left && left[i].star) {
                overlap[j] = below[j] || (!no_right && overlap[j + 1]);
            } else if (!no_right && right[j].star) {
                overlap[j] = overlap[j + 1] || (!no_left && below[j]);
            } else {
                overlap[j] = !no_left && !no_right && below[j + 1] && meet(left[i], right[j]);
            }
        }
        std::swap(below, overlap);
    }
    return below[0];
}

}  // namespace musher
