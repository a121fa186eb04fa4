#include "bench/running_musher.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace musher::bench {

namespace {
void write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    MUSHER_CHECK(file.flush().good());
}

void add_status(const std::filesystem::path& path, Usage& usage) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::string name = line.substr(0, line.find(':'));
        const double value = std::atof(line.c_str() + name.size() + 1);
        if (name == "VmRSS") usage.rss_mib = value / 1024;
        if (name == "VmHWM") usage.peak_mib = value / 1024;
        if (name.ends_with("_ctxt_switches")) usage.switches += value;
    }
}
}  // namespace

Usage usage_of(pid_t pid) {
    Usage usage;
    for (const auto& task :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
        add_status(task.path() / "status", usage);
    }
    return usage;
}

/// proc(5): what follows the name in parentheses begins with the third field.
double processor_s(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string line;
    std::getline(file, line);
    std::istringstream fields(line.substr(line.rfind(')') + 1));
    std::string field;
    double ticks = 0;
    for (int number = 3; number <= 17 && fields >> field; ++number) {
        if (number >= 14) ticks += std::atof(field.c_str());  // utime stime cutime cstime
    }
    return ticks / double(::sysconf(_SC_CLK_TCK));
}

RunningMusher::RunningMusher(const std::string& more,
                             const std::map<std::string, std::string>& pipelines)
    : dir_(std::make_unique<test::TempDir>()) {
    std::filesystem::create_directory(*dir_ / "pipelines");
    write_file(*dir_ / "musher.yml", "version: 1\nstate: ./state\npipelines: ./pipelines\n" + more);
    for (const auto& [name, text] : pipelines) {
        write_file(*dir_ / ("pipelines/" + name + ".yml"), "version: 1\n" + text);
    }
}

void RunningMusher::start() {
    const std::string command =
        fmt::format("exec {} run -c {} 2>&1", program_path("musher"), *dir_ / "musher.yml");
    program_ = std::make_unique<Program>(std::vector<std::string>{"sh", "-c", command});
    std::string log;
    while (const std::optional<std::string> said = line(60)) {
        const std::size_t redis = said->find("embedded_redis.ready pid=");
        if (redis != std::string::npos) redis_pid_ = std::atoi(said->c_str() + redis + 25);
        if (said->find("musher.ready") != std::string::npos) return;
        log += *said + "\n";
    }
    fmt::print(stderr, "{}", log);
    MUSHER_CHECK(false && "musher did not start");
}

int RunningMusher::stop() {
    ::kill(program_->pid(), SIGTERM);
    return program_->wait(30);
}

}  // namespace musher::bench
