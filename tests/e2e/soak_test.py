"""The soak: a steady load for a long time, after which everything is as it was at its beginning.

    soak_test.py [--seconds N]      N: MUSHER_SOAK_SECONDS, or 600

Files of several sizes are dropped into six pipelines (a copy, two that hand on to each other through
xz and seal, one with keys and children, one over HTTP, one whose jobs die) while the private
redis-server is killed now and then. Twice all is quiet: after a sixth of the time, and at the end.
Between the two, memory, threads, descriptors and children have not grown, no work folder, scratch
folder or queue holds anything, and every file that was dropped has come out.
"""

import argparse
import collections
import http.server
import json
import math
import os
import random
import signal
import statistics
import sys
import threading
import time

from house import SLOW, House, TooLate, files_in, until

FOLDER = ("version: 1\nsource: { hotfolder: { path: {house}/in/NAME, settle: 20ms, done: delete } }\n"
          "limits: { attempts: 10, backoff: 20ms..500ms, parallel: 3, timeout: 30s }\n")
PIPELINES = {
    "copy": FOLDER + "steps:\n  - checksum: { algorithm: sha256 }\n"
            "  - directory: { to: '{house}/out/copy' }\n",
    "pack": FOLDER + "steps:\n  - xz_compress: { level: 0 }\n  - seal: { key: !file {house}/key }\n"
            "  - directory: { to: '{house}/in/unpack' }\n",
    "unpack": FOLDER + "steps:\n  - unseal: { key: !file {house}/key }\n  - xz_expand: {}\n"
              "  - directory: { to: '{house}/out/unpack' }\n",
    "keyed": FOLDER + "key: ${event.ext}\nwhen: event.size >= 0\nsteps:\n"
             "  - set: { values: { shown: 'upper(event.name)' } }\n"
             "  - exec: { argv: [/bin/cat], stdin: body, stdout: body }\n"
             "  - directory: { to: '{house}/out/keyed', name: '${steps.set.shown}' }\n",
    "post": FOLDER + "steps:\n  - http_post: { url: 'http://127.0.0.1:PORT/', json: { name: "
            "'${event.name}', size: '${event.size}' } }\n",
    "fails": FOLDER.replace("attempts: 10", "attempts: 2") +
             "steps:\n  - exec: { argv: [/bin/false] }\n"
             "on_failure:\n  - log: '${job.error}'\n",
}
DROPPED = ("copy", "pack", "keyed", "post", "fails")
OUTPUTS = {"copy": "copy", "pack": "unpack", "keyed": "keyed"}  # whose files come out where
SIZES = (0, 10, 4096, 4096, 4096, 100_000, 1_000_000)
FILES_PER_SECOND = 25
KILL_SECONDS = (15, 40)
HISTORY_JOBS = 200
# Of the median of resident memory under load, which varies by 4 MiB; a sanitizer keeps what is
# freed.
GROWTH_KIB = 4096 if SLOW == 1 else math.inf
WORKS_ON = 2000    # files that may wait: more is no steady load


