#include "reactor/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdio>
#include <mutex>
#include <shared_mutex>

#include "reactor/base/text.h"

namespace musher::log {

namespace {
constexpr std::size_t kFileBytes = 15 << 20;
constexpr std::size_t kOldFiles = 10;
constexpr const char* kJournal = "/run/systemd/journal/socket";
constexpr const char* kLinePattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";

spdlog::level::level_enum native(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

std::shared_ptr<spdlog::sinks::sink> shaped(std::shared_ptr<spdlog::sinks::sink> sink,
                                            const char* pattern) {
    sink->set_formatter(
        std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
    return sink;
}

/// Where lines go; exchanged under its lock while other threads write.
spdlog::sinks::dist_sink_mt& outlet() {
    static const auto sink = std::make_shared<spdlog::sinks::dist_sink_mt>(
        std::vector{shaped(std::make_shared<spdlog::sinks::stderr_sink_mt>(), kLinePattern)});
    return *sink;
}

/// What keeps lines from being written.
struct Trouble {
    std::mutex lock;
    std::string reason;
    std::atomic<bool> known{false};
};
Trouble& the_trouble() {
    static Trouble one;
    return one;
}
thread_local bool t_failed = false;  // the line that this thread writes just now

void on_failure(const std::string& reason) {
    t_failed = true;
    Trouble& trouble = the_trouble();
    const std::lock_guard lock(trouble.lock);
    trouble.reason = reason;
    if (!trouble.known.exchange(true)) {
        std::fprintf(stderr, "musher: lines of the log are lost: %s\n", reason.c_str());
    }
}

void on_success() {
    Trouble& trouble = the_trouble();
    if (!trouble.known) return;
    const std::lock_guard lock(trouble.lock);
    trouble.reason.clear();
    trouble.known = false;
}

spdlog::logger& target() {
    static std::shared_ptr<spdlog::logger> logger = [] {
        const std::shared_ptr<spdlog::sinks::sink> sink(&outlet(), [](spdlog::sinks::sink*) {});
        auto made = std::make_shared<spdlog::logger>("musher", sink);
        made->set_level(spdlog::level::warn);
        made->flush_on(spdlog::level::debug);
        made->set_error_handler(on_failure);
        return made;
    }();
    return *logger;
}

struct Watch {
    std::shared_mutex lock;
    Watcher watcher;
    std::atomic<int> least{INT_MAX};
};
Watch& the_watch() {
    static Watch one;
    return one;
}
bool is_watched(Level level) noexcept {
    return static_cast<int>(level) >= the_watch().least.load(std::memory_order_relaxed);
}

/// As JSON without what terminals obey: JSON itself leaves DEL and U+0080 to U+009F as they are.
std::string quoted(const Json& value) {
    std::string safe;
    const std::string line = to_line(value);
    for (std::size_t i = 0; i < line.size(); ++i) {
        const auto byte = static_cast<unsigned char>(line[i]);
        const auto next = static_cast<unsigned char>(i + 1 < line.size() ? line[i + 1] : '\0');
        if (byte == 0x7f) {
            safe += "\\u007f";
        } else if (byte == 0xc2 && next < 0xa0) {
            safe += "\\u00" + to_hex({&next, 1});
            ++i;
        } else {
            safe += line[i];
        }
    }
    return safe;
}

/// Bare where it reads well, quoted where it would not be one word or not be shown as it is.
std::string value_text(const Json& value) {
    std::string shown = quoted(value);
    if (!value.is_string()) return shown;
    const std::string& text = value.get_ref<const std::string&>();
    const bool word = !text.empty() && text.find_first_of(" =") == std::string::npos;
    return word && shown == '"' + text + '"' ? text : shown;
}
}  // namespace

Result<void> open(std::string_view to, Level level) {
    // Without a journal its library takes every line and drops it.
    std::string no_journal;
    if (to == "journald" && ::access(kJournal, W_OK) != 0) {
        no_journal = errno_error(errno, kJournal).text();
        to = "stderr";
    }
    try {
        std::shared_ptr<spdlog::sinks::sink> sink;
        if (to == "stderr") {
            sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        } else if (to == "journald") {
            sink = std::make_shared<spdlog::sinks::systemd_sink_mt>();
        } else {
            sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(std::string(to),
                                                                          kFileBytes, kOldFiles);
        }
        outlet().set_sinks({shaped(std::move(sink), to == "journald" ? "%v" : kLinePattern)});
        target().set_level(native(level));
        if (!no_journal.empty()) {
            warning("log.no_journal",
                    Json{{"reason", no_journal}, {"hint", "the log goes to stderr instead"}});
        }
        return {};
    } catch (const spdlog::spdlog_ex& caught) {
        return fail(Errc::unavailable, std::string("log: ") + caught.what());
    }
}

std::string trouble() {
    Trouble& trouble = the_trouble();
    const std::lock_guard lock(trouble.lock);
    return trouble.reason;
}

bool enabled(Level level) noexcept {
    return target().should_log(native(level)) || is_watched(level);
}

void watch(Level least, Watcher watcher) {
    Watch& one = the_watch();
    const std::unique_lock lock(one.lock);
    one.least = watcher ? static_cast<int>(least) : INT_MAX;
    one.watcher = std::move(watcher);
}

void set_level(Level level) noexcept { target().set_level(native(level)); }

Result<Level> parse_level(std::string_view name) {
    if (name == "debug") return Level::debug;
    if (name == "info") return Level::info;
    if (name == "warning") return Level::warning;
    if (name == "error") return Level::error;
    return fail(Errc::usage, "'" + std::string(name) + "' is not debug, info, warning or error");
}

void write(Level level, std::string_view event, const Json& fields) {
    if (is_watched(level)) {
        Watch& one = the_watch();
        const std::shared_lock lock(one.lock);
        if (one.watcher) one.watcher(level, event, fields);
    }
    if (!target().should_log(native(level))) return;
    std::string line(event);
    for (const auto& [name, value] : fields.items()) {
        line += ' ';
        line += name;
        line += '=';
        line += value_text(value);
    }
    t_failed = false;
    target().log(native(level), line);
    if (!t_failed) on_success();
}

}  // namespace musher::log
