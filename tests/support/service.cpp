#include "tests/support/service.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "reactor/base/fd.h"

namespace musher::test {

std::string Service::start(std::vector<std::string> words) {
    MUSHER_CHECK(pid_ < 0);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    int ends[2];
    MUSHER_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const Fd reader(ends[0]);
    Fd writer(ends[1]);
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
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

void make_certificate(const TempDir& dir) {
    const std::string command =
        "/usr/bin/openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "
        "30 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout " +
        (dir / "key.pem") + " -out " + (dir / "cert.pem") + " 2>/dev/null";
    MUSHER_CHECK(std::system(command.c_str()) == 0);
}

}  // namespace musher::test
