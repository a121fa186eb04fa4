#include "tests/support/postgres_server.h"

#include <fcntl.h>
#include <pwd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "reactor/base/fd.h"
#include "reactor/base/text.h"
#include "tests/support/server_process.h"

namespace musher::test {

namespace {
using Argv = std::vector<std::string>;

std::vector<pid_t> children_of(pid_t parent) {
    const std::string number = std::to_string(parent);
    std::ifstream list("/proc/" + number + "/task/" + number + "/children");
    std::vector<pid_t> children;
    for (pid_t child = 0; list >> child;) children.push_back(child);
    return children;
}

/// Debian keeps each major version's programs in a folder of its own; the newest counts.
std::string program(const std::string& name) {
    std::string found;
    int newest = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql")) {
        const int version = std::atoi(entry.path().filename().c_str());
        const std::string path = entry.path() / "bin" / name;
        if (version <= newest || !std::filesystem::exists(path)) continue;
        newest = version;
        found = path;
    }
    MUSHER_CHECK(!found.empty());
    return found;
}

/// The server runs as itself, or postgres when root, whom it refuses.
Account account() {
    Account who;
    if (who.uid != 0) return who;
    const passwd* entry = ::getpwnam("postgres");  // NOLINT(concurrency-mt-unsafe)
    MUSHER_CHECK(entry != nullptr);
    return Account{entry->pw_uid, entry->pw_gid, true};
}
void give(const std::string& path) {
    const Account who = account();
    if (who.change) MUSHER_CHECK(::chown(path.c_str(), who.uid, who.gid) == 0);
}

/// Its output; aborts, with it on stderr, when the program fails.
std::string run(const Argv& argv, const Account& who) {
    int ends[2];
    MUSHER_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    const Fd out(ends[0]);
    Fd in(ends[1]);
    const pid_t pid = spawn(argv, who, in.get(), in.get());
    in.reset();
    std::string text;
    char bytes[4096];
    for (ssize_t got = 1; got > 0;) {
        got = ::read(out.get(), bytes, sizeof bytes);
        if (got > 0) text.append(bytes, static_cast<std::size_t>(got));
    }
    const int status = wait_for(pid);
    if (status != 0) std::fprintf(stderr, "%s: %s\n", argv[0].c_str(), text.c_str());
    MUSHER_CHECK(status == 0);
    return text;
}

/// A cluster as initdb leaves it, made once for each test program.
const std::string& template_folder() {
    static const TempDir kHome;
    static const std::string kData = [] {
        std::string data = kHome / "data";
        std::filesystem::permissions(kHome.path(), std::filesystem::perms(0755));
        std::filesystem::create_directory(data);
        std::filesystem::permissions(data, std::filesystem::perms(0700));
        give(data);
        const std::string password = kHome / "password";
        std::ofstream(password) << PostgresServer::password() << "\n";
        run({program("initdb"), "-D", data, "--username=app", "--pwfile=" + password,
             "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--encoding=UTF8",
             "--locale=C", "--no-instructions"},
            account());
        return data;
    }();
    return kData;
}

}  // namespace

PostgresServer::PostgresServer(PostgresSettings settings)
    : settings_(std::move(settings)), dir_(std::make_unique<TempDir>()) {
    std::filesystem::permissions(dir_->path(), std::filesystem::perms(0755));
    run({"/bin/cp", "-a", template_folder(), *dir_ / "data"}, Account());
    std::filesystem::create_directory(socket_folder());
    give(socket_folder());
    if (settings_.tls) make_certificates();
    start();
}

PostgresServer::~PostgresServer() {
    // Immediate: it waits for nobody, and unlike a killed server leaves no shared memory behind.
    end(SIGQUIT);
}

void PostgresServer::write_settings() {
    const std::string path = *dir_ / "data/postgresql.conf";
    std::ofstream conf(path);
    conf << "listen_addresses='127.0.0.1'\nport=" << port_ << "\nunix_socket_directories='"
         << socket_folder() << "'\nmax_connections=100\nwal_level=logical\n"
         << "max_prepared_transactions=10\nshared_buffers=32MB\nlogging_collector=off\n";
    if (!settings_.durable) conf << "fsync=off\nfull_page_writes=off\n";
    if (settings_.tls) conf << "ssl=on\n";
    conf << settings_.more << "\n";
}

