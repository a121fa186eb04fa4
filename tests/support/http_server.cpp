#include "tests/support/http_server.h"

#include <unistd.h>

#include <fstream>

namespace musher::test {

HttpServer::HttpServer(Listen listen) : listen_(listen) {
    if (listen_ == Listen::tls) make_certificate(dir_);
    start();
}

void HttpServer::start() {
    std::vector<std::string> argv{
        "/usr/bin/python3", "tests/services/http_recorder.py", dir_ / "requests",
        listen_ == Listen::unix_socket ? socket() : std::to_string(port_)};
    if (listen_ == Listen::tls) {
        argv.push_back(certificate());
        argv.push_back(dir_ / "key.pem");
    }
    port_ = std::stoi(service_.start(std::move(argv)));
}

void HttpServer::stop() {
    service_.stop();
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
