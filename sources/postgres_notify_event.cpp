#include "sources/postgres_notify_event.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "reactor/base/text.h"
#include "reactor/base/uuid.h"
#include "reactor/drivers/postgres_json.h"

namespace musher::postgres_notify {

namespace {
constexpr std::array<std::string_view, 8> kTaken = {"id",   "source",  "key",     "time",
                                                    "date", "channel", "payload", "pid"};

Json members_of(const Json& payload) {
    Json facts = Json::object();
    if (!payload.is_object()) return facts;
    for (const auto& [name, value] : payload.items()) {
        if (std::find(kTaken.begin(), kTaken.end(), name) == kTaken.end()) facts[name] = value;
    }
    return facts;
}

Result<Json> read_payload(const std::string& text, bool json) {
    if (json && text.empty()) return Json();
    if (json) return parse_json(text);
    if (is_utf8(text)) return Json(text);
    return fail(Errc::corrupt, "not UTF-8");
}

/// From 2^53 on, a number that is no 64-bit integer may stand for several.
bool is_blurred(const Json& id) {
    return id.is_number_float() && std::abs(id.get<double>()) >= 0x1p53;
}
}  // namespace

Event Reading::event_of(Json payload, std::string channel, int pid) const {
    Event event;
    event.kind = "postgres_notify";
    Json facts = members_of(payload);
    facts["channel"] = std::move(channel);
    facts["pid"] = pid;
    facts["payload"] = std::move(payload);
    event.facts = std::move(facts);
    return event;
}

/// The pipeline is part of it, so that two pipelines each make a job of one row; whether the number
/// came as a text is not, since a row tells of a numeric as one. Empty: it has no id.
std::string Reading::id_of(const Json& payload) const {
    if (!by_id || !payload.is_object()) return {};
    const auto id = payload.find("id");
    if (id == payload.end() || id->is_null() || is_blurred(*id)) return {};
    const std::string text = id->is_string() ? id->get<std::string>() : to_line(*id);
    return uuid_of(fmt::format("postgres_notify {} id {}", pipeline, text));
}

Arrival Reading::notification(const PostgresNotification& heard, std::int64_t wall_ms) const {
    Arrival arrival;
    Result<Json> payload = read_payload(heard.payload, json);
    std::string channel = escape_name(heard.channel);
    if (!payload) {
        const Error& why = payload.error();
        arrival.fault = Error(
            Errc::corrupt,
            fmt::format("the payload of a notification on channel {} is {}", channel, why.message),
            json ? "let NOTIFY send JSON, or read its payloads with `payload: text`" : "");
        payload = Json(escape_name(heard.payload));
    }
    std::string id = id_of(*payload);
    arrival.event = event_of(std::move(*payload), std::move(channel), heard.pid);
    arrival.event.id = id.empty() ? new_uuid7(wall_ms) : std::move(id);
    return arrival;
}

Arrival Reading::row(const PostgresResult& rows, int row) const {
    Json values = postgres_row(rows, row);
    std::string from = text_in(values, "channel", only_channel);
    std::string id = id_of(values);
    if (id.empty())
        id = uuid_of(fmt::format("postgres_notify {} row {}", pipeline, to_line(values)));
    Arrival arrival;
    arrival.event = event_of(std::move(values), std::move(from), 0);
    arrival.event.id = std::move(id);
    return arrival;
}

}  // namespace musher::postgres_notify
