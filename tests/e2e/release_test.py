"""jobs release: waiting files go back to their folder; kill -9 between any two of its steps."""

import json
import os
import signal
import subprocess
import unittest

from house import SLOW, House, files_in, until
from redis_gate import RedisGate, RedisServer

SOURCE = """version: 1
source: { hotfolder: { path: {house}/in, settle: 20ms, recursive: true } }
key: "one at a time"
"""
STUCK = SOURCE + """steps:
  - exec: { argv: [/bin/sleep, "1000"] }
"""
QUICK = SOURCE + """steps:
  - exec: { argv: [/bin/sh, -c, 'echo "$1" >> "$2"', sh, '${event.name}', '{house}/ran'] }
  - directory: { to: {house}/out }
"""
OTHER = "version: 1\nsource: { hotfolder: { path: {house}/elsewhere } }\nsteps: [ { log: hello } ]\n"
NAMES = ["first", "second", "sub/third"]


class ReleaseTest(unittest.TestCase):
    def house(self, shared=False):
        extra = "queue: { redis: 'unix:{house}/gate.sock' }\n" if shared else ""
        house = House({"p": STUCK, "q": OTHER}, extra)
        self.addCleanup(house.__exit__, None)
        for folder in ("in", "in/sub", "elsewhere"):
            house.folder(folder)
        if shared:
            self.redis = RedisServer(house.path).start()
            self.addCleanup(self.redis.kill)
            self.gate = RedisGate(house / "gate.sock", self.redis)
            self.addCleanup(self.gate.close)
        return house

    def fill(self, house):
        """One job runs, two wait for it; then the pipeline is paused."""
        house.start()
        for name in NAMES:
            house.drop("in/" + name, name)
        until(lambda: (house.counts("p")["running"], house.counts("p")["waiting"]) == (1, 2))
        self.assertEqual(files_in(house / "in"), [])
        self.assertEqual(house.run("jobs", "pause", "p").returncode, 0)

    def release(self, house, code=0):
        result = house.run("jobs", "release", "p", "--json")
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return json.loads(result.stdout)

    def claims(self, house):
        work = house / "in/.musher/work"
        return sorted(os.path.basename(path) for path in files_in(work)) if os.path.exists(
            work) else []

    def ends_well(self, house, names=tuple(NAMES)):
        """With a pipeline that works, every file runs once."""
        house.write_pipeline("p", QUICK)
        house.start()
        self.assertEqual(house.run("jobs", "resume", "p").returncode, 0)
        until(lambda: files_in(house / "in") == sorted("done/" + name for name in names),
              what=lambda: f"{files_in(house / 'in')}\n{house.log()}")
        with open(house / "ran") as file:
            self.assertEqual(sorted(file.read().split()),
                             sorted(os.path.basename(name) for name in names), "once each")
        self.assertEqual(self.claims(house), [])
        counts = house.counts("p")
        self.assertEqual((counts["dead"], counts["waiting"], counts["running"]), (0, 0, 0))
        self.assertEqual(house.stop(), 0)

    def test_of_a_paused_pipeline(self):
        house = self.house()
        self.fill(house)
        house.run("jobs", "resume", "p")
        refused = self.release(house, code=4)["error"]
        self.assertIn("musher jobs pause p", refused["hint"])
        house.run("jobs", "pause", "p")
        house.drop("in/second", "a newer one")  # a paused source leaves it there
        told = self.release(house)
        self.assertEqual(told, {"pipeline": "p", "released": 2, "kept": 0})
        self.assertEqual(files_in(house / "in"), ["second", "second-2", "sub/third"])
        with open(house / "in/second-2") as file:
            self.assertEqual(file.read(), "second")
        self.assertEqual((house.counts("p")["waiting"], house.counts("p")["running"]), (0, 1))
        self.assertEqual(house.get("jobs?state=cancelled")["items"], [])
        house.kill()
        # Nobody holds what the killed process ran: it waits again, and is released too.
        self.assertEqual(self.release(house)["released"], 1)
        self.assertEqual(house.run("jobs", "release", "p").stdout, "0 jobs released, 0 kept\n")
        self.ends_well(house, ["first", "second", "second-2", "sub/third"])

    def test_of_a_pipeline_whose_file_was_removed(self):
        for running in (False, True):
            with self.subTest(running=running):
                house = self.house()
                self.fill(house)
                house.kill()
                os.unlink(house / "pipelines/p.yml")
                if running:
                    house.start()
                self.assertEqual(self.release(house)["released"], 3)
                self.assertEqual(files_in(house / "in"), NAMES)
                self.assertEqual(self.claims(house), [])
                self.assertEqual(self.release(house)["released"], 0)
                self.assertEqual(house.run("jobs", "release", "nobody").returncode, 3)
                if running:
                    house.stop()
                self.ends_well(house)

    def test_jobs_without_a_file_of_the_folder_are_kept(self):
        house = self.house()
        self.fill(house)
        house.drop("by-hand", "1")
        house.run("emit", "p", "--file", house / "by-hand")
        self.assertEqual(self.release(house), {"pipeline": "p", "released": 2, "kept": 1})
        self.assertTrue(os.path.exists(house / "by-hand"))
        house.kill()

    def test_a_folder_that_is_away(self):
        house = self.house()
        self.fill(house)
        house.kill()
        os.unlink(house / "pipelines/p.yml")
        os.rename(house / "in", house / "unmounted")
        house.folder("in")
        self.assertIn("in/.musher/work", self.release(house, code=3)["error"]["message"])
        os.rmdir(house / "in")
        os.rename(house / "unmounted", house / "in")
        self.assertEqual(self.release(house)["released"], 3)
        self.assertEqual(files_in(house / "in"), NAMES)
        self.ends_well(house)

    def killed(self, script, before, when=1):
        """A filled house; the release is killed at its `when`th call of a script."""
        house = self.house(shared=True)
        self.fill(house)
        house.kill()
        verb = subprocess.Popen(["/bin/sh", "-c", 'read line; exec "$@"', "sh",
                                 *house.command("jobs", "release", "p")], cwd=house.path,
                                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        calls = []
        self.gate.arm(script, lambda: verb.send_signal(signal.SIGKILL), before,
                      lambda call, answer: calls.append(call) or len(calls) == when)
        verb.communicate(b"go\n", timeout=30 * SLOW)
        self.assertEqual(verb.returncode, -signal.SIGKILL)
        return house

    def entries(self, short):
        """How many a key of p's queue holds."""
        ask = "hlen" if short == "p" else "zcard"
        keys = [key for key in self.redis.ask("--scan", "--pattern", "m1:{p@*").splitlines()
                if key.endswith("}:" + short)]
        return sum(int(self.redis.ask(ask, key)) for key in keys)

    def both_ways(self, make, found, withdrawn):
        """After a kill: what lies in the folder and in the dead set; then a start finishes it, or
        a second release without the pipeline's file does."""
        for second in (False, True):
            with self.subTest(second=second):
                house = make()
                self.assertEqual(files_in(house / "in"), found)
                self.assertEqual(self.entries("dead"), withdrawn)
                if second:
                    os.unlink(house / "pipelines/p.yml")
                    self.release(house)
                    self.assertEqual(files_in(house / "in"), NAMES)
                    self.assertEqual(self.claims(house), [])
                    self.assertEqual(self.entries("p"), 0)
                self.ends_well(house)

    def test_killed_before_the_first_step(self):
        self.both_ways(lambda: self.killed("withdraw", before=True), [], 0)

    def test_killed_when_one_is_withdrawn(self):
        self.both_ways(lambda: self.killed("withdraw", before=False), [], 1)

    def test_killed_when_all_are_withdrawn(self):
        self.both_ways(lambda: self.killed("withdraw", before=False, when=3), [], 3)

    def test_killed_when_the_files_are_back(self):
        self.both_ways(lambda: self.killed("forget", before=True), NAMES, 3)

    def test_killed_when_one_is_forgotten(self):
        self.both_ways(lambda: self.killed("forget", before=False), NAMES, 2)

    def test_killed_when_one_file_is_back(self):
        def make():
            house = self.house(shared=True)
            self.fill(house)
            house.kill()
            trace = ["strace", "-D", "-f", "-qq", "-o", house / "trace", "-P",
                     house / "in/second", "-e", "trace=renameat2", "-e",
                     "inject=renameat2:signal=KILL:when=1"]
            verb = subprocess.run([*trace, *house.command("jobs", "release", "p")],
                                  cwd=house.path, timeout=30 * SLOW, stdout=subprocess.DEVNULL)
            self.assertEqual(verb.returncode, -signal.SIGKILL)
            return house
        found = []
        for second in (False, True):
            house = make()
            found.append(files_in(house / "in"))
            self.assertLess(len(found[-1]), 3)
            if second:
                self.release(house)
                self.assertEqual(files_in(house / "in"), NAMES)
            self.ends_well(house)
        self.assertEqual(found[0], found[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
