// The table of `musher top`: what `status` says, with rates, sorted, cut to the screen.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "pipelines/app/terminal.h"
#include "reactor/base/clock.h"
#include "reactor/base/json.h"

namespace musher {

/// Jobs per second by pipeline, from one answer of `status` to the next.
class Rates {
  public:
    void take(const Json& status, Instant at);
    /// Nothing before the second answer that knows the pipeline.
    std::optional<double> of(const std::string& pipeline) const;

  private:
    struct Seen {
        std::uint64_t ended = 0;
        std::optional<double> rate;
    };
    std::map<std::string, Seen> seen_;
    Instant at_{};
};

/// What the rows are ordered by; the first letter is its key.
enum class TopOrder { name, waiting, running, speed, dead, oldest };
std::optional<TopOrder> top_order(std::string_view name);
/// By the key that was typed.
std::optional<TopOrder> top_order(char key);

struct TopView {
    TopOrder order = TopOrder::name;
    bool reverse = false;
    std::optional<ScreenSize> screen;  // else all rows and columns, without colours and keys
    std::string notice;                // instead of the keys: why the numbers are old
};

std::string top_text(const Json& status, const Rates& rates, const TopView& view);

}  // namespace musher
