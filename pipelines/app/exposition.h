// Exposition: Prometheus' text format, version 0.0.4.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reactor/base/histogram.h"

namespace musher {

inline constexpr std::string_view kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

/// Families one after the other, each with all its samples.
class Exposition {
  public:
    enum class Type { counter, gauge, histogram };
    using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

    /// What sample() adds from now on; `name` must stay.
    void family(std::string_view name, Type type, std::string_view help);
    void sample(const Labels& labels, double value);
    void sample(const Labels& labels, const Histogram& value);
    /// A family of one sample without labels.
    void single(std::string_view name, Type type, std::string_view help, double value) {
        family(name, type, help);
        sample({}, value);
    }

    const std::string& text() const { return text_; }

  private:
    void line(std::string_view suffix, const Labels& labels, double value);

    std::string text_;
    std::string_view name_;
};

}  // namespace musher
