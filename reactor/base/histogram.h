// Histogram: how often a span was how long, in fixed buckets.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <span>

namespace musher {

/// Adding a span neither allocates nor locks. One thread.
class Histogram {
  public:
    static constexpr std::size_t kMostBounds = 19;

    /// `bounds`: seconds, ascending, of static life, at most kMostBounds.
    explicit constexpr Histogram(std::span<const double> bounds) : bounds_(bounds) {}

    void add(std::chrono::nanoseconds span) {
        const double seconds = std::chrono::duration<double>(span).count();
        std::size_t bucket = 0;
        while (bucket < bounds_.size() && seconds > bounds_[bucket]) ++bucket;
        ++counts_[bucket];
        ++count_;
        sum_ += seconds;
    }

    std::span<const double> bounds() const { return bounds_; }
    /// Spans over the bound before `bucket` and not over its own; the last one has no bound.
    std::uint64_t in_bucket(std::size_t bucket) const { return counts_[bucket]; }
    std::uint64_t count() const { return count_; }
    double sum_seconds() const { return sum_; }

  private:
    std::span<const double> bounds_;
    std::array<std::uint64_t, kMostBounds + 1> counts_{};
    std::uint64_t count_ = 0;
    double sum_ = 0;
};

}  // namespace musher
