// musher.yml, checked.
#pragma once

#include <string>
#include <vector>

#include "pipelines/config/pipeline_file.h"
#include "reactor/component/connections.h"
#include "reactor/drivers/redis_target.h"

namespace musher {

struct RedisConfig {
    bool embedded = true;      // no `queue: redis:` given
    bool fsync_always = true;  // appendfsync of the embedded server
    RedisTarget target;        // unless embedded; holds secrets
    Position at;               // of `redis:`, or where musher.yml begins
};

struct DaemonConfig {
    std::string file;   // absolute; empty when made from flags
    std::string shown;  // the same as people wrote it, as in Problems
    std::string folder;
    std::string text;   // the file's content
    std::string state;  // absolute
    std::string node;   // name shown
    std::string timezone = "UTC";
    std::vector<std::string> pipelines;  // absolute paths of directories and files
    RedisConfig queue;
    std::string http_listen;  // empty: none
    bool http_open = false;   // other hosts can reach it
    std::string http_token;
    std::string http_path_prefix;
    std::string log_level = "info";
    std::string log_to = "stderr";
    std::string log_tty;
    Duration history_keep = std::chrono::hours(24 * 7);
    int history_jobs = 100'000;
    std::string sentry_dsn;  // empty: none; a secret
    int sentry_level = 40;   // the least that is reported, by Python's numbers
    Connections connections;
    Json environment = Json::object();  // seen as env
    Json vars = Json::object();
};

}  // namespace musher
