"""A real redis-server of a test's own, and a gate in front of it that stops time at one message.

The gate passes bytes both ways. Once armed, it calls `act` at exactly one moment: before a message
goes to the server (the server never sees it), or when the server has answered (the answer is never
seen).
"""

import hashlib
import os
import signal
import socket
import subprocess
import threading

from house import ROOT, until

LUA = os.path.join(ROOT, "pipelines/queue/lua")


class RedisServer:
    """On a unix socket, every answer on disk before it is given."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = os.path.join(folder, "redis.sock")
        self.process = None

    def start(self):
        # As musher does it for its own after a kill in the middle of a write.
        manifest = os.path.join(self.folder, "appendonlydir/appendonly.aof.manifest")
        if os.path.exists(manifest):
            subprocess.run(["redis-check-aof", "--fix", manifest], input=b"y\n", check=True,
                           stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder,
             "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--logfile",
             os.path.join(self.folder, "redis.log")], stdin=subprocess.DEVNULL)
        until(self.answers, 20, "redis-server did not start")
        return self

    def answers(self):
        asked = subprocess.run(["redis-cli", "-s", self.socket, "ping"], capture_output=True,
                               text=True, check=False)
        return asked.stdout.strip() == "PONG"

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-s", self.socket, *words], capture_output=True,
                              text=True, check=True).stdout.strip()

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


class Messages:
    """RESP, in whatever pieces it arrives: whole messages, the strings of each, and its bytes."""

    def __init__(self):
        self.bytes = b""

    def feed(self, data):
        self.bytes += data
        while True:
            read = self.one(0)
            if read is None:
                return
            strings, end = read
            raw, self.bytes = self.bytes[:end], self.bytes[end:]
            yield strings, raw

    def one(self, at):
        """(its strings, flat; where it ends), or None when it is not all there."""
        line_end = self.bytes.find(b"\r\n", at)
        if line_end < 0:
            return None
        kind, text, at = self.bytes[at:at + 1], self.bytes[at + 1:line_end], line_end + 2
        if kind == b"$":
            size = int(text)
            if size < 0:
                return [b""], at
            if len(self.bytes) < at + size + 2:
                return None
            return [self.bytes[at:at + size]], at + size + 2
        if kind != b"*":
            return [text], at
        strings = []
        for _ in range(max(int(text), 0)):
            item = self.one(at)
            if item is None:
                return None
            strings += item[0]
            at = item[1]
        return strings, at


class Call:
    """One call of a queue script: its name (of the file in lua/) and its ARGV."""

    def __init__(self, script, arguments):
        self.script, self.arguments = script, arguments


class RedisGate:
    def __init__(self, path, server):
        self.path, self.server = path, server
        self.armed = None
        self.known = {}  # sha1 → script
        self.texts = {}
        for file in os.listdir(LUA):
            with open(os.path.join(LUA, file), "rb") as lua:
                self.texts[file.removesuffix(".lua")] = lua.read()
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def arm(self, script, act, before, wanted=lambda call, answer: True):
        """The first call of `script` that is wanted; `answer` is None when `before`."""
        self.armed = (script, act, before, wanted)

    def hang_up(self):
        """As `act`: the connection breaks instead."""
        raise ConnectionAbortedError

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            try:
                upstream.connect(self.server.socket)
            except OSError:
                client.close()
                upstream.close()
                continue
            threading.Thread(target=self.serve, args=(client, upstream), daemon=True).start()

    def serve(self, client, upstream):
        calls = []  # sent and not answered yet
        with client, upstream:
            back = threading.Thread(target=self.pump, args=(self.answers, upstream, client, calls))
            back.start()
            self.pump(self.requests, client, upstream, calls)
            back.join()

    def pump(self, look, source, target, calls):
        messages = Messages()
        try:
            while data := source.recv(65536):
                for strings, raw in messages.feed(data):
                    if look(strings, calls):
                        target.sendall(raw)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def read(self, strings):
        """The script call that a message is, or None."""
        verb = strings[0].upper()
        if verb not in (b"EVAL", b"EVALSHA"):
            return None
        if verb == b"EVAL":
            for name, text in self.texts.items():
                if strings[1].endswith(text):
                    self.known[hashlib.sha1(strings[1]).hexdigest().encode()] = name
        sha = strings[1] if verb == b"EVALSHA" else hashlib.sha1(strings[1]).hexdigest().encode()
        # A script that the server does not know is asked for by EVAL next.
        return Call(self.known.get(sha), strings[3 + int(strings[2]):])

    def requests(self, strings, calls):
        call = self.read(strings)
        with self.lock:
            calls.append(call)
            return not self.fires(call, None)

    def answers(self, strings, calls):
        with self.lock:
            call = calls.pop(0) if calls else None
            if strings and strings[0].startswith(b"NOSCRIPT"):
                return True
            return not self.fires(call, b" ".join(strings))

    def fires(self, call, answer):
        if not self.armed or not call or call.script != self.armed[0]:
            return False
        _, act, before, wanted = self.armed
        if before != (answer is None) or not wanted(call, answer):
            return False
        self.armed = None
        act()
        return True
