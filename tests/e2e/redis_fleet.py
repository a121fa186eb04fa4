"""A Redis with two replicas, and three Sentinels that watch it, in a temporary folder; ended by pid."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile

from house import until

MASTER = "mm"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, *words):
    return subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True,
                          check=False).stdout


class Fleet:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="musher-fleet-", dir="/tmp")
        self.processes = {}
        self.first = self.server()
        for _ in range(2):
            self.server("--replicaof", "127.0.0.1", str(self.first))
        self.sentinels = [self.sentinel() for _ in range(3)]
        # A failover needs Sentinels that know each other, and the replicas.
        until(lambda: all(self.complete(port) for port in self.sentinels), 30,
              "the Sentinels do not find each other")

    def start(self, arguments):
        port = free_port()
        home = os.path.join(self.folder, str(port))
        os.mkdir(home)
        if "--sentinel" in arguments:
            with open(os.path.join(home, "sentinel.conf"), "w") as file:
                file.write(f"sentinel monitor {MASTER} 127.0.0.1 {self.first} 2\n"
                           f"sentinel down-after-milliseconds {MASTER} 500\n"
                           f"sentinel failover-timeout {MASTER} 3000\n")
            arguments = [os.path.join(home, "sentinel.conf"), *arguments]
        self.processes[port] = subprocess.Popen(
            ["redis-server", *arguments, "--port", str(port), "--bind", "127.0.0.1", "--dir", home,
             "--logfile", os.path.join(home, "log")], stdin=subprocess.DEVNULL)
        until(lambda: "PONG" in ask(port, "PING"))
        return port

    def server(self, *more):
        return self.start(["--save", "", "--appendonly", "yes", "--repl-diskless-sync-delay", "0",
                           *more])

    def sentinel(self):
        return self.start(["--sentinel"])

    def complete(self, port):
        words = ask(port, "SENTINEL", "MASTER", MASTER).split("\n")
        facts = dict(zip(words[::2], words[1::2]))
        replicas = ask(self.first, "INFO", "replication")
        return (facts.get("num-slaves") == "2" and facts.get("num-other-sentinels") == "2" and
                replicas.count("state=online") == 2)

    @property
    def queue(self):
        """Of musher.yml."""
        hosts = ", ".join(f"'127.0.0.1:{port}'" for port in self.sentinels)
        return f"queue: {{ redis: {{ sentinels: [{hosts}], master: {MASTER} }} }}\n"

    def master(self):
        words = ask(self.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER).split()
        return int(words[1])

    def kill_master(self):
        """Returns when the Sentinels have made another one of a replica."""
        old = self.master()
        self.end(old)
        until(lambda: self.master() != old, 30, "no failover")
        until(lambda: "role:master" in ask(self.master(), "INFO", "replication"), 30)

    def end(self, port):
        process = self.processes.pop(port)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def close(self):
        for port in list(self.processes):
            self.end(port)
        shutil.rmtree(self.folder, ignore_errors=True)
