#include "pipelines/config/daemon_reader.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "pipelines/config/connections.h"
#include "pipelines/config/problems.h"
#include "pipelines/config/tables.h"
#include "reactor/base/limits.h"
#include "reactor/drivers/sentry_dsn.h"

namespace musher {

namespace {
class DaemonReader {
  public:
    DaemonReader(const Value& root, const std::string& file, std::vector<Problem>& problems)
        : root_(root), folder_(std::filesystem::path(file).parent_path()), problems_(problems) {
        config_.file = file;
        config_.folder = folder_.string();
    }
    DaemonConfig read();

  private:
    void read_state(const Options& top);
    void read_timezone(const Options& top);
    void read_queue(const Options& queue);
    void read_http(const Options& http);
    void refuse_empty_token();
    void read_log(const Options& log);
    void read_history(const Options& history);
    void read_sentry(const Options& top);
    void read_sentry_level(const Options& top);
    void refuse_templates(const Value& value);
    Json read_names(std::string_view key);
    std::string absolute(const std::string& path) const {
        return (folder_ / path).lexically_normal().string();
    }
    /// Where `path` ("http", "listen") stands, or what is nearest above it.
    Position place(std::initializer_list<std::string_view> path) const;

    const Value& root_;
    std::filesystem::path folder_;
    std::vector<Problem>& problems_;
    DaemonConfig config_;
};

DaemonConfig DaemonReader::read() {
    if (!check_version(root_, problems_)) return std::move(config_);
    refuse_templates(root_);
    const Options top = decode(daemon_table(), root_, "musher.yml", problems_);
    if (!root_.is(Value::Kind::map)) return std::move(config_);
    read_state(top);
    read_timezone(top);
    for (const std::string& path : top.list("pipelines")) {
        config_.pipelines.push_back(absolute(path));
    }
    read_queue(top.section("queue"));
    read_http(top.section("http"));
    read_log(top.section("log"));
    read_history(top.section("history"));
    read_sentry(top);
    if (const Value* connections = root_.find("connections")) {
        config_.connections = read_connections(*connections, problems_);
    }
    config_.environment = read_names("environment");
    config_.vars = read_names("vars");
    return std::move(config_);
}

Position DaemonReader::place(std::initializer_list<std::string_view> path) const {
    const Value* at = &root_;
    for (const std::string_view key : path) {
        const Value* next = at->find(key);
        if (!next) break;
        at = next;
    }
    return at->at;
}

/// Here nothing renders a ${…}: it would be taken for text, without a word.
void DaemonReader::refuse_templates(const Value& value) {
    for (const Value& item : value.items) refuse_templates(item);
    for (const Value::Entry& entry : value.entries) refuse_templates(entry.value);
    if (!value.is(Value::Kind::string) || value.secret) return;
    if (value.text.find("${") == std::string::npos) return;
    add_error(problems_, value.at, "template_here", "${…} is only rendered in pipeline files",
              "write the whole value as !env NAME or !file PATH");
}

void DaemonReader::read_state(const Options& top) {
    config_.state = top.text("state");
    while (config_.state.size() > 1 && config_.state.ends_with('/')) config_.state.pop_back();
    config_.node = top.text("node");
    if (config_.node.empty()) {
        char host[256] = "";
        if (::gethostname(host, sizeof host - 1) == 0) config_.node = host;
    }
    // Of both sockets in it, control.sock and redis/redis.sock, the longer one.
    const std::string socket = config_.state + "/redis/redis.sock";
    if (socket.size() <= limits::kSocketPath) return;
    add_error(problems_, place({"state"}), "path_too_long",
              fmt::format("the socket {} would have a path of {} bytes, and {} is the most", socket,
                          socket.size(), limits::kSocketPath),
              "choose a shorter state directory");
}

void DaemonReader::read_timezone(const Options& top) {
    config_.timezone = top.text("timezone");
    const Result<std::string> date = format_date(0, config_.timezone);
    if (date || !top.has("timezone")) return;
    add_error(problems_, place({"timezone"}), "unknown_timezone", date.error().message,
              date.error().hint);
}

void DaemonReader::read_queue(const Options& queue) {
    config_.queue.fsync_always = queue.text("appendfsync") != "everysec";
    const Value* given = root_.find("queue");
    const Value* redis = given ? given->find("redis") : nullptr;
    config_.queue.at = redis ? redis->at : root_.at;
    if (!redis) {
        if (given && given->is(Value::Kind::map) && !given->find("appendfsync")) {
            add_error(problems_, given->at, "missing_option", "queue needs the option `redis`",
                      "leave `queue` out for a private redis-server");
        }
        return;
    }
    config_.queue.embedded = false;
    const Options options = queue.section("redis");
    const Value written = with_shorthand(*redis, "url");
    if (written.is(Value::Kind::map)) check_redis(options, written, problems_);
    if (auto target = RedisTarget::from_options(options.values())) {
        config_.queue.target = std::move(*target);
    }
}

bool is_loopback(const std::string& host) {
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool is_address(const std::string& host) {
    in6_addr address{};  // room for either
    return host == "localhost" || ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

/// Nobody could send it: all that wants it would be denied.
void DaemonReader::refuse_empty_token() {
    const Value* http = root_.find("http");
    const Value* token = http ? http->find("token") : nullptr;
    if (!token || !token->secret || token->faulty) return;
    if (token->text.find_first_not_of(" \t\r\n") != std::string::npos) return;
    add_error(problems_, token->at, "empty_token", "`token` is empty",
              "put a long random one into the file or variable that it names");
}

void DaemonReader::read_http(const Options& http) {
    config_.http_listen = http.text("listen");
    config_.http_token = http.text("token");
    config_.http_path_prefix = http.text("path_prefix");
    if (http.has("users_file")) {
        add_error(problems_, place({"http", "users_file"}), "unsupported",
                  "`users_file` guards nothing in this version", "use `token`");
    }
    refuse_empty_token();
    const std::string& prefix = config_.http_path_prefix;
    if (!prefix.empty() && (!prefix.starts_with('/') || prefix.ends_with('/'))) {
        add_error(problems_, place({"http", "path_prefix"}), "bad_path",
                  "`path_prefix` begins with a slash and ends without one", "write /musher");
    }
    if (config_.http_listen.empty()) return;
    const Position at = place({"http", "listen"});
    const Result<HostPort> listen = HostPort::parse(config_.http_listen, 0);
    if (!listen || listen->port == 0) {
        add_error(
            problems_, at, "bad_address",
            listen ? fmt::format("`{}` has no port", config_.http_listen) : listen.error().message,
            "write host:port, such as 127.0.0.1:8470 or 0.0.0.0:8470");
        return;
    }
    if (!is_address(listen->host)) {
        add_error(problems_, at, "bad_address",
                  fmt::format("`{}` is not an IP address", listen->host),
                  "write an address of this host, such as 127.0.0.1:8470 or 0.0.0.0:8470");
        return;
    }
    config_.http_open = !is_loopback(listen->host);
    if (!config_.http_open || root_.find("http")->find("token")) return;
    add_error(problems_, at, "open_to_all",
              fmt::format("other hosts can reach {}, and no token guards it", listen->text()),
              "add `token: !file PATH`, or listen on 127.0.0.1");
}

void DaemonReader::read_log(const Options& log) {
    if (log.has("level")) config_.log_level = log.text("level");
    if (log.has("to")) config_.log_to = log.text("to");
    config_.log_tty = log.text("tty");
    if (config_.log_to == "stderr" || config_.log_to == "journald") return;
    std::error_code failed;
    const std::string file = config_.log_to;
    config_.log_to = absolute(file);
    if (!file.empty() && !std::filesystem::is_directory(config_.log_to, failed)) return;
    add_error(problems_, place({"log", "to"}), "bad_path",
              file.empty() ? "`to` is empty" : "`to` is a folder: " + config_.log_to,
              "write stderr, journald or the path of a file");
}

void DaemonReader::read_history(const Options& history) {
    if (history.has("keep")) config_.history_keep = history.duration("keep");
    if (history.has("jobs")) config_.history_jobs = static_cast<int>(history.integer("jobs"));
}

void DaemonReader::read_sentry(const Options& top) {
    const Options sentry = top.section("sentry");
    constexpr std::tuple<const char*, const char*> kTwice[] = {{"sentry_dsn", "dsn"},
                                                               {"sentry_log_level", "level"}};
    for (const auto& [flat_name, name] : kTwice) {
        const Value* section = root_.find("sentry");
        if (!root_.find(flat_name) || !section || !section->find(name)) continue;
        add_error(problems_, place({flat_name}), "conflicting_options",
                  fmt::format("`{}` and `sentry.{}` say the same thing twice", flat_name, name),
                  "keep one of them");
    }
    const bool flat = top.has("sentry_dsn");
    config_.sentry_dsn = flat ? top.text("sentry_dsn") : sentry.text("dsn");
    Position at = flat ? place({"sentry_dsn"}) : place({"sentry", "dsn"});
    const char* from_environment = std::getenv("SENTRY_DSN");  // NOLINT(concurrency-mt-unsafe)
    std::string named = flat ? "`sentry_dsn`" : "`sentry.dsn`";
    if (config_.sentry_dsn.empty() && from_environment && *from_environment) {
        config_.sentry_dsn = from_environment;
        at = root_.at;
        named = "SENTRY_DSN";
    }
    read_sentry_level(top);
    if (config_.sentry_dsn.empty()) return;
    const Result<SentryDsn> dsn = SentryDsn::parse(config_.sentry_dsn);
    if (dsn) return;
    add_error(problems_, at, "bad_dsn", named + " is " + dsn.error().message, dsn.error().hint);
    config_.sentry_dsn.clear();
}

/// Python's names and numbers, as musher.yml or else SENTRY_LOG_LEVEL says.
std::optional<int> level_number(const std::string& text) {
    constexpr std::pair<std::string_view, int> kNames[] = {
        {"debug", 10}, {"info", 20},  {"warning", 30},  {"warn", 30},
        {"error", 40}, {"fatal", 50}, {"critical", 50},
    };
    std::string small = text;
    for (char& c : small) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (const auto& [name, number] : kNames) {
        if (small == name) return number;
    }
    int number = -1;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = bad == std::errc() && end == text.data() + text.size();
    if (whole && number >= 0 && number <= 50) return number;
    return std::nullopt;
}

void DaemonReader::read_sentry_level(const Options& top) {
    const bool flat = top.has("sentry_log_level");
    const Value* section = root_.find("sentry");
    const bool given = flat || (section && section->find("level"));
    const Options sentry = top.section("sentry");
    std::string text = flat ? top.text("sentry_log_level") : sentry.text("level");
    Position at = flat ? place({"sentry_log_level"}) : place({"sentry", "level"});
    std::string named = "`" + text + "`";
    const char* from_environment =
        std::getenv("SENTRY_LOG_LEVEL");  // NOLINT(concurrency-mt-unsafe)
    if (!given && from_environment && *from_environment) {
        text = from_environment;
        named = "SENTRY_LOG_LEVEL `" + text + "`";
        at = root_.at;
    }
    if (text.empty()) return;
    if (const std::optional<int> number = level_number(text)) {
        config_.sentry_level = *number;
        return;
    }
    add_error(problems_, at, "bad_choice", named + " is no level",
              "write debug, info, warning, error or critical, or a number from 0 to 50");
}

Json DaemonReader::read_names(std::string_view key) {
    const Value* names = root_.find(key);
    if (!names || names->faulty || names->is(Value::Kind::null)) return Json::object();
    if (names->is(Value::Kind::map)) return names->to_json(true);
    add_error(problems_, names->at, "bad_type",
              fmt::format("`{}` wants a map of names, found {}", key, describe_found(*names)),
              "write NAME: VALUE");
    return Json::object();
}
}  // namespace

DaemonConfig read_daemon_tree(const Value& root, const std::string& file,
                              std::vector<Problem>& problems) {
    return DaemonReader(root, file, problems).read();
}

bool is_daemon_tree(const Value& root) {
    if (root.find("source") || root.find("steps")) return false;
    return std::any_of(root.entries.begin(), root.entries.end(), [](const Value::Entry& entry) {
        return entry.key != "version" && find_option(daemon_table(), entry.key) &&
               !find_option(pipeline_table(), entry.key);
    });
}

}  // namespace musher
