"""The rows of a table, with the real binary: every row ends, whatever is killed meanwhile."""

import collections
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from house import GATE, House, Redis, until
from postgres_server import Postgres, psql

# Each run of the step is written down outside: the row, and the job.
QUEUE = """version: 1
source:
  postgres_queue: { connection: shop, table: jobs, channel: jobs, poll: 500ms, lease: LEASE }
limits: { parallel: 8, attempts: 3, backoff: 10ms..50ms }
steps:
  - exec:
      argv: [/bin/sh, -c, 'echo "$1 $2" >> "$3"; [ "$1" != 7 ]', sh, '${event.row.id}',
             '${job.id}', RAN]
"""


class PostgresQueueTest(unittest.TestCase):
    def setUp(self):
        self.postgres = Postgres()
        self.addCleanup(self.postgres.close)

    def house(self, ran="{house}/ran", lease="2s", queue="", pipeline=QUEUE):
        extra = f"connections: {{ shop: {{ postgres: '{self.postgres.url}' }} }}\n" + queue
        house = House({"jobs": pipeline.replace("RAN", ran).replace("LEASE", lease)}, extra)
        self.addCleanup(house.__exit__, None)
        return house

    def make_table(self, house):
        made = house.run("describe", "source", "postgres_queue", "--sql", "jobs")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.postgres.psql(made.stdout)

    def insert(self, count):
        self.postgres.psql("INSERT INTO jobs (priority) SELECT n % 3 FROM "
                           f"generate_series(1, {count}) n")

    def statuses(self):
        rows = self.postgres.psql("SELECT status, count(*) FROM jobs GROUP BY 1").stdout.split()
        return {row.split("|")[0]: int(row.split("|")[1]) for row in rows}

    def count_ended(self):
        statuses = self.statuses()
        return statuses.get("done", 0) + statuses.get("failed", 0)

    def ended(self, count):
        return self.count_ended() == count

    @staticmethod
    def ran(path):
        """Row → the ids of the jobs that ran for it."""
        jobs = collections.defaultdict(list)
        with open(path) as file:
            for line in file:
                row, job = line.split()
                jobs[row].append(job)
        return jobs

    def assert_one_job_each(self, path):
        jobs = self.ran(path)
        rows = self.postgres.psql("SELECT id FROM jobs").stdout.split()
        self.assertEqual(sorted(jobs), sorted(rows))
        for row, ids in jobs.items():
            self.assertEqual(len(set(ids)), 1, f"row {row} ran under several ids")

    def test_every_row_ends_whatever_is_killed(self):
        house = self.house()
        self.every_row_ends(house)
        self.assertEqual(house.stop(), 0)

    def test_every_row_ends_when_the_table_is_the_queue(self):
        house = self.house(pipeline=QUEUE + "via: direct\n")
        self.every_row_ends(house)
        self.assertNotIn("m1:{jobs}", self.redis_keys(house))
        emitted = house.run("emit", "jobs", "-c", house / "musher.yml")
        self.assertEqual(emitted.returncode, 2, emitted.stdout)
        self.assertIn("goes `via: direct`", emitted.stderr)
        self.assertEqual(house.stop(), 0)

    def every_row_ends(self, house):
        self.make_table(house)
        self.insert(200)
        house.start()
        for number in range(8):
            # A job that were running at three kills would count as what kills reactors.
            enough = min(self.count_ended() + 20, 200 + 10 * number)
            until(lambda: self.count_ended() >= enough, 60)
            if number == 2:
                until(lambda: self.statuses().get("failed") == 1, 60)
            if number == 4:
                self.postgres.kill()
                self.postgres.start()
            house.kill()
            self.insert(10)
            house.start()
        until(lambda: self.ended(280), 60, lambda: f"{self.statuses()}\n{house.log()[-2000:]}")
        self.assertEqual(self.statuses(), {"done": 279, "failed": 1})
        self.assert_one_job_each(house / "ran")
        error = self.postgres.psql("SELECT id, error FROM jobs WHERE status = 'failed'").stdout
        self.assertIn("7|", error)
        self.assertIn("exited with 1", error)

    @staticmethod
    def redis_keys(house):
        asked = subprocess.run(["redis-cli", "-s", house / "state/redis/redis.sock", "KEYS", "*"],
                               check=True, capture_output=True, text=True)
        return asked.stdout

    def test_what_has_not_run_waits_again_after_a_stop(self):
        gated = "version: 1\n" + QUEUE.split("\n", 1)[1].split("limits:")[0]
        house = self.house(pipeline=gated + "limits: { parallel: 1 }\nsteps:\n" + GATE +
                           "via: direct\n")
        self.make_table(house)
        self.insert(20)
        house.start()
        until(lambda: house.counts("jobs")["running"] == 1)
        until(lambda: self.statuses() == {"running": 20})
        house.process.send_signal(signal.SIGTERM)
        until(lambda: "musher.stopping" in house.log())
        house.open_gate()
        self.assertEqual(house.process.wait(30), 0)
        self.assertEqual(self.statuses(), {"done": 1, "waiting": 19})
        tries = self.postgres.psql("SELECT tries FROM jobs WHERE status = 'waiting'").stdout
        self.assertEqual(set(tries.split()), {"0"})
        house.start()
        until(lambda: self.statuses() == {"done": 20})
        self.assertEqual(house.stop(), 0)

    def test_one_of_two_reactors_never_comes_back(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        queue = f"queue: {{ redis: 'unix:{redis.socket}' }}\n"
        self.one_takes_over(os.path.join(redis.folder, "ran"), queue, QUEUE)

    def test_one_of_two_never_comes_back_when_the_table_is_the_queue(self):
        folder = tempfile.mkdtemp(prefix="musher-ran-", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        self.one_takes_over(os.path.join(folder, "ran"), "", QUEUE + "via: direct\n")

    def one_takes_over(self, ran, queue, pipeline):
        houses = [self.house(ran=ran, queue=queue, pipeline=pipeline) for _ in range(2)]
        self.make_table(houses[0])
        for house in houses:
            house.start()
        self.insert(300)
        until(lambda: self.statuses().get("done", 0) > 20)
        houses[0].kill()
        until(lambda: self.ended(300), 100,
              lambda: f"{self.statuses()}\n{houses[1].log()[-2000:]}")
        self.assert_one_job_each(ran)
        self.assertEqual(houses[1].stop(), 0)

    def test_a_job_that_is_replayed_ends_its_row(self):
        house = self.house(pipeline=QUEUE.replace('"$1" != 7', '-e {house}/mended'))
        self.make_table(house)
        self.insert(1)
        house.start()
        until(lambda: self.statuses() == {"failed": 1})
        with open(house / "mended", "w"):
            pass
        dead = house.get("jobs?pipeline=jobs&state=dead")["items"][0]
        house.run("jobs", "replay", dead["id"], "-c", house / "musher.yml")
        until(lambda: self.statuses() == {"done": 1})

    def test_a_connection_that_is_corrected_is_taken_over(self):
        right = self.postgres.url
        house = self.house()
        self.make_table(house)
        house.edit_settings(right, right + "&port=1")
        house.start()
        until(lambda: not house.counts("jobs")["source"]["ok"])
        self.insert(3)
        # Together with the pipeline, whose table is only there, or right after it.
        self.postgres.psql("ALTER TABLE jobs RENAME TO tasks")
        house.write_pipeline("jobs", QUEUE.replace("table: jobs", "table: tasks")
                             .replace("RAN", "{house}/ran").replace("LEASE", "2s"))
        house.edit_settings(right + "&port=1", right)
        ended = "SELECT count(*) FROM tasks WHERE status = 'done'"
        until(lambda: self.postgres.psql(ended).stdout == "3\n", 10,
              lambda: str(house.counts("jobs")))
        self.assertTrue(house.counts("jobs")["source"]["ok"])
        self.assertEqual(house.ask("/health")[0], 200)
        self.assertNotIn("config.refused", house.log())
        self.assertEqual(house.stop(), 0)

    def test_another_database_takes_over_while_a_job_runs(self):
        for database in ("one", "two"):
            self.postgres.psql(f"CREATE DATABASE {database}")
        one, two = self.postgres.url_in("one"), self.postgres.url_in("two")
        house = self.house(pipeline=QUEUE + GATE)
        house.edit_settings(self.postgres.url, one)
        printed = house.run("describe", "source", "postgres_queue", "--sql", "jobs").stdout
        insert = "INSERT INTO jobs (priority) VALUES (1)"
        for url in (one, two):
            psql(url, printed)
        psql(one, insert)
        house.start()
        until(lambda: house.counts("jobs")["running"] == 1)
        self.assertIn("musher_reactors", self.postgres.sessions("one"))
        house.edit_settings(one, two)
        until(lambda: "musher_reactors" in self.postgres.sessions("two"), 10)
        until(lambda: not self.postgres.sessions("one"), 10)
        psql(two, insert)
        until(lambda: house.counts("jobs")["running"] == 2)
        house.open_gate()
        until(lambda: house.counts("jobs")["done"] == 2)
        until(lambda: psql(two, "SELECT status FROM jobs").stdout == "done\n")
        self.assertEqual(house.get("status")["restart_needed"], [])
        # Known again when the connection is.
        house.edit_settings(two, one)
        until(lambda: psql(one, "SELECT status FROM jobs").stdout == "done\n")
        self.assertEqual(house.counts("jobs")["done"], 2)
        self.assertEqual(house.stop(), 0)

    def test_check_live_names_the_option(self):
        text = QUEUE.replace("poll: 500ms", "columns: { token: tokne }")
        house = self.house(pipeline=text)
        self.make_table(house)
        checked = house.run("check", "--live", "-c", house / "musher.yml")
        self.assertEqual(checked.returncode, 1, checked.stdout)
        said = checked.stdout + checked.stderr
        column = text.splitlines()[2].index("token: tokne") + 1
        self.assertIn("the table jobs has no column tokne, which `columns.token` names", said)
        self.assertRegex(said, rf"jobs\.yml:3:{column}: error: ")


if __name__ == "__main__":
    unittest.main(verbosity=2)
