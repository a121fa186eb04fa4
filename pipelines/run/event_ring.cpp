#include "pipelines/run/event_ring.h"

#include <fmt/format.h>

#include <charconv>

#include "reactor/base/json.h"

namespace musher {

namespace {
Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end || text.empty()) return std::nullopt;
    return number;
}
}  // namespace

std::string_view kind_name(Happening::Kind kind) {
    switch (kind) {
        case Happening::Kind::job:
            return "job";
        case Happening::Kind::pipeline:
            return "pipeline";
        case Happening::Kind::edit:
            return "edit";
    }
    return "";
}

Happening& EventRing::add(Happening::Kind kind, std::string_view state,
                          const std::string& pipeline) {
    Happening& slot = slots_[next_ % kSize];
    ++next_;
    slot.kind = kind;
    slot.state = state;
    slot.time_ms = clock_.wall_ms();
    slot.attempt = 0;
    slot.pipeline = pipeline;
    for (std::string* text : {&slot.job, &slot.name, &slot.step, &slot.reason, &slot.line}) {
        text->clear();
    }
    for (Listener* one : listeners_) {
        if (std::exchange(one->asks_, false)) one->on_news_();
    }
    return slot;
}

const std::string& EventRing::line(std::uint64_t number) {
    Happening& slot = slots_[number % kSize];
    if (slot.line.empty()) {
        const Json shown{{"type", kind_name(slot.kind)},
                         {"time", format_time(slot.time_ms)},
                         {"pipeline", text_or_null(slot.pipeline)},
                         {"state", slot.state},
                         {"job", text_or_null(slot.job)},
                         {"attempt", slot.attempt > 0 ? Json(slot.attempt) : Json()},
                         {"name", text_or_null(slot.name)},
                         {"step", text_or_null(slot.step)},
                         {"reason", text_or_null(slot.reason)}};
        slot.line = to_line(shown);
    }
    return slot.line;
}

std::string EventRing::id(std::uint64_t number) const {
    return fmt::format("{}-{}", epoch_ms_, number);
}

std::optional<std::uint64_t> EventRing::after(std::string_view id) const {
    const std::size_t dash = id.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto epoch = number_in(id.substr(0, dash));
    const auto number = number_in(id.substr(dash + 1));
    const bool ours = epoch && number && *epoch == static_cast<std::uint64_t>(epoch_ms_);
    if (!ours || *number >= next_) return std::nullopt;
    return *number + 1;
}

EventRing::Listener::Listener(EventRing& ring, std::function<void()> on_news)
    : ring_(ring), on_news_(std::move(on_news)) {
    if (ring_.slots_.empty()) ring_.slots_.resize(kSize);
    place_ = ring_.listeners_.insert(ring_.listeners_.end(), this);
}

EventRing::Listener::~Listener() { ring_.listeners_.erase(place_); }

}  // namespace musher
