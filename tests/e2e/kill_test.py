"""The kill campaign: kill -9 at random moments under load, with a ledger kept outside.

    kill_test.py [--seeds N] [--first SEED]

Each seed drops files into seven pipelines while processes are killed a few times and started again:
musher, its private redis-server, or a redis-server of its own (and musher with it). When all is
quiet, every file that was dropped is done or failed, each by exactly one job; every output is
whole, and was so at every death; one key never ran twice at a time; what ran twice ran under one
job id. Prints one line per seed and the sums; the folder of a seed that failed is kept.
"""

import argparse
import collections
import hashlib
import json
import os
import random
import re
import signal
import sys
import threading
import time

from house import House, TooLate, digest, files_in, until
from redis_gate import RedisServer

FOLDER = "version: 1\nsource: { hotfolder: { path: {house}/in/NAME, settle: 20ms } }\n"
LIMITS = "limits: { attempts: 8, backoff: 20ms..200ms, parallel: 3 }\n"
PIPELINES = {
    "log": FOLDER + LIMITS + "steps:\n  - log: \"${event.name}\"\n",
    "copy": FOLDER + LIMITS + "steps:\n  - directory: { to: {house}/out/copy }\n",
    "pack": FOLDER + LIMITS + "steps:\n  - xz_compress: { level: 0 }\n  - seal: { key: !file "
            "{house}/key }\n  - directory: { to: {house}/in/unpack }\n",
    "unpack": FOLDER + LIMITS + "steps:\n  - unseal: { key: !file {house}/key }\n  - xz_expand: {}"
              "\n  - directory: { to: {house}/out/unpack }\n",
    # One at a time per key; every run of the step is written down outside.
    "keyed": FOLDER + LIMITS + "key: ${event.ext}\nsteps:\n  - exec: { argv: [/bin/sh, -c, "
             "'echo \"begin $$ $1 $2\" >> \"$3\"; head -c 1M /dev/zero | sha256sum; "
             "echo \"end $$ $1 $2\" >> \"$3\"', "
             "sh, '${job.id}', '${event.name}', {house}/ran] }\n",
    # The first attempt fails, so that retries are killed too.
    "flaky": FOLDER + LIMITS + "steps:\n  - exec: { argv: [/bin/sh, -c, '[ \"$1\" -gt 1 ]', sh, "
             "'${job.attempt}'] }\n  - directory: { to: {house}/out/flaky }\n",
    "fails": FOLDER + "limits: { attempts: 2, backoff: 10ms..20ms }\nsteps:\n  - exec: { argv: "
             "[/bin/false] }\non_failure:\n  - exec: { argv: [/bin/sh, -c, 'echo \"$1\" >> "
             "\"$2\"', sh, '${event.name}', {house}/mourned] }\n",
}
PIPELINES = {name: text.replace("NAME", name) for name, text in PIPELINES.items()}
DROPPED = ("log", "copy", "pack", "keyed", "flaky", "fails")
OUTPUTS = (("copy", "copy"), ("unpack", "pack"), ("flaky", "flaky"))  # folder, whose files
VICTIMS = ("musher", "musher", "private redis-server", "shared redis-server")


