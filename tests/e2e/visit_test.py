"""Queue verbs while no musher runs: on the queue alone, with a musher's own answers."""

import fcntl
import json
import os
import re
import signal
import subprocess
import unittest

from house import SLOW, House, Redis, files_in, until

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
limits: { attempts: 1 }
steps:
  - exec: { argv: ["/usr/bin/test", "-e", "{house}/mended", "-o", "${event.name}", "!=", "bad"] }
  - directory: { to: {house}/out }
"""
ABSENT = "no musher runs on this state directory"


class VisitTest(unittest.TestCase):
    def house(self, extra=""):
        house = House({"p": PIPELINE}, extra=extra)
        self.addCleanup(house.__exit__, None)
        house.folder("in")
        return house

    def ask(self, house, *words, code=0):
        result = house.run(*words, "--json")
        self.assertEqual(result.returncode, code, result.stderr + result.stdout)
        self.assertEqual(result.stderr, "")
        return json.loads(result.stdout)

    def jobs(self, house, *words):
        return self.ask(house, "jobs", "list", *words)["items"]

    def leave_one_of_each(self, house):
        """One done, one dead and two waiting jobs; then musher stops."""
        house.start()
        house.drop("in/good", "1")
        house.drop("in/bad", "2")
        until(lambda: files_in(house / "in/done") and files_in(house / "in/failed"))
        until(lambda: house.counts("p")["done"] == 1 and house.counts("p")["dead"] == 1)
        self.assertEqual(house.run("jobs", "pause", "p").returncode, 0)
        for name in ("one", "two"):
            house.drop(name, name)
            house.run("emit", "p", "--file", house / name)
        until(lambda: house.counts("p")["waiting"] == 2)
        running = self.ask(house, "status")
        self.assertEqual(house.stop(), 0)
        return running

    def check_reading(self, house, running):
        absent = self.ask(house, "status")
        self.assertIsNone(absent["started"])
        self.assertEqual(absent["queue"], dict(running["queue"], ok=True))
        row, before = absent["pipelines"][0], running["pipelines"][0]
        self.assertEqual(set(before) - set(row), set())
        for name in ("name", "state", "waiting", "delayed", "running", "done", "dead", "revision"):
            self.assertEqual(row[name], before[name], name)
        self.assertEqual((row["state"], row["waiting"]), ("paused", 2))
        self.assertEqual((row["source"]["ok"], row["problem"]), (False, ABSENT))
        text = house.run("status").stdout
        self.assertRegex(text, r"^musher \S+ on \S+, not running; queue \S+ ok\n")
        self.assertRegex(text, r"(?m)^p +paused +2 +0 +0 +1 +1 ")
        self.assertEqual(len(self.jobs(house)), 4)
        dead = self.jobs(house, "--state", "dead")[0]
        self.assertEqual(dead["event"]["facts"]["name"], "bad")
        shown = house.run("jobs", "show", dead["id"])
        self.assertIn("exited with 1", shown.stdout)
        page = self.ask(house, "jobs", "list", "--limit", "1", "--pipeline", "p")
        self.assertEqual(len(page["items"]), 1)
        self.assertTrue(self.ask(house, "jobs", "list", "--after", page["next"])["items"])
        self.ask(house, "jobs", "show", "00000000-0000-7000-8000-000000000000", code=3)
        self.ask(house, "jobs", "list", "--pipeline", "nobody", code=3)
        self.ask(house, "jobs", "list", "--state", "nonsense", code=2)
        self.ask(house, "jobs", "purge", "p", "--state", "waiting", code=2)
        return dead["id"]

    def check_changes(self, house, dead):
        self.ask(house, "jobs", "retry", dead, code=4)
        first, second = [job["id"] for job in self.jobs(house, "--state", "waiting")]
        self.assertEqual(self.ask(house, "jobs", "cancel", first)["state"], "cancelled")
        self.ask(house, "jobs", "replay", second, code=4)
        replayed = self.ask(house, "jobs", "replay", dead)
        self.assertEqual(replayed, {"id": dead, "state": "waiting"})
        self.assertEqual(files_in(house / "in/failed"), [], "the original is back in its claim")
        self.assertEqual(house.run("jobs", "purge", "p").stdout, "1 jobs forgotten\n")
        self.assertEqual(house.run("jobs", "resume", "p").stdout, "p is running\n")
        self.assertEqual(house.run("jobs", "pause", "p").stdout, "p is paused\n")
        self.assertEqual(house.run("jobs", "resume", "p").stdout, "p is running\n")
        self.assertFalse(os.path.exists(house / "out/bad"), "a verb runs nothing")
        house.drop("mended", "")
        house.start()
        until(lambda: "bad" in files_in(house / "out") and "two" in files_in(house / "out"))
        until(lambda: sorted(files_in(house / "in/done")) == ["bad", "good"])
        self.assertNotIn("one", files_in(house / "out"), "it was cancelled")
        self.assertEqual(house.stop(), 0)

    def test_the_private_redis_is_started_for_the_verb(self):
        house = self.house()
        running = self.leave_one_of_each(house)
        dead = self.check_reading(house, running)
        self.check_changes(house, dead)
        self.assertEqual(subprocess.run(["pgrep", "-f", house / "state/redis"]).returncode, 1,
                         "a private redis-server was left behind")

    def test_a_shared_redis(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        house = self.house(f"queue: {{ redis: 'unix:{redis.socket}' }}\n")
        running = self.leave_one_of_each(house)
        dead = self.check_reading(house, running)
        self.check_changes(house, dead)
        redis.process.kill()
        redis.process.wait()
        result = house.run("jobs", "list")
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn(redis.socket, result.stderr)
        self.assertIn("hint: ", result.stderr)

    def test_a_pipeline_with_a_redis_of_its_own(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        house = self.house(f"connections: {{ own: {{ redis: 'unix:{redis.socket}' }} }}\n")
        house.write_pipeline("q", PIPELINE.replace("/in,", "/in2,") + "queue: own\n")
        house.folder("in2")
        house.start()
        house.drop("in/one", "1")
        house.drop("in2/two", "2")
        until(lambda: files_in(house / "out") == ["one", "two"])
        until(lambda: house.counts("q")["done"] == house.counts("p")["done"] == 1)
        keys = subprocess.run(["redis-cli", "-s", redis.socket, "--scan"], capture_output=True,
                              text=True, check=True).stdout
        self.assertRegex(keys, r"m1:\{q@")
        self.assertNotRegex(keys, r"m1:\{p@")
        self.assertEqual(house.stop(), 0)
        self.assertEqual([job["pipeline"] for job in self.jobs(house, "--state", "done")],
                         ["p", "q"])
        first = self.ask(house, "jobs", "list", "--limit", "1")
        second = self.ask(house, "jobs", "list", "--limit", "1", "--after", first["next"])
        self.assertEqual([page["items"][0]["pipeline"] for page in (first, second)], ["p", "q"])
        self.assertIsNone(second["next"])

    def test_cancel_of_claimed_files_after_a_kill(self):
        sleepy = re.sub(r"argv: .*", 'argv: ["/bin/sleep", "1000"] }', PIPELINE)
        house = self.house()
        house.write_pipeline("p", sleepy + 'key: "one"\n')
        house.start()
        for name in ("held", "next"):
            house.drop("in/" + name, name)
        until(lambda: house.counts("p")["running"] == house.counts("p")["waiting"] == 1)
        house.kill()
        held, waiting = self.jobs(house, "--state", "running") + self.jobs(
            house, "--state", "waiting")
        self.assertEqual(self.ask(house, "jobs", "cancel", waiting["id"])["state"], "cancelled")
        self.assertEqual(files_in(house / "in/failed"),
                         [waiting["event"]["facts"]["name"] + end for end in ("", ".report.json")])
        # The dead process' lease still holds this one: a verb only asks, the next start acts.
        self.assertEqual(self.ask(house, "jobs", "cancel", held["id"])["state"], "running")
        house.start()
        until(lambda: len(files_in(house / "in/failed")) == 4)
        self.assertEqual(len(self.jobs(house, "--state", "cancelled")), 2)
        self.assertEqual(house.stop(), 0)

    def test_where_no_musher_ever_ran_nothing_is_touched(self):
        house = self.house()
        result = house.run("jobs", "list")
        self.assertEqual(result.returncode, 5)
        self.assertRegex(result.stderr, r"^musher jobs list: error: .*none has run there yet\n"
                                        r"hint: start it: musher run")
        self.assertFalse(os.path.exists(house / "state"))

    def test_a_damaged_node_file_is_refused(self):
        house = self.house().start()
        self.assertEqual(house.stop(), 0)
        with open(house / "state/node") as file:
            node = file.read()
        for damaged in ("", "garbage\n", node[:20], node + node):
            with open(house / "state/node", "w") as file:
                file.write(damaged)
            for words in (["run"], ["jobs", "list"]):
                result = house.run(*words)
                self.assertEqual(result.returncode, 7, result.stderr)
                self.assertRegex(result.stderr, rf"^musher {' '.join(words)}: error: .*state/node "
                                                r"does not hold.*\nhint: put it back")
            with open(house / "state/node") as file:
                self.assertEqual(file.read(), damaged, "it was made anew")
        with open(house / "state/node", "w") as file:
            file.write(node)
        house.start()
        self.assertEqual(house.stop(), 0)

    def test_a_musher_that_does_not_answer_is_left_alone(self):
        house = self.house().start()
        os.unlink(house / "state/control.sock")
        result = house.run("status")
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn(f"process {house.process.pid}", result.stderr)
        self.assertIsNone(house.process.poll())
        self.assertEqual(house.stop(), 0)

    def test_a_musher_without_its_redis_answers_itself(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        house = self.house(f"queue: {{ redis: 'unix:{redis.socket}' }}\n")
        self.leave_one_of_each(house)
        house.start()
        counts = ("waiting", "delayed", "running", "done", "dead", "ended")
        before = [house.counts("p")[name] for name in counts]
        redis.process.kill()
        redis.process.wait()
        self.assertEqual([house.counts("p")[name] for name in counts], before, "the last known")
        self.assertFalse(self.ask(house, "status")["queue"]["ok"])
        self.assertIn(redis.socket, house.counts("p")["problem"])
        for words in (["list"], ["show", "0190-none"], ["pause", "p"], ["purge", "p"]):
            result = house.run("jobs", *words)
            self.assertEqual(result.returncode, 5, words)
            self.assertIn(redis.socket, result.stderr, words)
            self.assertNotIn("does not answer", result.stderr, words)
        self.assertEqual(house.stop(), 0)

    def test_a_start_waits_for_a_verb(self):
        house = self.house().start()
        self.assertEqual(house.stop(), 0)
        lock = os.open(house / "state/lock", os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.addCleanup(os.close, lock)
        os.pwrite(lock, f"{os.getpid()} (a verb)\n".encode(), 0)
        house.launch()
        until(lambda: "state.busy" in house.log())
        self.assertIsNone(house.process.poll())
        fcntl.flock(lock, fcntl.LOCK_UN)
        house.await_ready()
        self.assertEqual(house.stop(), 0)

    def test_a_killed_verb_leaves_everything_in_order(self):
        house = self.house()
        self.leave_one_of_each(house)
        dead = self.jobs(house, "--state", "dead")[0]["id"]
        for delay in range(0, 60, 4):
            verb = subprocess.Popen(house.command("jobs", "replay", dead), cwd=house.path,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                verb.wait(delay / 1000 * SLOW)
            except subprocess.TimeoutExpired:
                verb.send_signal(signal.SIGKILL)
                verb.wait()
        self.ask(house, "jobs", "resume", "p")
        house.drop("mended", "")
        house.start()
        if self.ask(house, "jobs", "show", dead)["state"] == "dead":
            self.ask(house, "jobs", "replay", dead)
        until(lambda: "bad" in files_in(house / "in/done"))
        self.assertEqual(files_in(house / "in/failed"), [])
        until(lambda: files_in(house / "out") == ["bad", "good", "one", "two"])
        self.assertEqual(house.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
