"""The rows of a table, with the real binary: every row ends, whatever is killed meanwhile."""

import collections
import os
import time
import unittest

from house import House, Redis, until
from postgres_server import Postgres

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

    def ended(self, count):
        statuses = self.statuses()
        return statuses.get("done", 0) + statuses.get("failed", 0) == count

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
        self.make_table(house)
        self.insert(150)
        house.start()
        for number in range(8):
            start = time.monotonic()
            until(lambda: time.monotonic() > start + 0.05 + 0.06 * number)
            if number == 4:
                self.postgres.kill()
                self.postgres.start()
            house.kill()
            self.insert(10)
            house.start()
        until(lambda: self.ended(230), 60, lambda: f"{self.statuses()}\n{house.log()[-2000:]}")
        self.assertEqual(self.statuses(), {"done": 229, "failed": 1})
        self.assert_one_job_each(house / "ran")
        error = self.postgres.psql("SELECT id, error FROM jobs WHERE status = 'failed'").stdout
        self.assertIn("7|", error)
        self.assertIn("exited with 1", error)
        self.assertEqual(house.stop(), 0)

    def test_one_of_two_reactors_never_comes_back(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        ran = os.path.join(redis.folder, "ran")
        queue = f"queue: {{ redis: 'unix:{redis.socket}' }}\n"
        houses = [self.house(ran=ran, queue=queue) for _ in range(2)]
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
