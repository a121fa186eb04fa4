"""Servers whose place another one takes, under load: nothing is lost, and what runs again after it
runs under the same job id."""

import collections
import itertools
import os
import threading
import unittest

from house import House, files_in, until
from postgres_server import Postgres, psql, url_of
from redis_fleet import Fleet

# Each run is written down outside: what it was for, and the job.
STEPS = """
limits: { parallel: 8, attempts: 20, backoff: 50ms..500ms }
steps:
  - exec: { argv: [/bin/sh, -c, 'echo "$1 $2" >> "$3"', sh, '${ITEM}', '${job.id}',
                   '{house}/ran.${job.pipeline}'] }
"""
QUEUE = ("version: 1\nsource: { postgres_queue: { connection: db, table: jobs, channel: jobs, "
         "poll: 500ms } }" + STEPS.replace("ITEM", "event.row.id"))
NOTIFY = ("version: 1\nsource: { postgres_notify: { connection: db, channels: orders, catch_up: "
          "SELECT number AS id FROM orders } }" + STEPS.replace("ITEM", "event.payload.id"))
FILES = ("version: 1\nsource: { hotfolder: { path: ../in, settle: 0s } }" +
         STEPS.replace("ITEM", "event.name"))


class Load:
    """Goes on until it is ended; `attempt(n)` says whether the n-th was accepted."""

    def __init__(self, attempt):
        self.attempt = attempt
        self.accepted = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.go_on)

    def go_on(self):
        for number in itertools.count(1):
            if self.over.is_set():
                return
            if self.attempt(number):
                self.accepted.append(str(number))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class FailoverTest(unittest.TestCase):
    def make_tables(self, house, postgres):
        for words in (["postgres_queue", "--sql", "jobs"],
                      ["postgres_notify", "--sql", "orders", "--key", "number"]):
            printed = house.run("describe", "source", *words)
            self.assertEqual(printed.returncode, 0, printed.stderr)
            if "orders" in words:
                postgres.psql("CREATE TABLE orders (number bigint PRIMARY KEY)")
            postgres.psql(printed.stdout)

    @staticmethod
    def insert(url):
        """A row in each table, in one transaction, through whichever server takes it."""
        def attempt(number):
            told = psql(url, f"BEGIN; INSERT INTO jobs (id) VALUES ({number}); INSERT INTO orders "
                             f"VALUES ({number}); COMMIT", check=False)
            return told.returncode == 0
        return attempt

    @staticmethod
    def ran(house, pipeline):
        """Item → the jobs that ran for it, one for each run."""
        jobs = collections.defaultdict(list)
        try:
            with open(house / f"ran.{pipeline}") as file:
                for line in file:
                    if line.endswith("\n"):
                        item, job = line.split()
                        jobs[item].append(job)
        except FileNotFoundError:
            pass
        return jobs

    def more_run(self, house, *pipelines, count=20):
        """Until so many more items have run."""
        for pipeline in pipelines:
            seen = len(self.ran(house, pipeline))
            until(lambda: len(self.ran(house, pipeline)) >= seen + count, 60,
                  lambda: f"{pipeline}: {house.counts(pipeline)}\n{house.log()[-3000:]}")

    def assert_nothing_is_lost(self, house, pipeline, accepted, items):
        """All that was accepted is there, and all that is there has run, as one job each."""
        self.assertLessEqual(set(accepted), set(items))
        until(lambda: set(self.ran(house, pipeline)) >= set(items), 60,
              lambda: f"{pipeline}: {house.counts(pipeline)}\n{house.log()[-3000:]}")
        jobs = self.ran(house, pipeline)
        self.assertEqual(set(jobs), set(items))
        for item, ids in jobs.items():
            self.assertEqual(len(set(ids)), 1, f"{pipeline}: {item} ran under several ids")
        print(f"{pipeline}: {len(items)} items, {sum(map(len, jobs.values())) - len(items)} ran "
              "again")

    def healthy(self, house):
        rows = house.get("status")["pipelines"]
        return all(row["source"]["ok"] and not row["problem"] for row in rows)

    def rows_are_done(self, house, server):
        left = "SELECT count(*) FROM jobs WHERE status <> 'done'"
        until(lambda: server.psql(left).stdout == "0\n", 60,
              lambda: f"{house.counts('rows')}\n{house.log()[-3000:]}")

    def test_the_primary_dies_and_its_standby_is_promoted(self):
        primary = Postgres()
        self.addCleanup(primary.close)
        standby = primary.standby()
        self.addCleanup(standby.close)
        url = url_of(primary, standby)
        house = House({"rows": QUEUE, "orders": NOTIFY},
                      f"connections: {{ db: {{ postgres: '{url}' }} }}\n")
        self.addCleanup(house.__exit__, None)
        self.make_tables(house, primary)
        house.start()
        with Load(self.insert(url)) as load:
            self.more_run(house, "rows", "orders")
            primary.kill()
            # Why nothing comes is said by the server's name.
            for name in ("rows", "orders"):
                until(lambda: primary.folder in house.counts(name)["source"]["detail"], 40,
                      lambda: f"{house.counts(name)}")
            standby.psql("SELECT pg_promote()")
            self.more_run(house, "rows", "orders")
        until(lambda: self.healthy(house))
        numbers = standby.psql("SELECT number FROM orders").stdout.split()
        self.assert_nothing_is_lost(house, "orders", load.accepted, numbers)
        self.assert_nothing_is_lost(house, "rows", load.accepted, numbers)
        self.rows_are_done(house, standby)
        self.assertEqual(house.stop(), 0)

    def test_sentinels_make_another_redis_the_master(self):
        postgres = Postgres()
        self.addCleanup(postgres.close)
        fleet = Fleet()
        self.addCleanup(fleet.close)
        house = House({"rows": QUEUE, "orders": NOTIFY, "files": FILES},
                      f"connections: {{ db: {{ postgres: '{postgres.url}' }} }}\n" + fleet.queue)
        self.addCleanup(house.__exit__, None)
        self.make_tables(house, postgres)
        house.folder("in")
        house.start()

        def drop(number):
            """No faster than they are taken."""
            house.drop(f"in/{number}", "x")
            until(lambda: files.over.is_set() or len(os.listdir(house / "in")) < 50, 60)
            return True
        pipelines = ("rows", "orders", "files")
        files = Load(drop)
        with Load(self.insert(postgres.url)) as rows, files:
            self.more_run(house, *pipelines)
            fleet.kill_master()
            self.more_run(house, *pipelines)
        until(lambda: self.healthy(house))
        numbers = postgres.psql("SELECT number FROM orders").stdout.split()
        self.assert_nothing_is_lost(house, "orders", rows.accepted, numbers)
        self.assert_nothing_is_lost(house, "rows", rows.accepted, numbers)
        self.rows_are_done(house, postgres)
        self.assert_nothing_is_lost(house, "files", files.accepted, files.accepted)
        put_away = sorted(f"done/{name}" for name in files.accepted)
        until(lambda: files_in(house / "in") == put_away)
        self.assertEqual(house.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
