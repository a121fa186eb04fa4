"""The reload storm: pipeline files are edited again and again under load.

    reload_test.py [--edits N]      N: MUSHER_SEEDS, or 20

Files are dropped steadily into three pipelines: one that nobody edits, one whose steps are edited,
one whose folder is. Half of the edits are faulty, some are written in two halves, some by an
editor's renames, some take the file away for a moment; musher.yml is edited, too. At the end every
file that was dropped is done, once; after each calm the last sound text is the one that runs; and
no file that came waited for longer than the bound. What the machine adds is not musher's wait:
everything lies in memory, where fsync() is free, and the moments at which processes that do
nothing were kept from running are taken off.
"""

import argparse
import bisect
import ctypes
import os
import random
import select
import statistics
import struct
import subprocess
import sys
import threading
import time

from house import SLOW, House, TooLate, files_in, until

COPY = ("version: 1\nsource: { hotfolder: { path: '{house}/FOLDER', settle: 0s, done: delete } }\n"
        "limits: { waiting: 100000 }\nsteps:\n  - directory: { to: '{house}/out/NAME' }\n")
PIPELINES = ("steady", "steps", "moved")
DROPS_PER_SECOND = 60    # of each pipeline
EDITS_PER_CALM = 25
LONGEST_WAIT = 0.05 * SLOW
FAULTY = ("", "version: 1\n", "version: 2\n", "steps: [\n", "\0\1\2", "version: 1\nsource: { x: {} }\n",
          "version: 1\nsource: { hotfolder: { path: '/nowhere/at/all' } }\nsteps: [ { log: a } ]\n")
IN_MOVED_TO = 0x80


class Arrivals(threading.Thread):
    """When each file came out: the sink renames it into its folder."""

    def __init__(self, folders):
        super().__init__(daemon=True)
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK)
        self.names = {}
        for name, folder in folders.items():
            self.names[libc.inotify_add_watch(self.fd, folder.encode(), IN_MOVED_TO)] = name
        self.at = {}       # name of the file → when
        self.ended = False

    def run(self):
        while not self.ended:
            if not select.select([self.fd], [], [], 0.1)[0]:
                continue
            data, now, place = os.read(self.fd, 1 << 16), time.monotonic(), 0
            while place < len(data):
                _, _, _, size = struct.unpack_from("iIII", data, place)
                name = data[place + 16:place + 16 + size].rstrip(b"\0").decode()
                self.at.setdefault(name, now)
                place += 16 + size


class Bystanders:
    """A process on each processor that only sleeps: when they ran late, everybody did."""

    PROGRAM = """if True:
        import os, select, sys, time
        os.sched_setaffinity(0, {int(sys.argv[1])})
        parent, was = os.getppid(), time.monotonic()
        print(was, was, flush=True)
        while os.getppid() == parent:
            select.select([], [], [], 0.001)
            now = time.monotonic()
            if now - was > 0.003:
                print(was, now, flush=True)
            was = now
        """

    def __init__(self, house):
        self.paths = [house / f"bystander-{cpu}" for cpu in sorted(os.sched_getaffinity(0))]
        self.processes = []
        for path in self.paths:
            with open(path, "w") as out:
                cpu = path.rsplit("-", 1)[1]
                self.processes.append(subprocess.Popen(
                    [sys.executable, "-c", self.PROGRAM, cpu], stdout=out))
        for path in self.paths:
            until(lambda at=path: os.path.getsize(at) > 0)

    def end(self):
        """The stand-stills of each, as (began, ended)."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.seen = []
        for path in self.paths:
            with open(path) as file:
                self.seen += [tuple(map(float, line.split())) for line in file]
        self.seen.sort()

    def kept_us(self, since, until_then):
        """How much of that time, in s, the machine took; of two processors at once it counts twice:
        a file's way leads over both."""
        first = bisect.bisect_left(self.seen, (since - 5,))
        last = bisect.bisect_left(self.seen, (until_then,))
        return sum(max(0, min(ended, until_then) - max(began, since))
                   for began, ended in self.seen[first:last])


class Dropper(threading.Thread):
    def __init__(self, house):
        super().__init__(daemon=True)
        self.house = house
        self.folders = {"steady": "in/steady", "steps": "in/steps", "moved": "in/moved"}
        self.at = {}
        self.ended = False
        self.lock = threading.Lock()

    def run(self):
        index = 0
        while not self.ended:
            for pipeline in PIPELINES:
                with self.lock:
                    name = f"{pipeline}-{index:06}"
                    self.at[name] = time.monotonic()
                    self.house.drop(f"{self.folders[pipeline]}/{name}", name)
            index += 1
            time.sleep(2 * random.random() / DROPS_PER_SECOND)


