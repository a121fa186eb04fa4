// A real mail server (tests/services/mail_recorder.py) that records what it took.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "reactor/base/json.h"
#include "tests/support/service.h"

namespace musher::test {

/// Blocking; for the test's main thread. With TLS it wants user bob, password "pass word".
class MailServer {
  public:
    explicit MailServer(std::string mode = "plain") : mode_(std::move(mode)) {
        if (mode_ != "plain") make_certificate(dir_);
        start();
    }
    /// Starts again on the same port.
    void start() {
        std::vector<std::string> argv{"/usr/bin/python3", "tests/services/mail_recorder.py",
                                      dir_ / "mails", std::to_string(port_), mode_};
        if (mode_ != "plain") {
            argv.push_back(certificate());
            argv.push_back(dir_ / "key.pem");
        }
        port_ = std::stoi(service_.start(std::move(argv)));
    }
    void stop() { service_.stop(); }
    void signal(int number) const { service_.signal(number); }

    std::string url() const {
        const std::string scheme = mode_ == "tls" ? "smtps" : "smtp";
        return scheme + "://127.0.0.1:" + std::to_string(port_);
    }
    std::string certificate() const { return dir_ / "cert.pem"; }
    /// A connection's options.
    Json options() const {
        Json options{{"url", url()}, {"from", "Musher <musher@example.com>"}, {"tls", "none"}};
        if (mode_ == "plain") return options;
        options.update(Json{{"tls", "required"},
                            {"user", "bob"},
                            {"password", "pass word"},
                            {"ca_file", certificate()}});
        return options;
    }
    /// What it took, in order; see told() in mail_recorder.py.
    std::vector<Json> mails() const {
        std::vector<Json> all;
        std::ifstream lines(dir_ / "mails");
        for (std::string line; std::getline(lines, line);) all.push_back(parse_json(line).value());
        return all;
    }

  private:
    std::string mode_;
    TempDir dir_;
    int port_ = 0;
    Service service_;
};

}  // namespace musher::test
