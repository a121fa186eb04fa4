// EventReader: server-sent events out of the pieces in which they come.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace musher {

struct ServerEvent {
    std::string id;  // of the last event that had one
    std::string type = "message";
    std::string data;
};

/// As the HTML standard reads a text/event-stream. Lines end with \n, or \r\n.
class EventReader {
  public:
    static constexpr std::size_t kMostBytes = 1 << 20;  // of one event

    /// The events that `piece` completes.
    std::vector<ServerEvent> take(std::string_view piece);
    /// An event is longer than kMostBytes: this is no stream of ours.
    bool broken() const { return line_.size() + event_.data.size() > kMostBytes; }

  private:
    void take_line(std::string_view line, std::vector<ServerEvent>& found);

    std::string line_;  // its end has not come yet
    ServerEvent event_;
    bool has_data_ = false;
};

}  // namespace musher
