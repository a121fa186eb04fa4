"""Timers of the real binary: one job per due time, whatever happens to its processes."""

import datetime
import os
import time
import unittest

from house import House, Redis, until

# Each run of the step is written down outside: when it was due, and the job.
TICKS = """version: 1
source: { timer: { every: EVERY, missed: MISSED } }
steps:
  - exec: { argv: [/bin/sh, -c, 'echo "$1 $2" >> "$3"', sh, '${event.due}', '${job.id}', RAN] }
"""


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class TimerTest(unittest.TestCase):
    def house(self, pipeline, extra=""):
        house = House({"ticks": pipeline}, extra)
        self.addCleanup(house.__exit__, None)
        return house

    def ticks(self, every="1s", missed="once", ran="{house}/ran", extra=""):
        text = TICKS.replace("EVERY", every).replace("MISSED", missed).replace("RAN", ran)
        return self.house(text, extra)

    @staticmethod
    def ran(path):
        """The due times that ran, in seconds, as they ran."""
        try:
            with open(path) as file:
                return [seconds(line.split()[0]) for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def assert_once_each(self, due):
        self.assertEqual(len(due), len(set(due)), due)

    def test_two_reactors_make_one_job_of_each_due_time(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        ran = os.path.join(redis.folder, "ran")
        queue = f"queue: {{ redis: 'unix:{redis.socket}' }}\n"
        houses = [self.ticks(ran=ran, extra=queue).start() for _ in range(2)]
        until(lambda: len(self.ran(ran)) >= 6)
        for house in houses:
            self.assertEqual(house.stop(), 0)
        due = sorted(self.ran(ran))
        self.assert_once_each(due)
        self.assertEqual(due, [due[0] + n for n in range(len(due))], "none is missing")
        for house in houses:
            with open(house / "state/timers/ticks") as file:
                self.assertIn('"every 1000ms"', file.read())

    def after_a_kill(self, missed):
        """(last due time before a kill -9, those after it, just before and after the next start)."""
        house = self.ticks(every="3s", missed=missed).start()
        path = house / "ran"
        note = house / "state/timers/ticks"
        until(lambda: len(self.ran(path)) >= 1)
        with open(note) as file:
            earlier = file.read()
        until(lambda: house.counts("ticks")["done"] >= 2)  # else the kill may repeat the step
        last = self.ran(path)[-1]
        house.kill()
        with open(note, "w") as file:  # as if it had been killed before it wrote
            file.write(earlier)
        until(lambda: time.time() > last + 7)
        before = time.time()
        house.start()
        after = time.time()
        until(lambda: len(self.ran(path)) >= 4)
        due = self.ran(path)
        self.assert_once_each(due)
        self.assertGreaterEqual(due[2], before - 3, "of what was missed only the latest may come")
        return due[2], before, after

    def test_the_latest_of_what_was_missed_comes_after_a_kill(self):
        first, before, after = self.after_a_kill("once")
        self.assertIn(first, (before // 3 * 3, after // 3 * 3))

    def test_nothing_of_what_was_missed_comes_after_a_kill(self):
        first, before, _ = self.after_a_kill("skip")
        self.assertGreater(first, before)

    def test_pause_and_resume(self):
        house = self.ticks().start()
        until(lambda: self.ran(house / "ran"))
        self.assertEqual(house.run("jobs", "pause", "ticks", "-c", house / "musher.yml").returncode,
                         0)
        until(lambda: house.counts("ticks")["state"] == "paused")
        until(lambda: house.counts("ticks")["source"]["detail"] == "paused")
        paused = time.time()
        until(lambda: time.time() > paused + 3)
        ran = self.ran(house / "ran")
        self.assertLessEqual(ran[-1], paused)
        house.run("jobs", "resume", "ticks", "-c", house / "musher.yml")
        until(lambda: len(self.ran(house / "ran")) >= len(ran) + 2)
        due = self.ran(house / "ran")
        self.assert_once_each(due)
        self.assertGreater(due[len(ran)], paused + 1, "only the latest comes late")

    def test_a_dead_job_is_replayed(self):
        house = self.house("""version: 1
source: { timer: { every: 2s } }
when: event.due < "9"
key: ${event.date}
limits: { attempts: 1 }
steps:
  - exec: { argv: [test, -e, {house}/mended] }
""").start()
        until(lambda: house.counts("ticks")["dead"] >= 1)
        dead = house.get("jobs?pipeline=ticks&state=dead")["items"][0]
        self.assertEqual(dead["event"]["kind"], "timer")
        due = dead["event"]["facts"]["due"]
        self.assertEqual(dead["key"], due[:10])
        house.drop("mended", "")
        answer = house.run("jobs", "replay", dead["id"], "-c", house / "musher.yml")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        until(lambda: house.get("jobs/" + dead["id"])["state"] == "done")
        self.assertEqual(house.get("jobs/" + dead["id"])["event"]["facts"]["due"], due)

    def test_status_says_when_it_is_next(self):
        house = self.house("""version: 1
source: { timer: { cron: "0 0 29 feb *" } }
steps: [ log: leap ]
""", "timezone: Europe/Vienna\n").start()
        source = until(lambda: house.counts("ticks")["source"].get("next")
                       and house.counts("ticks")["source"])
        self.assertTrue(source["ok"])
        self.assertRegex(source["next"], r"^\d{4}-02-28T23:00:00\.000Z$")
        self.assertEqual(source["detail"], "next at " + source["next"])
        self.assertEqual(house.get("why?path=/srv/in/a")["reason"], "unknown_folder")


if __name__ == "__main__":
    unittest.main(verbosity=2)
