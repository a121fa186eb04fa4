"""Rows that a real PostgreSQL tells of, in the real binary: from an INSERT to the job that is done."""

import threading
import unittest

from house import House, until
from postgres_server import Postgres, psql

# Each run of the step is written down outside.
PIPELINE = """version: 1
source:
  postgres_notify:
    connection: db
    channels: orders
    CATCH_UP
steps:
  - exec: { argv: [/bin/sh, -c, 'echo "$1 $2" >> "$3"', sh, '${event.payload.id}', '${event.op}',
                   '{house}/ran'] }
"""
CATCH_UP = """catch_up: SELECT number AS id, 'INSERT' AS op FROM orders WHERE shipped IS NULL"""


class PostgresNotifyTest(unittest.TestCase):
    def setUp(self):
        self.postgres = Postgres()
        self.addCleanup(self.postgres.close)
        self.postgres.psql("CREATE TABLE orders (number bigserial PRIMARY KEY, shipped date)")

    def house(self, catch_up=CATCH_UP):
        house = House({"ship": PIPELINE.replace("CATCH_UP", catch_up)},
                      f"connections: {{ db: {{ postgres: '{self.postgres.url}' }} }}\n")
        self.addCleanup(house.__exit__, None)
        return house

    def install(self, house):
        """What `describe` prints, through psql."""
        printed = house.run("describe", "source", "postgres_notify", "--sql", "orders", "--key",
                            "number")
        self.assertEqual(printed.returncode, 0, printed.stderr)
        self.postgres.psql(printed.stdout)

    @staticmethod
    def ran(house):
        try:
            with open(house / "ran") as file:
                return [line.split() for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []

    @staticmethod
    def source(house):
        return house.counts("ship")["source"]

    def listening(self, house):
        until(lambda: self.source(house)["detail"] == "listening to orders")

    def test_an_insert_becomes_a_job_that_is_done(self):
        house = self.house(catch_up="")
        self.install(house)
        house.start()
        self.listening(house)
        self.postgres.psql("INSERT INTO orders DEFAULT VALUES")
        until(lambda: house.counts("ship")["done"] == 1)
        self.assertEqual(self.ran(house), [["1", "INSERT"]])
        job = house.get("jobs?pipeline=ship&state=done")["items"][0]
        facts = job["event"]["facts"]
        self.assertEqual(facts["payload"], {"id": 1, "op": "INSERT", "table": "orders"})
        self.assertEqual((facts["channel"], facts["table"]), ("orders", "orders"))

        # What is no JSON is told, and stops nothing.
        self.postgres.psql("NOTIFY orders, 'no json'; INSERT INTO orders DEFAULT VALUES")
        until(lambda: house.counts("ship")["done"] == 2 and house.counts("ship")["dead"] == 1)
        dead = house.get("jobs?pipeline=ship&state=dead")["items"][0]
        self.assertEqual(dead["event"]["facts"]["payload"], "no json")
        self.assertEqual(dead["error"]["code"], "corrupt")
        self.assertIn("channel orders", dead["error"]["message"])
        self.assertEqual(house.stop(), 0)

    def test_the_printed_sql_changes_nothing_when_it_does_not_fit(self):
        house = self.house()
        printed = house.run("describe", "source", "postgres_notify", "--sql", "orders")
        tried = self.postgres.psql(printed.stdout, check=False)
        self.assertIn('column "id" does not exist', tried.stderr)
        count = self.postgres.psql("SELECT count(*) FROM pg_proc WHERE proname ~ '^musher'").stdout
        self.assertEqual(count, "0\n")
        for words in (["--key", "a"], ["--sql", ""], ["--sql", "a" * 60]):
            answer = house.run("describe", "source", "postgres_notify", *words)
            self.assertEqual(answer.returncode, 2, answer.stderr)
        answer = house.run("describe", "source", "timer", "--sql", "orders")
        self.assertEqual(answer.returncode, 2)

    def test_nothing_is_missed_while_server_and_reactor_are_killed(self):
        house = self.house()
        self.install(house)
        house.start()
        over = threading.Event()
        committed = []

        def write():
            while not over.is_set():
                told = self.postgres.psql("INSERT INTO orders DEFAULT VALUES RETURNING number",
                                          check=False)
                if told.returncode == 0:
                    committed.append(told.stdout.strip())

        writer = threading.Thread(target=write)
        writer.start()
        try:
            until(lambda: len(self.ran(house)) >= 3)
            self.postgres.kill()
            self.postgres.start()
            written = len(committed)
            until(lambda: len(committed) >= written + 5)
            house.kill()
            written = len(committed)
            until(lambda: len(committed) >= written + 5)
            house.start()
            seen = len(self.ran(house))
            until(lambda: len(self.ran(house)) >= seen + 5)
        finally:
            over.set()
            writer.join()
        # A commit whose answer was lost counts, too.
        rows = self.postgres.psql("SELECT number FROM orders").stdout.split()
        self.assertLessEqual(set(committed), set(rows))
        until(lambda: {number for number, _ in self.ran(house)} == set(rows))
        until(lambda: house.counts("ship")["done"] == len(rows))
        self.assertEqual(house.counts("ship")["dead"], 0)
        # Only a step that a kill -9 met may have run twice.
        ran = self.ran(house)
        self.assertLessEqual(len(ran) - len(rows), 4)
        self.listening(house)
        self.assertEqual(house.stop(), 0)

    def test_another_database_takes_over_without_a_restart(self):
        for database in ("one", "two"):
            self.postgres.psql(f"CREATE DATABASE {database}")
        one, two = self.postgres.url_in("one"), self.postgres.url_in("two")
        house = House({"ship": PIPELINE.replace("CATCH_UP", CATCH_UP) +
                       "  - sql: { connection: db, mode: exec, query: UPDATE orders SET shipped = "
                       "now() WHERE number = $1, params: ['${event.payload.id}'] }\n"},
                      f"connections: {{ db: {{ postgres: '{one}' }} }}\n")
        self.addCleanup(house.__exit__, None)
        printed = house.run("describe", "source", "postgres_notify", "--sql", "orders", "--key",
                            "number").stdout
        for url, first in ((one, 1), (two, 1000)):
            psql(url, f"CREATE TABLE orders (number bigint PRIMARY KEY, shipped date); {printed};"
                 f"CREATE SEQUENCE s START {first}; "
                 "ALTER TABLE orders ALTER number SET DEFAULT nextval('s')")
        insert = "INSERT INTO orders DEFAULT VALUES"
        house.start()
        self.listening(house)
        psql(one, insert)
        until(lambda: house.counts("ship")["done"] == 1)
        # The step's session, and one that listens: it asks now and then whether the server is there.
        step, listener = sorted(self.postgres.sessions("one").splitlines(), reverse=True)
        self.assertRegex(step, "^UPDATE")
        self.assertRegex(listener, "^(LISTEN|SELECT 1$)")

        over = threading.Event()

        def write():
            while not over.is_set():
                psql(two, insert)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            house.edit_settings(one, two)
            until(lambda: "LISTEN" in self.postgres.sessions("two"), 10)
            until(lambda: not self.postgres.sessions("one"), 10,
                  lambda: self.postgres.sessions("one"))
            done = house.counts("ship")["done"]
            until(lambda: house.counts("ship")["done"] > done + 5)
        finally:
            over.set()
            writer.join()
        left = "SELECT count(*) FROM orders WHERE shipped IS NULL"
        until(lambda: psql(two, left).stdout == "0\n")
        self.listening(house)
        self.assertEqual(house.get("status")["restart_needed"], [])
        self.assertIn("pipeline.edited", house.log())
        self.assertEqual(house.counts("ship")["dead"], 0)
        self.assertEqual(house.stop(), 0)

    def test_check_live_tries_the_query_and_the_channels(self):
        house = self.house()
        answer = house.run("check", "--live")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        wrong = self.house(catch_up="catch_up: SELECT id FROM nowhere")
        answer = wrong.run("check", "--live")
        self.assertEqual(answer.returncode, 1)
        self.assertIn('relation "nowhere" does not exist', answer.stderr)
        self.postgres.kill()
        answer = house.run("check", "--live")
        self.assertEqual(answer.returncode, 1, answer.stderr)
        self.assertIn("ship.yml", answer.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
