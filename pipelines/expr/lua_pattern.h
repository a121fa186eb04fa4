// Lua's patterns with counted steps: the language of string.match, without its open-ended
// backtracking. Knows nothing of Lua itself.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace musher {

/// One pattern on one subject. Both must outlive it.
class LuaPattern {
  public:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    static constexpr std::size_t kMostCaptures = 32;
    static constexpr int kMostDepth = 200;  // nesting of repetitions and captures

    struct Capture {
        std::size_t at = 0;
        std::size_t length = 0;  // or one of the two below
    };
    static constexpr std::size_t kPosition = kNone - 1;  // "()": only the place counts
    static constexpr std::size_t kOpen = kNone - 2;      // not closed yet

    /// `steps` is what may still be spent; it is counted down, by several patterns if need be.
    LuaPattern(std::string_view subject, std::string_view pattern, std::size_t& steps)
        : subject_(subject), pattern_(pattern), steps_(steps) {}

    /// Where the match that begins at `from` ends, or kNone: then look at fault().
    std::size_t match(std::size_t from);
    /// What is wrong with the pattern, or that the steps are used up; null if nothing is.
    const char* fault() const { return fault_; }
    std::size_t captures() const { return level_; }
    const Capture& capture(std::size_t index) const { return captures_[index]; }

  private:
    std::size_t run(std::size_t s, std::size_t p);
    std::size_t walk(std::size_t s, std::size_t p);
    bool escape(std::size_t& s, std::size_t& p, bool& taken);
    std::size_t most(std::size_t s, std::size_t p, std::size_t end);
    std::size_t fewest(std::size_t s, std::size_t p, std::size_t end);
    std::size_t open_capture(std::size_t s, std::size_t p, std::size_t length);
    std::size_t close_capture(std::size_t s, std::size_t p);
    std::size_t balance(std::size_t s, std::size_t p);
    std::size_t repeat_capture(std::size_t s, char digit);
    bool frontier(std::size_t s, std::size_t& p);
    std::size_t class_end(std::size_t p);
    bool one(std::size_t s, std::size_t p, std::size_t end);
    bool in_set(unsigned char c, std::size_t p, std::size_t last);
    bool spend(std::size_t count);
    std::size_t stop(const char* fault);
    char pattern_at(std::size_t p) const { return p < pattern_.size() ? pattern_[p] : '\0'; }

    std::string_view subject_;
    std::string_view pattern_;
    std::size_t& steps_;
    const char* fault_ = nullptr;
    int depth_ = 0;
    std::size_t level_ = 0;
    std::array<Capture, kMostCaptures> captures_{};
};

}  // namespace musher
