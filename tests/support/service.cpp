#include "tests/support/service.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "reactor/base/fd.h"
#include "tests/support/server_process.h"

namespace musher::test {

std::string Service::start(std::vector<std::string> words) {
    MUSHER_CHECK(pid_ < 0);
    int ends[2];
    MUSHER_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const Fd reader(ends[0]);
    Fd writer(ends[1]);
    pid_ = spawn(std::move(words), Account(), writer.get(), 2);
    writer.reset();
    std::string line;
    for (char c = 0; ::read(reader.get(), &c, 1) == 1 && c != '\n';) line += c;
    MUSHER_CHECK(!line.empty());  // else it ended: its reason is on stderr
    return line;
}

void Service::signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
}

void Service::stop() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    wait_for(std::exchange(pid_, -1));
}

void make_certificate(const TempDir& dir) {
    const std::string command =
        "/usr/bin/openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "
        "30 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout " +
        (dir / "key.pem") + " -out " + (dir / "cert.pem") + " 2>/dev/null";
    MUSHER_CHECK(std::system(command.c_str()) == 0);
}

}  // namespace musher::test