class Storm:
    def __init__(self, house, seed):
        self.house = house
        self.random = random.Random(seed)
        self.sound = {}     # pipeline → the last sound text
        self.counts = dict.fromkeys(("sound", "faulty", "halves", "renamed", "taken away",
                                     "musher.yml"), 0)
        self.number = 0

    def text(self, pipeline):
        self.number += 1
        folder = f"in/{pipeline}"
        if pipeline == "moved":
            folder = self.random.choice(("in/moved", "in/moved2"))
        text = COPY.replace("FOLDER", folder).replace("NAME", pipeline)
        if pipeline == "steps":
            text += f"  - log: 'edit {self.number}'\n"
        return text.replace("{house}", self.house.path) + f"# {self.number}\n"

    def write(self, path, text):
        way = self.random.random()
        if way < 0.3:
            self.counts["halves"] += 1
            half = self.random.randrange(len(text) + 1)
            with open(path, "w") as file:
                file.write(text[:half])
                file.flush()
                time.sleep(self.random.random() * 0.03)
                file.write(text[half:])
        elif way < 0.6:
            self.counts["renamed"] += 1
            with open(path + ".new~", "w") as file:
                file.write(text)
            if os.path.exists(path):
                os.rename(path, path + "~")
            os.rename(path + ".new~", path)
        else:
            with open(path, "w") as file:
                file.write(text)

    def edit(self):
        pipeline = self.random.choice(("steps", "moved"))
        path = self.house / f"pipelines/{pipeline}.yml"
        what = self.random.random()
        if what < 0.5:
            self.counts["faulty"] += 1
            self.write(path, self.random.choice(FAULTY))
        elif what < 0.55:
            self.counts["musher.yml"] += 1
            vars_line = self.random.choice(("vars: { a: 1 }\n", "vars: [\n", "vars: { a: 2 }\n"))
            with open(self.house / "musher.yml", "w") as file:
                file.write("version: 1\nstate: ./state\npipelines: ./pipelines\n" + vars_line)
        elif what < 0.6 and pipeline == "moved":
            self.counts["taken away"] += 1
            os.unlink(path)
            time.sleep(self.random.random() * 0.2)
            self.sound[pipeline] = self.text(pipeline)
            self.write(path, self.sound[pipeline])
        else:
            self.counts["sound"] += 1
            self.sound[pipeline] = self.text(pipeline)
            self.write(path, self.sound[pipeline])

    def calm(self):
        """The last sound text runs, and status tells of those files that hold another one."""
        with open(self.house / "musher.yml", "w") as file:
            file.write("version: 1\nstate: ./state\npipelines: ./pipelines\n")
        for pipeline in self.sound:
            self.sound[pipeline] = self.text(pipeline)
            self.write(self.house / f"pipelines/{pipeline}.yml", self.sound[pipeline])

        def settled():
            rows = {row["name"]: row for row in self.house.get("status")["pipelines"]}
            for pipeline, text in self.sound.items():
                row = rows.get(pipeline, {})
                kept = self.house / f"state/revisions/{pipeline}/{row.get('revision', 0):04}.yml"
                if row.get("state") != "running" or not os.path.exists(kept):
                    return False
                with open(kept) as file:
                    if file.read() != text:
                        return False
            return True
        until(settled, 30, lambda: str(self.house.get("status")["pipelines"]))


def waits(dropper, arrivals, bystanders, pipeline, began, ended):
    """How long each file that was dropped in the time was on its way, in s, and how long that was
    without what the machine took."""
    ways = [(at, arrivals.at[name]) for name, at in dropper.at.items()
            if name.startswith(pipeline) and began <= at < ended and name in arrivals.at]
    return ([out - at for at, out in ways],
            [out - at - bystanders.kept_us(at, out) for at, out in ways])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--edits", type=int, default=int(os.environ.get("MUSHER_SEEDS", "20")))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with House({}, root="/dev/shm") as house:
        for name in PIPELINES:
            house.folder(f"in/{name}")
            house.folder(f"out/{name}")
            house.write_pipeline(name, COPY.replace("FOLDER", f"in/{name}").replace("NAME", name))
        house.folder("in/moved2")
        house.start()
        arrivals = Arrivals({name: house / f"out/{name}" for name in PIPELINES})
        arrivals.start()
        bystanders = Bystanders(house)
        dropper = Dropper(house)
        dropper.start()
        storm = Storm(house, options.seed)
        calm_began = time.monotonic()
        until(lambda: time.monotonic() - calm_began > min(20, 2 + options.edits / 50), 60)
        began = time.monotonic()
        for index in range(options.edits):
            storm.edit()
            time.sleep(storm.random.random() * 0.1)
            if index % EDITS_PER_CALM == EDITS_PER_CALM - 1:
                storm.calm()
        storm.calm()
        ended = time.monotonic()
        dropper.ended = True
        dropper.join()
        # What was dropped into the folder that nobody watches now: it is watched again.
        for folder in ("in/moved", "in/moved2"):
            house.write_pipeline("moved", COPY.replace("FOLDER", folder).replace("NAME", "moved"))
            until(lambda: files_in(house / folder) == [], 60 * SLOW,
                  lambda: f"left in {folder}: {files_in(house / folder)[:5]}")
        for pipeline in PIPELINES:
            dropped = sorted(name for name in dropper.at if name.startswith(pipeline))
            try:
                until(lambda: files_in(house / f"out/{pipeline}") == dropped, 60 * SLOW)
            except TooLate:
                out = set(files_in(house / f"out/{pipeline}"))
                print(f"{pipeline}: {len(set(dropped) - out)} lost, {len(out - set(dropped))} more")
                raise
        code = house.stop()
        arrivals.ended = True
        bystanders.end()
        print(f"{options.edits} edits in {ended - began:.0f} s: "
              + ", ".join(f"{count} {what}" for what, count in storm.counts.items()))
        print(f"{len(dropper.at)} files, 0 lost, 0 twice; exit code {code}")
        worst = 0
        for pipeline in ("steady", "steps"):
            for what, since, until_then in (("without edits", calm_began, began),
                                            ("under edits", began, ended)):
                whole, own = waits(dropper, arrivals, bystanders, pipeline, since, until_then)
                print(f"{pipeline} {what}: longest wait {max(own) * 1e3:.0f} ms "
                      f"({max(whole) * 1e3:.0f} with what the machine took), "
                      f"median {statistics.median(whole) * 1e3:.1f} ms")
            worst = max(worst, max(own))
        return 1 if worst > LONGEST_WAIT or code != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
