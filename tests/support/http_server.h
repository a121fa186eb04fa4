// A real HTTP server (tests/services/http_recorder.py) that records what it was sent.
#pragma once

#include <string>
#include <vector>

#include "reactor/base/json.h"
#include "tests/support/service.h"

namespace musher::test {

/// Blocking; for the test's main thread. Dies with the test program, however that ends.
class HttpServer {
  public:
    enum class Listen { tcp, tls, unix_socket };
    explicit HttpServer(Listen listen = Listen::tcp);
    HttpServer(const HttpServer&) = delete;
    ~HttpServer() { stop(); }

    /// Starts again on the same port.
    void start();
    void stop();

    /// "http://127.0.0.1:PORT" + path; https for tls.
    std::string url(const std::string& path) const;
    std::string socket() const { return dir_ / "http.sock"; }
    std::string certificate() const { return dir_ / "cert.pem"; }
    int port() const { return port_; }
    const TempDir& dir() const { return dir_; }
    /// What it got, in order: {method, path, headers, size, sha256, body, client}, {hangup: path}.
    std::vector<Json> requests() const;

  private:
    Listen listen_;
    TempDir dir_;
    int port_ = 0;
    Service service_;
};

}  // namespace musher::test
