"""What status, /health and the story of a job say is what is."""

import json
import os
import signal
import subprocess
import threading
import unittest

from house import GATE, House, files_in, until
from visit_test import Redis

SOURCE = "version: 1\nsource: { hotfolder: { path: {house}/in, settle: 50ms } }\n"
FAILING = SOURCE + """limits: { attempts: 2, backoff: 1ms..2ms }
steps: [ { log: begun }, { exec: [ /bin/false ] } ]
on_failure: [ { log: oh } ]
"""
SLOW = SOURCE + "limits: { parallel: 1 }\nsteps:\n" + GATE.rstrip() + "\n    when: event.name == 'slow'\n"
LINE = {"time": str, "what": str, "step": str, "attempt": int, "took_ms": int, "detail": str}


class StatusTest(unittest.TestCase):
    def house(self, pipeline, extra=""):
        house = House({"p": pipeline}, extra)
        self.addCleanup(house.__exit__, None)
        house.folder("in")
        return house

    def check_story(self, story):
        self.assertTrue(story)
        for line in story:
            self.assertEqual({name: type(value) for name, value in line.items()}, LINE, line)

    def test_every_line_of_a_story_is_whole(self):
        house = self.house(FAILING).start()
        house.drop("in/bad", "1")
        until(lambda: "bad.report.json" in files_in(house / "in/failed"))
        until(lambda: house.counts("p")["done"] == 1)
        with open(house / "in/failed/bad.report.json") as file:
            self.check_story(json.load(file)["story"])
        self.assertEqual(house.run("jobs", "pause", "p").returncode, 0)
        jobs = {job["state"]: job for job in house.get("jobs")["items"]}
        self.assertEqual(house.run("jobs", "replay", jobs["dead"]["id"]).returncode, 0)
        story = house.get("jobs/" + jobs["dead"]["id"])["story"]
        self.check_story(story)
        self.assertEqual(story[-1]["what"], "replayed")
        shown = house.run("jobs", "show", jobs["dead"]["id"]).stdout
        self.assertRegex(shown, r"(?m)try 2  replayed$")
        self.assertRegex(shown, r"(?m)try 1  failed exec /bin/false exited with 1$")
        self.assertEqual(house.stop(), 0)

    def test_a_job_of_on_failure_is_told_from_others(self):
        house = self.house(FAILING).start()
        house.drop("in/bad", "1")
        until(lambda: (house.counts("p")["done"], house.counts("p")["dead"]) == (1, 1))
        jobs = {job["state"]: job for job in house.get("jobs")["items"]}
        self.assertIs(jobs["done"]["on_failure"], True)
        self.assertNotIn("on_failure", jobs["dead"])
        self.assertRegex(house.run("jobs", "list").stdout, r" done .* on_failure of bad\n")
        self.assertIn("of on_failure of p: done", house.run("jobs", "show",
                                                            jobs["done"]["id"]).stdout)
        self.assertEqual(house.stop(), 0)

    def test_what_is_claimed_in_advance_does_not_run(self):
        house = self.house(SLOW).start()
        house.ask("/api/v1/pipelines/p/pause", "POST")
        for i in range(120):
            facts = {"name": "quick" if i < 60 else "slow"}
            status, _ = house.ask("/api/v1/pipelines/p/emit", "POST", {"set": facts})
            self.assertEqual(status, 200)
        self.assertEqual(house.counts("p")["waiting"], 120)
        house.ask("/api/v1/pipelines/p/resume", "POST")
        until(lambda: house.counts("p")["done"] == 60)
        counts = house.counts("p")
        self.assertEqual((counts["running"], counts["waiting"]), (1, 59))
        house.open_gate()
        until(lambda: house.counts("p")["done"] == 120)
        self.assertEqual(house.stop(), 0)

    def test_health_knows_of_a_redis_that_lets_nobody_in(self):
        redis = Redis()
        self.addCleanup(redis.stop)

        def order(*words):
            said = subprocess.run(["redis-cli", "-s", redis.socket, *words], capture_output=True,
                                  text=True, check=True,
                                  env=dict(os.environ, REDISCLI_AUTH="other"))
            self.assertNotIn("ERR", said.stdout)
        house = self.house(SLOW, f"queue: {{ redis: 'unix:{redis.socket}' }}\n").start()
        until(lambda: house.ask("/health")[0] == 200)
        order("CONFIG", "SET", "requirepass", "other")
        order("CLIENT", "KILL", "SKIPME", "yes")
        # An idle pipeline would look at its queue after 15 s only.
        until(lambda: house.ask("/health")[0] == 503, 5)
        until(lambda: "NOAUTH" in house.ask("/health")[1]["reasons"][0], 5)
        self.assertIn(redis.socket, house.ask("/health")[1]["reasons"][0])
        order("CONFIG", "SET", "requirepass", "")
        well = {"ok": True, "status": "ok", "reasons": [], "problems": []}
        until(lambda: house.ask("/health") == (200, well))
        self.assertEqual(house.stop(), 0)

    def test_who_asks_while_musher_stops_gets_an_answer(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        house = self.house(SLOW, f"queue: {{ redis: 'unix:{redis.socket}' }}\n").start()
        os.kill(redis.process.pid, signal.SIGSTOP)
        answers = []
        askers = [threading.Thread(target=lambda: answers.append(house.ask("/api/v1/status")))
                  for _ in range(5)]
        for asker in askers:
            asker.start()
        until(lambda: json.dumps(house.get("tasks")).count('"http//api/v1/status"') >= 5)
        self.assertEqual(house.stop(), 0)
        os.kill(redis.process.pid, signal.SIGCONT)
        for asker in askers:
            asker.join()
        self.assertEqual(len(answers), 5)
        for status, body in answers:
            # Nobody may look at pipelines that are gone.
            self.assertEqual([one["name"] for one in body.get("pipelines", [{"name": "p"}])],
                             ["p"], (status, body))

    def test_a_log_for_a_journal_that_is_not_there_goes_to_stderr(self):
        if os.path.exists("/run/systemd/journal/socket"):
            self.skipTest("there is a journal here")
        house = self.house(SLOW, "log: { to: journald }\n").start()
        self.assertEqual(house.stop(), 0)
        self.assertEqual(house.log().count("warning log.no_journal"), 1)
        self.assertRegex(house.log(), r"(?m)^\S+ info musher\.stopped$")

    def test_a_job_that_ended_shows_where_its_file_is(self):
        house = self.house(SOURCE + """limits: { attempts: 1 }
steps: [ { exec: { argv: [/bin/sh, -c, 'case $1 in bad*) exit 1; esac', sh, "${event.name}"] } } ]
on_failure: [ { log: oh } ]
""").start()
        for name in ("good", "bad"):
            for content in ("1", "22"):
                house.drop("in/" + name, content)
                until(lambda: not os.path.exists(house / f"in/{name}"))
        until(lambda: (house.counts("p")["done"], house.counts("p")["dead"]) == (4, 2))
        until(lambda: len(files_in(house / "in/failed")) == 4)
        for job in house.get("jobs")["items"]:
            shown = house.get("jobs/" + job["id"])
            path = shown["body"]["path"]
            self.assertEqual(os.path.basename(os.path.dirname(path)),
                             "done" if job["event"]["facts"]["name"] == "good" else "failed")
            self.assertEqual(os.path.getsize(path), shown["body"]["size"], path)
            self.assertIn(f"  file: {path}\n", house.run("jobs", "show", job["id"]).stdout)
            if not job.get("on_failure"):
                os.unlink(path)
                self.assertIsNone(house.get("jobs/" + job["id"])["body"]["path"])
                self.assertIn("file: gone", house.run("jobs", "show", job["id"]).stdout)
                with open(path, "w") as file:
                    file.write("x" * shown["body"]["size"])
                os.utime(path, ns=(0, 0))
        self.assertEqual(house.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
