"""The kill campaign: kill -9 at random moments under load, with a ledger kept outside.

    kill_test.py [--seeds N] [--first SEED] [--keep]

Each seed drops files into five pipelines while musher (or, in every third seed, its redis-server)
is killed a few times and started again. At the end every file that was dropped is done or failed,
none is lost, every output is whole, and what ran twice ran under one job id. Prints one line per
seed and the sums.
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
             "'echo \"$1 $2\" >> \"$3\"', sh, '${job.id}', '${event.name}', {house}/ran] }\n",
    "fails": FOLDER + "limits: { attempts: 2, backoff: 10ms..20ms }\nsteps:\n  - exec: { argv: "
             "[/bin/false] }\non_failure:\n  - exec: { argv: [/bin/sh, -c, 'echo \"$1\" >> "
             "\"$2\"', sh, '${event.name}', {house}/mourned] }\n",
}
PIPELINES = {name: text.replace("NAME", name) for name, text in PIPELINES.items()}
DROPPED = ("log", "copy", "pack", "keyed", "fails")


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
    def __init__(self, options):
        self.options = options
        self.sums = collections.Counter()

    def seed(self, seed):
        started = time.monotonic()
        chance = random.Random(f"kill {seed}")
        of_redis = seed % 3 == 2
        with House(PIPELINES, keep=self.options.keep) as house:
            for name in PIPELINES:
                house.folder("in/" + name)
            with open(house / "key", "wb", opener=lambda p, f: os.open(p, f, 0o600)) as key:
                key.write(chance.randbytes(32))
            house.start()
            ledger = Ledger(house / "ledger")
            dropper = Dropper(house, seed, ledger, chance.randint(60, 150))
            dropper.start()
            kills = self.kill(house, chance, of_redis)
            dropper.join()
            if dropper.error:
                raise dropper.error
            self.settle(house)
            repeats = self.check(house, ledger)
            code = house.stop()
            assert code == 0, f"musher ended with {code}"
        self.sums.update(files=len(ledger.entries), kills=kills, repeats=repeats,
                         redis=int(of_redis))
        print(f"seed {seed}: {len(ledger.entries)} files, {kills} kills of "
              f"{'redis-server' if of_redis else 'musher'}, {repeats} repeated runs under the "
              f"same id, {time.monotonic() - started:.1f} s", flush=True)

    def kill(self, house, chance, of_redis):
        kills = chance.randint(1, 4)
        for _ in range(kills):
            time.sleep(chance.random() * 0.6)
            if of_redis:
                before = house.redis_pid()
                os.kill(before, signal.SIGKILL)
                until(lambda: house.redis_pid() != before, 30, "redis-server came not back")
            else:
                house.kill()
                if chance.random() < 0.3:  # and once more while it starts
                    house.launch()
                    time.sleep(chance.random() * 0.1)
                    house.kill()
                house.start(seconds=60)
        return kills

    def settle(self, house):
        def quiet():
            rows = house.get("status")["pipelines"]
            busy = sum(row["waiting"] + row["delayed"] + row["running"] +
                       row["source"].get("settling", 1) + row["source"].get("stuck", 1)
                       for row in rows)
            return busy == 0 and not self.unclaimed(house)
        until(quiet, 60, lambda: "still busy: " + json.dumps(
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
        for pipeline in DROPPED:
            ending = "failed" if pipeline == "fails" else "done"
            found = {f: digest(house / f"in/{pipeline}/{ending}/{f}")
                     for f in files_in(house / f"in/{pipeline}/{ending}")
                     if not f.endswith(".report.json") and not f.startswith(".")}
            wanted = {name: sha for p, name, sha in ledger.entries if p == pipeline}
            poisoned = self.poisoned(house, pipeline)
            for name in poisoned:
                found.setdefault(name, digest(house / f"in/{pipeline}/failed/{name}"))
            self.sums["poisoned"] += len(poisoned)
            self.compare(faults, f"{pipeline}: {ending}/", wanted, found)
            if pipeline == "fails":
                for name in wanted:
                    report = house / f"in/fails/failed/{name}.report.json"
                    if not os.path.exists(report):
                        faults.append(f"fails: no report of {name}")
        for output, source in (("copy", "copy"), ("unpack", "pack")):
            found = {f: digest(house / f"out/{output}/{f}")
                     for f in files_in(house / f"out/{output}") if not f.startswith(".")}
            given_up = self.poisoned(house, source) | self.poisoned(house, output)
            wanted = {name: sha for p, name, sha in ledger.entries
                      if p == source and (name not in given_up or name in found)}
            if output == "unpack":
                repeats += self.count_deliveries(house, wanted, found)
            self.compare(faults, f"out/{output}", wanted, found)
        repeats += self.count_runs(house, ledger, faults)
        if faults:
            raise AssertionError("\n".join(faults[:20]))
        return repeats

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
            base = re.sub(r"-\d+(\.\w)$", r"\1", name)
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

    def count_runs(self, house, ledger, faults):
        runs = collections.defaultdict(list)
        if os.path.exists(house / "ran"):
            with open(house / "ran") as file:
                for line in file:
                    job, name = line.split()
                    runs[name].append(job)
        for pipeline, name, _ in ledger.entries:
            if pipeline == "keyed" and not runs[name]:
                faults.append(f"keyed: {name} never ran")
            if len(set(runs[name])) > 1:
                faults.append(f"keyed: {name} ran as two jobs {runs[name]}")
        mourned = collections.Counter()
        if os.path.exists(house / "mourned"):
            with open(house / "mourned") as file:
                mourned.update(line.strip() for line in file)
        for pipeline, name, _ in ledger.entries:
            if pipeline == "fails" and not mourned[name]:
                faults.append(f"fails: on_failure never ran for {name}")
        return sum(len(jobs) - 1 for jobs in runs.values() if jobs) + \
            sum(count - 1 for count in mourned.values() if count)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=int(os.environ.get("MUSHER_SEEDS", "3")))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="keep the folder of a failed seed")
    options = parser.parse_args()
    campaign = Campaign(options)
    for seed in range(options.first, options.first + options.seeds):
        try:
            campaign.seed(seed)
        except (AssertionError, TooLate) as error:
            print(f"seed {seed} FAILED: {error}")
            print(f"again: tests/e2e/kill_test.py --first {seed} --seeds 1 --keep")
            return 1
    sums = campaign.sums
    print(f"{options.seeds} seeds: {sums['files']} files dropped, {sums['kills']} kills "
          f"({sums['redis']} seeds of redis-server), 0 lost, {sums['repeats']} repeated runs, "
          f"all under their own job's id, {sums['poisoned']} jobs given up after three kills "
          "in the middle of each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