class Ledger:
    """Written before each drop, append only, synced: what must be found at the end."""

    def __init__(self, path):
        self.file = open(path, "a")
        self.entries = []

    def write(self, pipeline, name, sha):
        self.file.write(json.dumps([pipeline, name, sha]) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.entries.append((pipeline, name, sha))


class Dropper(threading.Thread):
    def __init__(self, house, seed, ledger, count):
        super().__init__()
        self.house, self.random, self.ledger = house, random.Random(f"drop {seed}"), ledger
        self.count = count
        self.error = None

    def run(self):
        try:
            for index in range(self.count):
                self.drop(index)
                if self.random.random() < 0.1:
                    time.sleep(self.random.random() * 0.05)
        except Exception as error:  # shown by the main thread
            self.error = error

    def drop(self, index):
        pipeline = self.random.choice(DROPPED)
        name = f"{index:05d}.{self.random.choice('abc')}"
        size = self.random.choice([0, 10, 4096, 4096, 100_000, 1_500_000])
        content = self.random.randbytes(size // 2) + bytes(size - size // 2) + name.encode()
        self.ledger.write(pipeline, name, hashlib.sha256(content).hexdigest())
        self.house.drop(f"in/{pipeline}/{name}", content, via_rename=self.random.random() < 0.5)


class Campaign:
    def __init__(self):
        self.sums = collections.Counter()
        self.slowest = 0.0

    def seed(self, seed):
        started = time.monotonic()
        chance = random.Random(f"kill {seed}")
        victim = VICTIMS[seed % len(VICTIMS)]
        shared = victim == "shared redis-server"
        queue = "queue: { redis: 'unix:{house}/redis.sock' }\n" if shared else ""
        with House(PIPELINES, queue, keep=True) as house:
            server = RedisServer(house.path).start() if shared else None
            try:
                files, kills, repeats = self.rounds(house, seed, chance, victim, server)
            finally:
                if server:
                    server.kill()
        took = time.monotonic() - started
        self.slowest = max(self.slowest, took)
        self.sums.update({"files": files, "kills": kills, "repeats": repeats, victim: 1})
        print(f"seed {seed}: {files} files, {kills} kills of {victim}, {repeats} repeated runs "
              f"under the same id, {took:.1f} s", flush=True)

    def rounds(self, house, seed, chance, victim, server):
        for name in PIPELINES:
            house.folder("in/" + name)
        with open(house / "key", "wb", opener=lambda p, f: os.open(p, f, 0o600)) as key:
            key.write(chance.randbytes(32))
        house.start()
        ledger = Ledger(house / "ledger")
        dropper = Dropper(house, seed, ledger, chance.randint(60, 150))
        dropper.start()
        try:
            kills = self.kill(house, chance, victim, server, ledger)
        finally:
            dropper.join()
        if dropper.error:
            raise dropper.error
        self.settle(house)
        repeats = self.check(house, ledger)
        code = house.stop()
        assert code == 0, f"musher ended with {code}"
        return len(ledger.entries), kills, repeats

    def kill(self, house, chance, victim, server, ledger):
        kills = chance.randint(1, 4)
        for _ in range(kills):
            time.sleep(chance.random() * 0.6)
            if victim == "private redis-server":
                before = house.redis_pid()
                os.kill(before, signal.SIGKILL)
                until(lambda: house.redis_pid() != before, 30, "redis-server came not back")
            elif victim == "shared redis-server":
                both = chance.random() < 0.5
                if both:
                    house.kill()
                server.kill()
                self.whole(house, ledger, at_rest=both)
                time.sleep(chance.random() * 0.1)
                server.start()
                if both:
                    house.start(seconds=60)
            elif chance.random() < 0.2:
                assert house.stop() == 0, "a stop under load is a clean one"
                self.whole(house, ledger)
                house.start(seconds=60)
            else:
                self.kill_musher(house, chance, ledger)
        return kills

    def kill_musher(self, house, chance, ledger):
        house.kill()
        self.whole(house, ledger)
        if chance.random() < 0.3:  # and once more while it starts
            house.launch()
            time.sleep(chance.random() * 0.1)
            house.kill()
        house.start(seconds=60)

    def whole(self, house, ledger, at_rest=True):
        """While musher is dead: what has a final name has all its bytes."""
        if not at_rest:
            return
        dropped = {(pipeline, name): sha for pipeline, name, sha in list(ledger.entries)}
        for output, source in OUTPUTS:
            for file in files_in(house / f"out/{output}"):
                if not file.startswith("."):
                    name = plain_name(file)
                    assert digest(house / f"out/{output}/{file}") == dropped[source, name], \
                        f"out/{output}/{file} is not whole after a kill"

    def settle(self, house):
        def quiet():
            rows = house.get("status")["pipelines"]
            busy = sum(row["waiting"] + row["delayed"] + row["running"] +
                       row["source"].get("settling", 1) + row["source"].get("stuck", 1)
                       for row in rows)
            return busy == 0 and not self.unclaimed(house)
        # Sooner than a lease runs out (30 s): after a kill nothing waits for that.
        until(quiet, 25, lambda: "still busy: " + json.dumps(
            [house.get("status"), self.unclaimed(house)], indent=1))

    def unclaimed(self, house):
        left = []
        for name in PIPELINES:
            base = house / f"in/{name}"
            left += [f"{name}/{f}" for f in os.listdir(base)
                     if os.path.isfile(f"{base}/{f}") and not f.startswith(".")]
            for folder, _, names in os.walk(base + "/.musher/work"):
                left += [f"{name}: claimed {f}" for f in names]
        return left

    def check(self, house, ledger):
        faults = []
        repeats = 0
        poisoned = {pipeline: self.poisoned(house, pipeline) for pipeline in PIPELINES}
        self.sums["poisoned"] += sum(map(len, poisoned.values()))
        for pipeline in DROPPED:
            wanted = {name: sha for p, name, sha in ledger.entries if p == pipeline}
            found = self.originals(house, pipeline, "failed" if pipeline == "fails" else "done")
            for name in poisoned[pipeline]:
                found.setdefault(name, digest(house / f"in/{pipeline}/failed/{name}"))
            self.compare(faults, f"{pipeline}: originals", wanted, found)
            if pipeline == "fails":
                for name in wanted:
                    if not os.path.exists(house / f"in/fails/failed/{name}.report.json"):
                        faults.append(f"fails: no report of {name}")
            self.check_jobs(house, pipeline, wanted, poisoned[pipeline], faults)
        for output, source in OUTPUTS:
            found = {f: digest(house / f"out/{output}/{f}")
                     for f in files_in(house / f"out/{output}") if not f.startswith(".")}
            given_up = poisoned[source] | {plain_name(n) for n in poisoned.get(output, ())}
            wanted = {name: sha for p, name, sha in ledger.entries
                      if p == source and (name not in given_up or name in found)}
            if output == "unpack":
                repeats += self.count_deliveries(house, wanted, found)
            self.compare(faults, f"out/{output}", wanted, found)
        repeats += self.count_runs(house, ledger, poisoned["keyed"], faults)
        repeats += self.count_mourning(house, ledger, faults)
        if os.listdir(house / "state/scratch"):
            faults.append(f"left in scratch: {os.listdir(house / 'state/scratch')}")
        if faults:
            raise AssertionError("\n".join(faults[:20]))
        return repeats

    def originals(self, house, pipeline, ending):
        folder = house / f"in/{pipeline}/{ending}"
        return {f: digest(f"{folder}/{f}") for f in files_in(folder)
                if not f.endswith(".report.json") and not f.startswith(".")}

    def check_jobs(self, house, pipeline, wanted, poisoned, faults):
        """The queue's own books: one finished job per file."""
        states = collections.defaultdict(list)
        for job in self.jobs(house, pipeline):
            if job["event"]["kind"] != "on_failure":
                states[job["event"]["facts"]["name"]].append(job["state"])
        for name in sorted(set(wanted) | set(states)):
            state = "dead" if pipeline == "fails" or name in poisoned else "done"
            if states[name] != [state]:
                faults.append(f"{pipeline}: the jobs of {name} are {states[name]}, not [{state}]")

    def poisoned(self, house, pipeline):
        """Files of jobs that musher gave up after three kills in the middle of each."""
        names = set()
        folder = house / f"in/{pipeline}/failed"
        for report in files_in(folder):
            if report.endswith(".report.json") and not report.startswith("."):
                with open(f"{folder}/{report}") as file:
                    if json.load(file)["error"]["code"] == "poison":
                        names.add(report.removesuffix(".report.json"))
        return names

    def compare(self, faults, where, wanted, found):
        for name in sorted(set(wanted) | set(found)):
            if name not in found:
                faults.append(f"{where}: LOST {name}")
            elif name not in wanted:
                faults.append(f"{where}: {name} should not be there")
            elif wanted[name] != found[name]:
                faults.append(f"{where}: {name} is not whole")

    def count_deliveries(self, house, wanted, found):
        """pack delivers into a hot folder: killed between the delivery and its receipt it delivers
        again, and by then the first file may be on its way. Only a job with more than one attempt
        may, and only the same bytes."""
        tried = {job["event"]["facts"]["name"]: job["attempt"] for job in self.jobs(house, "pack")}
        count = 0
        for name in list(found):
            base = plain_name(name)
            if name != base and found[name] == wanted.get(base) and tried[base] > 1:
                del found[name]
                count += 1
        return count

    def jobs(self, house, pipeline):
        after = ""
        while True:
            page = house.get(f"jobs?pipeline={pipeline}&limit=500&after={after}")
            yield from page["items"]
            after = page["next"]
            if not after:
                return

    def count_runs(self, house, ledger, poisoned, faults):
        """What `keyed` did: each file by one job, and two runs of a key never at the same time."""
        jobs = collections.defaultdict(set)
        begun = collections.Counter()
        ended = collections.Counter()
        latest = {}  # key → the run that began last
        for what, run, job, name in map(str.split, lines_of(house / "ran")):
            key = name.split(".")[1]
            if what == "begin":
                jobs[name].add(job)
                begun[name] += 1
                latest[key] = run, job
            else:
                ended[name] += 1
                if latest[key] != (run, job):
                    faults.append(f"keyed: {name} still ran when another of its key had begun")
        for pipeline, name, _ in ledger.entries:
            if pipeline == "keyed" and not ended[name] and name not in poisoned:
                faults.append(f"keyed: {name} never ran")
            if len(jobs[name]) > 1:
                faults.append(f"keyed: {name} ran as two jobs {jobs[name]}")
        return sum(count - 1 for count in begun.values())

    def count_mourning(self, house, ledger, faults):
        mourned = collections.Counter(lines_of(house / "mourned"))
        for pipeline, name, _ in ledger.entries:
            if pipeline == "fails" and not mourned[name]:
                faults.append(f"fails: on_failure never ran for {name}")
        return sum(count - 1 for count in mourned.values())


def plain_name(name):
    """NAME-2.EXT → NAME.EXT"""
    return re.sub(r"-\d+(\.\w)$", r"\1", name)


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return file.read().splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=int(os.environ.get("MUSHER_SEEDS", "3")))
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    campaign = Campaign()
    for seed in range(options.first, options.first + options.seeds):
        try:
            campaign.seed(seed)
        except (AssertionError, TooLate) as error:
            print(f"seed {seed} FAILED: {error}")
            print(f"again: tests/e2e/kill_test.py --first {seed} --seeds 1")
            return 1
    sums = campaign.sums
    victims = ", ".join(f"{sums[victim]} of the {victim}" for victim in dict.fromkeys(VICTIMS))
    print(f"{options.seeds} seeds ({victims}): {sums['files']} files dropped, {sums['kills']} "
          f"kills, 0 lost, {sums['repeats']} repeated runs, all under their own job's id, "
          f"{sums['poisoned']} jobs given up after three kills in the middle of each, "
          f"slowest seed {campaign.slowest:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
