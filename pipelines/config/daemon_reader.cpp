#include "pipelines/config/daemon_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "pipelines/config/tables.h"
#include "reactor/base/text.h"
#include "reactor/drivers/redis_target.h"

namespace musher {

namespace {

constexpr std::size_t kSocketPathBytes = 107;  // sun_path, less its final zero

class Reader {
  public:
    Reader(const std::string& file, std::vector<Problem>& problems)
        : folder_(std::filesystem::path(file).parent_path().string()), problems_(problems) {
        config_.file = file;
        config_.folder = folder_;
    }
    DaemonConfig read(const Value& tree);

  private:
    void error(const Position& at, std::string code, std::string message, std::string hint = "") {
        problems_.push_back(Problem{at, Problem::Severity::error, std::move(code),
                                    std::move(message), std::move(hint)});
    }
    Options section(const Value& tree, std::string_view name, const std::vector<Option>& table);
    std::string absolute(const std::string& path) const;
    void read_state(const Value& tree, const Options& top);
    void read_queue(const Value& tree);
    void read_redis(const Value& value);
    void read_http(const Value& tree);
    void read_connections(const Value& tree);
    void read_connection(const Value::Entry& named);
    void check_redis_url(const std::string& url, const Position& at);

    std::string folder_;
    std::vector<Problem>& problems_;
    DaemonConfig config_;
};

std::string Reader::absolute(const std::string& path) const {
    return std::filesystem::path(folder_ + "/").append(path).lexically_normal().string();
}

Options Reader::section(const Value& tree, std::string_view name,
                        const std::vector<Option>& table) {
    Value none;
    none.kind = Value::Kind::map;
    none.at = tree.at;
    const Value* given = tree.find(name);
    return decode(table, given ? *given : none, name, problems_);
}

DaemonConfig Reader::read(const Value& tree) {
    const std::size_t before = problems_.size();
    const Options top = decode(daemon_table(), tree, "musher.yml", problems_);
    if (!tree.is(Value::Kind::map) || problems_.size() != before) return config_;
    read_state(tree, top);
    config_.timezone = top.text("timezone");
    if (const auto date = format_date(0, config_.timezone); !date) {
        error(tree.find("timezone")->at, "bad_zone", date.error().message, date.error().hint);
    }
    for (const std::string& path : top.list("pipelines")) {
        config_.pipelines.push_back(absolute(path));
    }
    read_queue(tree);
    read_http(tree);
    const Options log = section(tree, "log", log_table());
    config_.log_level = log.text("level");
    config_.log_to = log.text("to");
    if (config_.log_to != "stderr" && config_.log_to != "journald") {
        config_.log_to = absolute(config_.log_to);
    }
    config_.log_tty = log.text("tty");
    const Options history = section(tree, "history", history_table());
    if (problems_.size() == before) {
        config_.history_keep = history.duration("keep");
        config_.history_jobs = static_cast<int>(history.integer("jobs"));
    }
    section(tree, "sentry", sentry_table());
    read_connections(tree);
    if (top.has("environment")) config_.environment = top.json("environment");
    if (const Value* vars = tree.find("vars")) config_.vars = vars->to_json(true);
    return config_;
}

void Reader::read_state(const Value& tree, const Options& top) {
    config_.state = absolute(top.text("state"));
    while (config_.state.size() > 1 && config_.state.back() == '/') config_.state.pop_back();
    config_.node = top.text("node");
    if (config_.node.empty()) {
        char host[256] = "";
        if (gethostname(host, sizeof host - 1) == 0) config_.node = host;
    }
    const std::string longest = config_.state + "/redis/redis.sock";
    if (longest.size() > kSocketPathBytes) {
        const Value* state = tree.find("state");
        error(state ? state->at : tree.at, "path_too_long",
              fmt::format("the socket {} would have {} bytes; the system takes {}", longest,
                          longest.size(), kSocketPathBytes),
              "choose a shorter `state` directory");
    }
}

void Reader::check_redis_url(const std::string& url, const Position& at) {
    if (const auto target = RedisTarget::from_url(url); !target) {
        error(at, "bad_url", target.error().message, target.error().hint);
    }
}

void Reader::read_queue(const Value& tree) {
    const Options queue = section(tree, "queue", queue_table());
    if (queue.has("appendfsync")) config_.queue.fsync_always = queue.text("appendfsync") == "always";
    const Value* given = tree.find("queue");
    const Value* redis = given ? given->find("redis") : nullptr;
    if (redis) read_redis(*redis);
}

void Reader::read_redis(const Value& value) {
    RedisConfig& out = config_.queue;
    out.embedded = false;
    if (value.is(Value::Kind::string)) {
        out.url = value.text;
        check_redis_url(out.url, value.at);
        return;
    }
    const Options redis = decode(redis_table(), value, "redis", problems_);
    out.url = redis.text("url");
    out.sentinels = redis.list("sentinels");
    out.master = redis.text("master");
    out.user = redis.text("user");
    out.password = redis.text("password");
    out.sentinel_password = redis.text("sentinel_password");
    if (redis.has("db")) out.db = static_cast<int>(redis.integer("db"));
    if (!out.url.empty()) check_redis_url(out.url, value.find("url")->at);
    if (out.url.empty() == out.sentinels.empty()) {
        error(value.at, "bad_redis", "redis wants either a url or sentinels");
    } else if (!out.sentinels.empty() && out.master.empty()) {
        error(value.at, "missing_option", "sentinels need the option 'master'",
              "the master's name in the Sentinels' configuration");
    }
}

bool is_loopback(const std::string& listen) {
    const std::string host = listen.substr(0, listen.rfind(':'));
    return host.rfind("127.", 0) == 0 || host == "localhost" || host == "[::1]";
}

void Reader::read_http(const Value& tree) {
    const Options http = section(tree, "http", http_table());
    config_.http_listen = http.text("listen");
    config_.http_token = http.text("token");
    config_.http_path_prefix = http.text("path_prefix");
    if (http.has("users_file")) config_.http_users_file = absolute(http.text("users_file"));
    if (config_.http_listen.empty()) return;
    const Position& at = tree.find("http")->find("listen")->at;
    if (const auto parsed = HostPort::parse(config_.http_listen, 8470); !parsed) {
        error(at, "bad_address", parsed.error().message, parsed.error().hint);
    } else if (!is_loopback(config_.http_listen) && config_.http_token.empty()) {
        error(at, "open_port",
              fmt::format("{} can be reached from other hosts and no token is set",
                          config_.http_listen),
              "add `token: !file PATH` under http:, or listen on 127.0.0.1");
    }
}

void Reader::read_connections(const Value& tree) {
    const Value* connections = tree.find("connections");
    if (!connections) return;
    if (!connections->is(Value::Kind::map)) {
        error(connections->at, "bad_type", "connections wants NAME: { KIND: { options } }");
        return;
    }
    for (const Value::Entry& named : connections->entries) read_connection(named);
}

void Reader::read_connection(const Value::Entry& named) {
    if (!named.value.is(Value::Kind::map) || named.value.entries.size() != 1) {
        error(named.at, "bad_connection",
              fmt::format("'{}' wants exactly one kind: {{ KIND: {{ options }} }}", named.key));
        return;
    }
    const Value::Entry& entry = named.value.entries.front();
    const auto& kinds = connection_kinds();
    const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const ConnectionKind& known) {
        return known.name == entry.key;
    });
    if (kind == kinds.end()) {
        std::vector<std::string_view> names;
        for (const ConnectionKind& known : kinds) names.push_back(known.name);
        const auto meant = nearest(entry.key, names);
        error(entry.at, "unknown_kind",
              fmt::format("there is no kind of connection '{}'", entry.key),
              meant ? fmt::format("did you mean '{}'?", *meant)
                    : fmt::format("known: {}", fmt::join(names, ", ")));
        return;
    }
    Value options = entry.value;
    if (options.is(Value::Kind::string)) {  // `redis: URL`
        Value map;
        map.kind = Value::Kind::map;
        map.at = options.at;
        map.entries.push_back(Value::Entry{"url", options.at, options});
        options = std::move(map);
    }
    const Options decoded = decode(kind->options, options, entry.key, problems_);
    if (entry.key == "redis" && decoded.has("url")) {
        check_redis_url(decoded.text("url"), options.at);
    }
    config_.connections[named.key] = Connection{entry.key, decoded.values()};
}

}  // namespace

DaemonConfig read_daemon_tree(const Value& tree, const std::string& file,
                              std::vector<Problem>& problems) {
    return Reader(file, problems).read(tree);
}

}  // namespace musher