class Answer(http.server.BaseHTTPRequestHandler):
    """HTTP/1.0: each connection ends with its answer and no pool keeps some of them."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posted.append(body["name"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.posted = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def descriptors(pid):
    """How many of each kind: socket, anon_inode, pipe, and paths."""
    kinds = collections.Counter()
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            kinds[os.readlink(f"/proc/{pid}/fd/{number}").split(":[")[0]] += 1
        except FileNotFoundError:
            pass  # closed meanwhile
    return kinds


def children_of(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            found += file.read().split()
    return found


class Soak:
    def __init__(self, house, server, seconds):
        self.house, self.server, self.seconds = house, server, seconds
        self.random = random.Random("soak")
        self.dropped = {pipeline: set() for pipeline in DROPPED}  # numbers of files
        self.come_out = {pipeline: set() for pipeline in DROPPED}
        self.count = 0
        self.effects = 0
        self.kills = 0
        self.began = time.monotonic()

    def run(self):
        self.work(self.seconds / 6)
        before = self.quiet()
        self.show("quiet", before)
        memory = self.work(self.seconds * 5 / 6)
        after = self.quiet(before["fds"])
        self.show("quiet", after)
        return self.faults(before, after, memory)

    def work(self, seconds):
        """A steady load for so long, with a kill in its middle or every now and then. Returns the
        medians of the resident memory, of each sixth of the time."""
        begin = time.monotonic()
        next_kill = begin + min(seconds / 2, self.random.uniform(*KILL_SECONDS))
        next_show = begin + seconds / 6
        count, memory, medians = 0, [], []
        while (now := time.monotonic()) < begin + seconds:
            while count < (now - begin) * FILES_PER_SECOND:
                self.drop()
                count += 1
            self.take_outputs()
            memory.append(resident_kib(self.house.process.pid))
            if now > next_kill:
                os.kill(self.house.redis_pid(), signal.SIGKILL)
                self.kills += 1
                next_kill = now + self.random.uniform(*KILL_SECONDS)
            if now > next_show:
                medians.append(statistics.median(memory))
                self.show("load", self.look(), medians[-1])
                next_show, memory = next_show + seconds / 6, []
            due = begin + (count + 1) / FILES_PER_SECOND
            until(lambda: time.monotonic() >= due, 5)
            assert self.house.process.poll() is None, "musher ended"
        return medians + [statistics.median(memory)] if memory else medians

    def drop(self):
        pipeline = self.random.choice(DROPPED)
        size = self.random.choice(SIZES)
        content = self.random.randbytes(size // 2) + bytes(size - size // 2)
        self.count += 1
        number = f"{self.count:07d}"
        self.dropped[pipeline].add(number)
        name = f"{number}.{self.random.choice('abc')}"
        self.house.drop(f"in/{pipeline}/{name}", content, self.random.random() < 0.5)

    def came_out(self, pipeline, name):
        self.come_out[pipeline].add(name[:7])
        self.effects += 1

    def take_outputs(self):
        """Notes what came out and takes it away, so that the disk stays as it is."""
        for pipeline, out in OUTPUTS.items():
            for name in files_in(self.house / f"out/{out}"):
                if not name.startswith("."):
                    os.unlink(self.house / f"out/{out}/{name}")
                    self.came_out(pipeline, name)
        failed = self.house / "in/fails/failed"
        for name in files_in(failed):
            if not name.startswith("."):
                os.unlink(f"{failed}/{name}")
                if not name.endswith(".report.json"):
                    self.came_out("fails", name)
        while self.server.posted:
            self.came_out("post", self.server.posted.pop())

    def quiet(self, enough=0):
        """Waits until nothing is left to do, and looks; goes on looking for a moment while there
        are more descriptors than `enough`."""
        def still():
            self.take_outputs()
            status = self.status()
            return status is not None and status["left"] == 0 and not self.missing()
        until(still, 120, lambda: f"never quiet: {self.status()}, missing {self.missing()}")
        # What the last jobs held is let go within moments.
        until(lambda: len(children_of(self.house.process.pid)) == 1, 30, "children are left")
        until(lambda: not self.left_over(), 30, lambda: f"left over: {self.left_over()}")
        seen = self.look()
        seen["kinds"] = self.fewest_descriptors(enough)
        seen["fds"] = seen["kinds"].total()
        return seen

    def fewest_descriptors(self, enough):
        """Within some seconds: the connection that asked for the status may not be closed yet."""
        fewest = descriptors(self.house.process.pid)

        def few():
            nonlocal fewest
            fewest = min(fewest, descriptors(self.house.process.pid), key=lambda k: k.total())
            return fewest.total() <= enough
        try:
            until(few, 3)
        except TooLate:
            pass
        return fewest

    def missing(self):
        return sorted(f"{pipeline} {number}" for pipeline in DROPPED
                      for number in self.dropped[pipeline] - self.come_out[pipeline])

    def status(self):
        """What is left in all queues; None while the queue's server is away."""
        code, answer = self.house.ask("/api/v1/status")
        assert code == 200, answer
        if not answer["queue"]["ok"]:
            return None
        rows = answer["pipelines"]
        return {"left": sum(r["waiting"] + r["delayed"] + r["running"] for r in rows)}

    def left_over(self):
        """Claimed files that nobody holds any more, and scratch folders."""
        found = [f"scratch/{name}" for name in os.listdir(self.house / "state/scratch")]
        for pipeline in PIPELINES:
            for base, _, names in os.walk(self.house / f"in/{pipeline}/.musher"):
                found += [os.path.join(base, name) for name in names if "/work" in base]
        return found

    def look(self):
        pid = self.house.process.pid
        status = self.status()
        return {"rss": resident_kib(pid), "fds": len(os.listdir(f"/proc/{pid}/fd")),
                "threads": len(os.listdir(f"/proc/{pid}/task")), "children": len(children_of(pid)),
                "left": -1 if status is None else status["left"]}

    def show(self, what, seen, median=None):
        rss = f"{(median or seen['rss']) / 1024:.1f} MiB" + (" (median)" if median else "")
        print(f"{time.monotonic() - self.began:6.0f} s {what:5}  {self.count:6} "
              f"dropped  rss {rss}  {seen['fds']} fds  {seen['threads']} threads  "
              f"{seen['children']} children  {seen['left']} in queues  {self.kills} kills",
              flush=True)
        assert seen["left"] < WORKS_ON, "the load is more than this machine can do"

    def faults(self, before, after, memory):
        found = [f"{what} grew from {before[what]} to {after[what]}"
                 for what in ("fds", "threads", "children") if after[what] > before[what]]
        if after["fds"] > before["fds"]:
            found.append(f"descriptors more than before: {after['kinds'] - before['kinds']}")
        if memory[-1] > memory[0] + GROWTH_KIB:
            found.append(f"rss under load grew: {memory} KiB")
        # A kill between an effect and its receipt repeats the effect, under the same job.
        repeats = self.effects - self.count
        print(f"{self.count} files, {self.kills} restarts of redis-server, "
              f"{repeats} effects repeated, rss {before['rss']} -> {after['rss']} KiB "
              f"(under load {memory[0]:.0f} -> {memory[-1]:.0f}), "
              f"fds {before['fds']} -> {after['fds']}, none lost, nothing left over")
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float,
                        default=float(os.environ.get("MUSHER_SOAK_SECONDS", "600")))
    options = parser.parse_args()
    server = serve()
    pipelines = {name: text.replace("NAME", name).replace("PORT", str(server.server_port))
                 for name, text in PIPELINES.items()}
    with House(pipelines, f"history: {{ jobs: {HISTORY_JOBS} }}\n", keep=True) as house:
        for name in PIPELINES:
            house.folder(f"in/{name}")
            house.folder(f"out/{name}")
        with open(house / "key", "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(b"k" * 32)
        house.start()
        found = Soak(house, server, options.seconds).run()
        assert not found, "\n".join(found)
        assert house.stop() == 0, "no clean stop"
    return 0


if __name__ == "__main__":
    sys.exit(main())
