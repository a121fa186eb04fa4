"""Queues of pipelines whose file was removed: seen, and in the hands of the jobs verbs."""

import json
import os
import subprocess
import unittest

from house import House, files_in, until
from visit_test import Redis

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in, settle: 20ms } }
limits: { attempts: 2, backoff: 1h..1h }
steps:
  - exec: { argv: [/usr/bin/test, "${event.name}", "!=", late] }
"""
OTHER = "version: 1\nsource: { hotfolder: { path: {house}/other } }\nsteps: [ { log: hello } ]\n"


class OrphansTest(unittest.TestCase):
    def house(self, extra=""):
        house = House({"p": PIPELINE, "q": OTHER}, extra)
        self.addCleanup(house.__exit__, None)
        for folder in ("in", "other"):
            house.folder(folder)
        return house

    def ask(self, house, *words, code=0):
        result = house.run(*words, "--json")
        self.assertEqual(result.returncode, code, result.stderr + result.stdout)
        return json.loads(result.stdout)

    def row(self, house, name="p"):
        rows = [row for row in self.ask(house, "status")["pipelines"] if row["name"] == name]
        return rows[0] if rows else None

    def stranded(self, house):
        """What /health says of the jobs of p."""
        until(lambda: house.ask("/health")[0] == 503, 5)
        health = house.ask("/health")[1]
        self.assertEqual([(one["what"], one["name"]) for one in health["problems"]],
                         [("orphan", "p")])
        self.assertEqual(health["status"], "failing")
        return health["problems"][0]["reason"]

    def leave(self, house):
        """One done, one delayed, two waiting jobs of p; then its file is removed."""
        house.start()
        for name in ("good", "late"):
            house.drop("in/" + name, name)
        until(lambda: (house.counts("p")["done"], house.counts("p")["delayed"]) == (1, 1))
        self.assertIsNone(self.ask(house, "jobs", "list", "--pipeline", "q")["next"])
        house.run("jobs", "pause", "p")
        for name in ("one", "two"):
            house.drop(name, name)
            house.run("emit", "p", "--file", house / name)
        until(lambda: house.counts("p")["waiting"] == 2)
        self.assertEqual(house.stop(), 0)
        os.rename(house / "pipelines/p.yml", house / "p.yml")

    def check_verbs(self, house):
        row = self.row(house)
        self.assertEqual((row["state"], row["waiting"], row["delayed"], row["done"]),
                         ("orphaned", 2, 1, 1))
        self.assertEqual(set(row), set(self.row(house, "q")))
        self.assertIn("musher jobs release p", row["problem"])
        self.assertRegex(house.run("status").stdout, r"(?m)^p +orphaned +2 +1 +0 +1 +0 ")
        jobs = self.ask(house, "jobs", "list")["items"]
        self.assertEqual([job["pipeline"] for job in jobs], ["p"] * 4)
        self.assertEqual(len(self.ask(house, "jobs", "list", "--pipeline", "p")["items"]), 4)
        by_state = {job["state"]: job["id"] for job in jobs}
        self.assertEqual(self.ask(house, "jobs", "show", by_state["done"])["state"], "done")
        self.assertEqual(self.ask(house, "jobs", "retry", by_state["delayed"])["state"], "waiting")
        self.assertEqual(self.ask(house, "jobs", "cancel", by_state["delayed"])["state"],
                         "cancelled")
        refused = self.ask(house, "jobs", "replay", by_state["delayed"], code=4)["error"]
        self.assertIn("the file of pipeline p is gone", refused["message"])
        self.assertFalse(self.ask(house, "jobs", "resume", "p")["paused"])
        self.assertEqual(self.ask(house, "jobs", "purge", "p")["purged"], 1)
        self.ask(house, "jobs", "purge", "nobody", code=3)
        self.ask(house, "jobs", "show", "nobody", code=3)
        self.assertEqual(self.ask(house, "jobs", "release", "p"),
                         {"pipeline": "p", "released": 0, "kept": 2})
        for job in self.ask(house, "jobs", "list", "--state", "waiting")["items"]:
            self.ask(house, "jobs", "cancel", job["id"])

    def test_of_this_host(self):
        for running in (True, False):
            with self.subTest(running=running):
                house = self.house()
                self.leave(house)
                if running:
                    house.start()
                    problem = self.stranded(house)
                    self.assertIn("where 3 jobs have not ended", problem)
                    self.assertIn("musher jobs release p", problem)
                self.check_verbs(house)
                self.assertNotIn("release", self.row(house)["problem"], "nothing waits")
                if running:
                    until(lambda: house.ask("/health")[0] == 200, 5)
                    self.assertEqual(house.stop(), 0)
                os.rename(house / "p.yml", house / "pipelines/p.yml")
                house.start()
                until(lambda: "late.report.json" in files_in(house / "in/failed"))
                self.assertEqual(self.row(house)["state"], "running")
                self.assertEqual(house.stop(), 0)

    def test_known_as_soon_as_the_file_is_gone(self):
        """Its queue is one that hosts share: our own sign of life is in it."""
        text = "version: 1\nsource: { timer: { every: 1h } }\nsteps: [ { log: hello } ]\n"
        for another in ("", "pipeline: other\n"):
            with self.subTest(renamed=bool(another)):
                house = House({"p": text, "q": OTHER})
                self.addCleanup(house.__exit__, None)
                house.folder("other")
                house.start()
                house.run("jobs", "pause", "p")
                job = self.ask(house, "emit", "p")["id"]
                until(lambda: house.counts("p")["waiting"] == 1)
                os.unlink(house / "pipelines/p.yml")
                if another:
                    house.write_pipeline("p2", another + text)
                until(lambda: "pipeline.ended pipeline=p" in house.log(), 10)
                self.assertEqual(house.ask("/api/v1/jobs/" + job)[0], 200)
                listed = self.ask(house, "jobs", "list", "--pipeline", "p")["items"]
                self.assertEqual([one["id"] for one in listed], [job])
                self.assertEqual(self.row(house)["state"], "orphaned")
                problem = self.stranded(house)
                self.assertIn("where 1 job has not ended", problem)
                self.assertNotIn("release", problem, "no file can be put back")
                self.ask(house, "jobs", "cancel", job)
                until(lambda: house.ask("/health")[0] == 200, 5)
                self.assertEqual(self.row(house)["state"], "orphaned")
                self.assertEqual(house.stop(), 0)

    def test_an_empty_one_is_no_more(self):
        house = self.house()
        self.leave(house)
        house.start()
        for job in self.ask(house, "jobs", "list")["items"]:
            if job["state"] != "done":
                self.ask(house, "jobs", "cancel", job["id"])
        for state in ("done", "cancelled"):
            self.ask(house, "jobs", "purge", "p", "--state", state)
        self.assertIsNone(self.row(house))
        self.assertEqual(self.ask(house, "jobs", "list")["items"], [])
        self.assertEqual(house.stop(), 0)

    def test_of_a_name_that_lives_on_with_another_queue(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        house = self.house(f"queue: {{ redis: 'unix:{redis.socket}' }}\n")
        self.leave(house)
        with open(house / "state/node") as file:
            queue = "p@" + file.read().strip()
        house.write_pipeline("p", PIPELINE.replace("settle", "shared: true, settle"))
        house.start()
        self.assertEqual(self.row(house)["state"], "running")
        self.assertEqual(self.row(house, queue)["state"], "orphaned")
        page = self.ask(house, "jobs", "list", "--limit", "3")
        self.assertEqual(len(page["items"]), 3)
        page = self.ask(house, "jobs", "list", "--after", page["next"])
        self.assertEqual((len(page["items"]), page["next"]), (1, None))
        self.assertEqual(self.ask(house, "jobs", "release", queue)["released"], 1)
        until(lambda: self.row(house)["delayed"] == 1, what="the shared folder takes the file")
        self.assertEqual(house.stop(), 0)

    def test_a_queue_that_another_host_works_on_is_none(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        queue = f"queue: {{ redis: 'unix:{redis.socket}' }}\n"
        house = self.house(queue)
        house.write_pipeline("p", PIPELINE.replace("settle", "shared: true, settle"))
        house.start()
        house.drop("in/good", "1")
        until(lambda: house.counts("p")["done"] == 1)
        other = House({"q": OTHER}, queue)
        self.addCleanup(other.__exit__, None)
        other.folder("other")
        other.start()
        self.assertIsNone(self.row(other))
        self.assertEqual(house.stop(), 0)
        # As 30 s later: nobody is alive there.
        subprocess.run(["redis-cli", "-s", redis.socket, "DEL", "m1:{p}:rx"], check=True,
                       stdout=subprocess.DEVNULL)
        self.assertEqual(self.row(other)["state"], "orphaned")
        self.assertEqual(other.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
