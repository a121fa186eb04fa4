// What a notification, or a row of catch_up, is as an event.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reactor/component/event.h"
#include "reactor/drivers/postgres_result.h"
#include "reactor/drivers/postgres_wire.h"

namespace musher::postgres_notify {

/// An event on its way, with what its payload is to blame for.
struct Arrival {
    Event event;
    std::optional<Error> fault;
};

/// How one pipeline reads what comes. The members of a JSON object become fields; the names of the
/// contract win (id, source, key, time, date, channel, payload, pid), and `payload` holds all of
/// it.
struct Reading {
    std::string pipeline;
    bool json = true;          // else payloads are text
    bool by_id = false;        // a member `id` is who an event is: there is a catch_up
    std::string only_channel;  // of a row that does not name one

    /// With a fault for a payload that cannot be read: the text is there then, escaped where it is
    /// not UTF-8. No payload is null.
    Arrival notification(const PostgresNotification& heard, std::int64_t wall_ms) const;
    /// A column `channel` says which one the row stands for; its pid is 0.
    Arrival row(const PostgresResult& rows, int row) const;

  private:
    Event event_of(Json payload, std::string channel, int pid) const;
    std::string id_of(const Json& payload) const;
};

}  // namespace musher::postgres_notify
