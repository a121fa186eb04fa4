"""A musher of a test's own: real binary, real folders, its private redis-server.

Everything lies in one temporary folder. Processes are ended by pid. Conditions are waited for with
a deadline; nothing sleeps blindly.
"""

import errno
import fcntl
import hashlib
import http.client
import json
import os
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MUSHER = os.environ.get("MUSHER", os.path.join(ROOT, "build", "bin", "musher"))
SLOW = float(os.environ.get("MUSHER_TEST_SLOWDOWN", "1"))


# A step that lasts until open_gate().
GATE = "  - exec: { argv: [flock, --shared, '{house}/gate.lock', 'true'] }\n"


class TooLate(AssertionError):
    pass


def until(holds, seconds=20.0, what=""):
    """Returns the first true value of holds(); TooLate after `seconds`."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TooLate(what() if callable(what) else what or "it never happened")
        select.select([], [], [], 0.01)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def fill_disk(path):
    """With a file that takes all that is left."""
    with open(path, "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error


def files_in(folder):
    """Relative paths of all regular files below, without musher's own folder."""
    found = []
    for base, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if f != ".musher"]
        found += [os.path.relpath(os.path.join(base, name), folder) for name in names]
    return sorted(found)


class Redis:
    """A shared redis-server on a unix socket; ended by pid."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="musher-redis-", dir="/tmp")
        self.socket = os.path.join(self.folder, "redis.sock")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder,
             "--save", ""], stdout=subprocess.DEVNULL)
        until(lambda: os.path.exists(self.socket))

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class House:
    """`pipelines`: name → YAML text, in which {house} is the temporary folder, made in `root`."""

    def __init__(self, pipelines, extra="", keep=False, user=None, root="/tmp"):
        self.path = tempfile.mkdtemp(prefix="musher-e2e-", dir=root)
        self.process = None
        self.keep = keep
        self.user = user
        self.environment = dict(os.environ)
        os.makedirs(self / "pipelines")
        self.gate = open(self / "gate.lock", "w")
        fcntl.flock(self.gate, fcntl.LOCK_EX)
        for name, text in pipelines.items():
            self.write_pipeline(name, text)
        with open(self / "musher.yml", "w") as file:
            file.write("version: 1\nstate: ./state\npipelines: ./pipelines\n")
            file.write(extra.replace("{house}", self.path))

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.kill_all()
        self.open_gate()
        if kind is not None:
            print(f"--- {self.path}/log")
            print(self.log()[-6000:])
            if self.keep:
                print(f"kept: {self.path}")
                return
        shutil.rmtree(self.path, ignore_errors=True)

    def write_pipeline(self, name, text):
        with open(self / f"pipelines/{name}.yml", "w") as file:
            file.write(text.replace("{house}", self.path))

    def edit_settings(self, old, new):
        with open(self / "musher.yml") as file:
            text = file.read()
        assert old in text, text
        with open(self / "musher.yml.new", "w") as file:
            file.write(text.replace(old, new))
        os.rename(self / "musher.yml.new", self / "musher.yml")

    def folder(self, name, mode=0o755):
        os.makedirs(self / name, exist_ok=True)
        os.chmod(self / name, mode)
        return self / name

    def open_gate(self):
        self.gate.close()

    def give_to(self, user):
        entry = pwd.getpwnam(user)
        for base, folders, names in os.walk(self.path):
            for name in [base] + [os.path.join(base, n) for n in folders + names]:
                os.chown(name, entry.pw_uid, entry.pw_gid)

    def log(self):
        try:
            with open(self / "log", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def command(self, *arguments):
        return [MUSHER, *arguments]

    def launch(self, wrapper=(), preexec=None):
        """Starts without waiting."""
        notify = self / "notify"
        if os.path.exists(notify):
            os.unlink(notify)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(notify)
        os.chmod(notify, 0o777)
        with open(self / "log", "a") as log:
            self.process = subprocess.Popen(
                [*wrapper, *self.command("run", "-c", self / "musher.yml")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.path,
                env=dict(self.environment, NOTIFY_SOCKET=notify), preexec_fn=preexec)

    def start(self, wrapper=(), preexec=None, seconds=20):
        self.launch(wrapper, preexec)
        self.await_ready(seconds)
        return self

    def await_ready(self, seconds=20):
        def ready():
            readable, _, _ = select.select([self.notify], [], [], 0.05)
            if readable and b"READY=1" in self.notify.recv(4096):
                return True
            if self.process.poll() is not None:
                raise AssertionError(f"musher ended with {self.process.returncode}")
            return False
        until(ready, seconds, "musher did not get ready")
        self.notify.close()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=40):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds * SLOW)
        self.process = None
        return code

    def redis_pid(self):
        """Of the private redis-server that was started last."""
        return int(re.findall(r"embedded_redis\.(?:ready|restarted) pid=(\d+)", self.log())[-1])

    def kill_all(self):
        if self.process and self.process.poll() is None:
            self.kill()
        try:
            os.kill(self.redis_pid(), signal.SIGKILL)
        except (OSError, IndexError):
            pass

    def ask(self, path, method="GET", body=None):
        """(status, JSON) of the control socket."""
        connection = UnixConnection(self / "state/control.sock")
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def get(self, path):
        status, answer = self.ask("/api/v1/" + path)
        assert status == 200, (path, status, answer)
        return answer

    def counts(self, pipeline):
        for row in self.get("status")["pipelines"]:
            if row["name"] == pipeline:
                return row
        raise AssertionError(f"no pipeline {pipeline}")

    def run(self, *arguments, timeout=30):
        """A verb of the command line: CompletedProcess with text."""
        return subprocess.run(self.command(*arguments), cwd=self.path, timeout=timeout * SLOW,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def drop(self, relative, content, via_rename=True):
        """Writes a file into a hot folder; by rename it is whole from the start."""
        path = self / relative
        os.makedirs(os.path.dirname(path), exist_ok=True)
        content = content.encode() if isinstance(content, str) else content
        target = path + ".part" if via_rename else path
        with open(target, "wb") as file:
            file.write(content)
        if via_rename:
            os.rename(target, path)
        return hashlib.sha256(content).hexdigest()
