#include "pipelines/app/event_reader.h"

namespace musher {

std::vector<ServerEvent> EventReader::take(std::string_view piece) {
    std::vector<ServerEvent> found;
    while (!piece.empty()) {
        const std::size_t end = piece.find('\n');
        line_.append(piece.substr(0, end));
        if (broken() || end == std::string_view::npos) break;
        piece.remove_prefix(end + 1);
        std::string_view line = line_;
        if (line.ends_with('\r')) line.remove_suffix(1);
        take_line(line, found);
        line_.clear();
    }
    return found;
}

void EventReader::take_line(std::string_view line, std::vector<ServerEvent>& found) {
    if (line.empty()) {
        if (has_data_) found.push_back(event_);
        event_.type = "message";
        event_.data.clear();
        has_data_ = false;
        return;
    }
    const std::size_t colon = line.find(':');
    if (colon == 0) return;  // a comment
    const std::string_view field = line.substr(0, colon);
    std::string_view value;
    if (colon != std::string_view::npos) value = line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "id") {
        event_.id = value;
    } else if (field == "event") {
        event_.type = value;
    } else if (field == "data") {
        if (has_data_) event_.data += '\n';
        event_.data += value;
        has_data_ = true;
    }
}

}  // namespace musher
