// What is fuzzed: one function for each form of data that comes from outside. It takes any bytes,
// aborts when what must hold of them does not, and leaves nothing behind.
#pragma once

#include <string_view>

namespace musher::fuzz {

void configuration(std::string_view bytes);
void cron_line(std::string_view bytes);
void emit_request(std::string_view bytes);
void expression(std::string_view bytes);
void inotify(std::string_view bytes);
void job_record(std::string_view bytes);
void redis_reply(std::string_view bytes);
void sealed(std::string_view bytes);

struct Target {
    std::string_view name;  // its seeds lie in corpus/NAME
    void (*run)(std::string_view bytes);
};
inline constexpr Target kTargets[] = {
    {"configuration", configuration},
    {"cron_line", cron_line},
    {"emit_request", emit_request},
    {"expression", expression},
    {"inotify", inotify},
    {"job_record", job_record},
    {"redis_reply", redis_reply},
    {"sealed", sealed},
};

}  // namespace musher::fuzz
