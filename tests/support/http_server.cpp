#include "tests/support/http_server.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "reactor/base/fd.h"

namespace musher::test {

HttpServer::HttpServer(Listen listen) : listen_(listen) {
    if (listen_ == Listen::tls) make_certificate();
    start();
}

void HttpServer::make_certificate() const {
    const std::string command =
        "/usr/bin/openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "
        "30 "
        "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout " +
        (dir_ / "key.pem") + " -out " + certificate() + " 2>/dev/null";
    MUSHER_CHECK(std::system(command.c_str()) == 0);
}

void HttpServer::start() {
    MUSHER_CHECK(pid_ < 0);
    std::vector<std::string> texts{
        "/usr/bin/python3", "tests/services/http_recorder.py", dir_ / "requests",
        listen_ == Listen::unix_socket ? socket() : std::to_string(port_)};
    if (listen_ == Listen::tls) {
        texts.push_back(certificate());
        texts.push_back(dir_ / "key.pem");
    }
    std::vector<char*> argv;
    for (std::string& text : texts) argv.push_back(text.data());
    argv.push_back(nullptr);
    int ends[2];
    MUSHER_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const Fd reader(ends[0]);
    const Fd writer(ends[1]);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    MUSHER_CHECK(pid_ >= 0);
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        ::dup2(writer.get(), 1);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ::close(ends[1]);
    std::string line;
    for (char c = 0; ::read(reader.get(), &c, 1) == 1 && c != '\n';) line += c;
    MUSHER_CHECK(!line.empty());  // else it ended: its reason is on stderr
    port_ = std::stoi(line);
}

void HttpServer::stop() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    ::unlink(socket().c_str());
}

std::string HttpServer::url(const std::string& path) const {
    return std::string(listen_ == Listen::tls ? "https" : "http") +
           "://127.0.0.1:" + std::to_string(port_) + path;
}

std::vector<Json> HttpServer::requests() const {
    std::vector<Json> all;
    std::ifstream lines(dir_ / "requests");
    for (std::string line; std::getline(lines, line);) all.push_back(parse_json(line).value());
    return all;
}

}  // namespace musher::test
