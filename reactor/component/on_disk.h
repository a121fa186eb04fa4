// Names out of an event's facts, as the disk has them.
#pragma once

#include "reactor/base/text.h"
#include "reactor/component/event.h"

namespace musher {

/// Facts show names that are not UTF-8 with %XX; on disk those are bytes again.
inline std::string on_disk(const Event& event, const std::string& text) {
    return flag_in(event.facts, "name_escaped") ? unescape_name(text) : text;
}

}  // namespace musher
