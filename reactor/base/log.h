// One event name and its fields per line. The only logging facade.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "reactor/base/json.h"

namespace musher::log {

enum class Level { debug, info, warning, error };

/// Sends lines to stderr, the journal (journald's socket; stderr with a warning where there is
/// none) or a file; on error as before. A file of 15 MiB is renamed (musher.log to musher.1.log,
/// ten are kept). Any thread.
Result<void> open(std::string_view to, Level level);
/// Why the last line could not be written (a full disk), told on stderr too; empty: it could.
std::string trouble();
bool enabled(Level level) noexcept;
void set_level(Level level) noexcept;
Result<Level> parse_level(std::string_view name);

using Watcher = std::function<void(Level, std::string_view event, const Json& fields)>;
/// Shows every record from `least` on to `watcher` too, whether the log takes it or not; null: to
/// nobody any more, and nobody looks at one when this returns. The watcher must not log.
void watch(Level least, Watcher watcher);

/// `event` is snake_case with dots ("job.done"); `fields` is an object. Any thread.
void write(Level level, std::string_view event, const Json& fields = Json::object());

inline void debug(std::string_view event, const Json& fields = Json::object()) {
    if (enabled(Level::debug)) write(Level::debug, event, fields);
}
inline void info(std::string_view event, const Json& fields = Json::object()) {
    write(Level::info, event, fields);
}
inline void warning(std::string_view event, const Json& fields = Json::object()) {
    write(Level::warning, event, fields);
}
inline void error(std::string_view event, const Json& fields = Json::object()) {
    write(Level::error, event, fields);
}

}  // namespace musher::log
