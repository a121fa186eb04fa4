#include "pipelines/app/event_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr Duration kAlive = std::chrono::seconds(10);
constexpr std::array<std::string_view, 15> kStates = {
    "waiting", "delayed", "running", "done",   "dead",    "cancelled", "held",  "recovered",
    "paused",  "resumed", "added",   "edited", "removed", "refused",   "mended"};
}  // namespace

Result<void> check_event_state(const std::string& state) {
    if (state.empty() || std::find(kStates.begin(), kStates.end(), state) != kStates.end()) {
        return {};
    }
    const auto meant = nearest(state, kStates);
    return fail(Errc::usage, "no event has the state '" + escape_name(state) + "'",
                meant ? fmt::format("did you mean {}?", *meant)
                      : fmt::format("{} are known", fmt::join(kStates, ", ")));
}

EventStream::EventStream(Loop& loop, EventRing& ring, EventWish wish)
    : ring_(ring),
      wish_(std::move(wish)),
      next_(ring.next()),
      rest_("retry: 2000\n\n"),  // ms until a browser asks again after an end
      listener_(ring,
                [this] {
                    if (on_more) on_more();
                }),
      alarm_(loop.timers()) {
    if (wish_.after.empty()) return;
    const std::optional<std::uint64_t> after = ring_.after(wish_.after);
    const bool there = after && *after >= ring_.first();
    if (there) next_ = *after;
    if (!there) say("missed", Json{{"reason", "what came after " + wish_.after + " is forgotten"}});
}

bool EventStream::wanted(const Happening& one) const {
    if (!wish_.pipeline.empty() && one.pipeline != wish_.pipeline) return false;
    return wish_.state.empty() || one.state == wish_.state;
}

void EventStream::say(std::string_view event, const Json& data) {
    rest_ += fmt::format("event: {}\ndata: {}\n\n", event, to_line(data));
}

/// What is there, until `most` bytes are; a little more memory than that is ever used.
void EventStream::fill(std::size_t most) {
    if (over_) return;
    if (next_ < ring_.first()) {
        const std::uint64_t missed = ring_.first() - next_;
        say("cut", Json{{"reason", "read too slowly"}, {"missed", missed}});
        over_ = true;
        return;
    }
    for (; next_ < ring_.next() && rest_.size() < most; ++next_) {
        const Happening& one = ring_.at(next_);
        if (!wanted(one)) continue;
        rest_.append("id: ").append(ring_.id(next_)).append("\nevent: ");
        rest_.append(kind_name(one.kind)).append("\ndata: ");
        rest_.append(ring_.line(next_)).append("\n\n");
    }
    if (rest_.empty() && std::exchange(alive_due_, false)) rest_ = ": nothing new, all is well\n\n";
}

std::size_t EventStream::read(char* into, std::size_t most) {
    fill(most);
    const std::size_t size = std::min(most, rest_.size());
    std::memcpy(into, rest_.data(), size);
    rest_.erase(0, size);
    if (size == 0) await_more();
    return size;
}

void EventStream::await_more() {
    if (over_) return;
    listener_.ask();
    alarm_.arm(kAlive, [this] {
        alive_due_ = true;
        on_more();
    });
}

void EventStream::end() {
    if (over_) return;
    fill(~std::size_t{0});
    if (!over_) say("end", Json{{"reason", "musher stops"}});
    over_ = true;
    alarm_.disarm();
}

}  // namespace musher