void PostgresServer::make_certificates() const {
    const auto request = [&](const std::string& name, const Argv& more) {
        Argv argv{"/usr/bin/openssl",
                  "req",
                  "-newkey",
                  "ec",
                  "-pkeyopt",
                  "ec_paramgen_curve:prime256v1",
                  "-nodes",
                  "-days",
                  "2",
                  "-subj",
                  "/CN=" + name,
                  "-keyout",
                  *dir_ / (name + ".key")};
        argv.insert(argv.end(), more.begin(), more.end());
        run(argv, Account());
    };
    request("ca", {"-x509", "-out", ca_file()});
    request("wrong", {"-x509", "-out", wrong_ca_file()});
    request("localhost", {"-out", *dir_ / "localhost.csr"});
    const std::string names = *dir_ / "names";
    std::ofstream(names) << "subjectAltName=DNS:localhost\n";
    const std::string data = *dir_ / "data/";
    run({"/usr/bin/openssl", "x509", "-req", "-in", *dir_ / "localhost.csr", "-CA", ca_file(),
         "-CAkey", *dir_ / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", names, "-out",
         data + "server.crt"},
        Account());
    std::filesystem::rename(*dir_ / "localhost.key", data + "server.key");
    std::filesystem::permissions(data + "server.key", std::filesystem::perms(0600));
    give(data + "server.crt");
    give(data + "server.key");
}

void PostgresServer::start() {
    const bool keep_port = port_ != 0;
    // Somebody else may take a free port before the server does; after kill() its sessions need a
    // moment to end, and until then a new one refuses to start.
    for (int tries = 0; tries < 200; ++tries) {
        if (!keep_port) port_ = free_port();
        if (try_start()) return;
    }
    std::fputs(log().c_str(), stderr);
    MUSHER_CHECK(false && "postgres did not start");
}

bool PostgresServer::try_start() {
    write_settings();
    const std::string notify_path = *dir_ / "notify";
    const Readiness ready(notify_path);
    give(notify_path);
    const std::string log_path = *dir_ / "log";
    const Fd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    pid_ = spawn(
        {"/usr/bin/env", "NOTIFY_SOCKET=" + notify_path, program("postgres"), "-D", *dir_ / "data"},
        account(), log.get(), log.get());
    if (ready.wait(pid_)) return true;
    kill();
    return false;
}

void PostgresServer::stop() { end(SIGINT); }

void PostgresServer::end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::kill(pid_, SIGCONT);
    wait_for(std::exchange(pid_, -1));
}

void PostgresServer::kill() {
    if (pid_ <= 0) return;
    // Left alone, a server process answers for a moment longer.
    const std::vector<pid_t> processes = children_of(pid_);
    ::kill(pid_, SIGKILL);
    for (const pid_t one : processes) ::kill(one, SIGKILL);
    wait_for(std::exchange(pid_, -1));
}

std::string PostgresServer::exec(const std::string& sql) const {
    std::string rows = run({program("psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v",
                            "ON_ERROR_STOP=1", "-d", url(), "-c", sql},
                           Account());
    if (rows.ends_with('\n')) rows.pop_back();
    return rows;
}

std::string PostgresServer::log() const {
    std::ifstream file(*dir_ / "log");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string PostgresServer::url(const std::string& database) const {
    return "postgresql:///" + database + "?user=app&host=" + url_encode(socket_folder()) +
           "&port=" + std::to_string(port_);
}

std::string PostgresServer::tcp_url(const std::string& host, const std::string& more) const {
    return "postgresql://app:" + url_encode(password()) + "@" + host + ":" + std::to_string(port_) +
           "/postgres" + (more.empty() ? "" : "?" + more);
}

PostgresTarget PostgresServer::target() const { return PostgresTarget::from_url(url()).value(); }

}  // namespace musher::test
