#include "reactor/component/event.h"

#include "reactor/base/clock.h"

namespace musher {

Json Event::to_json() const {
    Json all = facts;
    all["date"] = date;
    return Json{{"id", id},   {"source", source},           {"kind", kind},
                {"key", key}, {"time", format_time(time_ms)}, {"facts", std::move(all)}};
}

Json Event::view() const {
    Json all = facts;
    all["id"] = id;
    all["source"] = source;
    all["key"] = key;
    all["time"] = format_time(time_ms);
    all["date"] = date;
    return all;
}

std::string_view outcome_name(Outcome outcome) {
    constexpr std::string_view kNames[] = {"done", "failed", "dead", "cancelled", "released"};
    return kNames[static_cast<std::size_t>(outcome)];
}

}  // namespace musher
