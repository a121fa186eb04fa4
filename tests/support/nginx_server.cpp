#include "tests/support/nginx_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "reactor/base/fd.h"
#include "tests/support/server_process.h"

namespace musher::test {

namespace {
constexpr int kStartTimeoutMs = 20'000;

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool listens(int port) {
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}
}  // namespace

NginxServer::NginxServer(std::string locations) : locations_(std::move(locations)) {
    std::filesystem::create_directory(files());
    std::filesystem::permissions(dir_.path(), std::filesystem::perms(0755));
    port_ = free_port();
    start();
}

void NginxServer::start() {
    MUSHER_CHECK(pid_ < 0);
    const std::string configuration = dir_ / "nginx.conf";
    // One process, so that one signal ends all of it.
    std::ofstream(configuration)
        << "daemon off; master_process off; pid " << dir_ / "pid" << "; error_log " << dir_ / "log"
        << ";\nevents {}\nhttp {\naccess_log off; default_type application/octet-stream;\n"
        << "client_body_temp_path " << dir_ / "t1" << "; proxy_temp_path " << dir_ / "t2"
        << "; fastcgi_temp_path " << dir_ / "t3" << "; uwsgi_temp_path " << dir_ / "t4"
        << "; scgi_temp_path " << dir_ / "t5" << ";\nserver { listen 127.0.0.1:" << port_
        << "; root " << files() << ";\n"
        << locations_ << "} }\n";
    const Fd said(::open((dir_ / "said").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    pid_ = spawn({"/usr/sbin/nginx", "-c", configuration}, Account(), said.get(), said.get());
    int left = kStartTimeoutMs;
    while (!listens(port_) && left-- > 0) ::poll(nullptr, 0, 1);
    MUSHER_CHECK(left > 0);
}

void NginxServer::kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    wait_for(std::exchange(pid_, -1));
}

std::string NginxServer::url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
}

}  // namespace musher::test
