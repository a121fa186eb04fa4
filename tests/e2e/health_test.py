"""/health: 200 or 503, and what is wrong; check --live: the connections of steps."""

import json
import os
import socket
import subprocess
import unittest

from house import House, UnixConnection, fill_disk, until
from postgres_server import Postgres

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
limits: { attempts: 1 }
steps: [ { log: seen } ]
"""
SQL = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
limits: { attempts: 1 }
steps: [ { sql: { connection: shop, query: 'SELECT 1', mode: one } } ]
"""
NOTIFY = """version: 1
source: { postgres_notify: { connection: shop, channels: [news] } }
steps: [ { log: seen } ]
"""
ROWS = """version: 1
source: { postgres_queue: { connection: shop, table: jobs } }
steps: [ { log: seen } ]
"""


class HealthTest(unittest.TestCase):
    def house(self, pipelines, extra=""):
        house = House(pipelines, extra)
        self.addCleanup(house.__exit__, None)
        house.folder("in")
        return house

    def health(self, house):
        status, body = house.ask("/health")
        self.assertEqual(status, 200 if body["ok"] else 503)
        self.assertEqual(body["ok"], not body["reasons"])
        self.assertEqual(len(body["reasons"]), len(body["problems"]))
        self.assertEqual(body["ok"], body["status"] == "ok")
        return body

    def problems(self, house):
        return {(one["what"], one["name"]): one["reason"] for one in self.health(house)["problems"]}

    def test_healthy(self):
        house = self.house({"p": PIPELINE}).start()
        self.assertEqual(house.ask("/health"), (200, {"ok": True, "status": "ok", "reasons": [],
                                                      "problems": []}))
        self.assertEqual(house.stop(), 0)

    def test_a_connection_that_steps_use(self):
        postgres = Postgres()
        self.addCleanup(postgres.close)
        house = self.house({"p": SQL},
                           f"connections: {{ shop: {{ postgres: '{postgres.url}' }} }}\n").start()
        house.drop("in/a", "1")
        until(lambda: house.counts("p")["done"] == 1)
        self.assertTrue(self.health(house)["ok"])
        postgres.kill()
        house.drop("in/b", "1")
        until(lambda: ("connection", "shop") in self.problems(house), 40)
        self.assertEqual(self.health(house)["status"], "failing")
        scraped = self.metric(house, 'musher_connection_up{connection="shop",kind="postgres"}')
        self.assertEqual(scraped, "0")
        # Nobody wants it any more: it is tried because somebody asks.
        house.ask("/api/v1/pipelines/p/pause", "POST")
        for job in house.get("jobs")["items"]:
            house.ask(f"/api/v1/jobs/{job['id']}/cancel", "POST")
        until(lambda: house.counts("p")["running"] == 0, 30)
        self.assertIn(("connection", "shop"), self.problems(house))
        self.assertEqual(house.counts("p")["dead"], 0, "a server that is away spends no attempt")
        postgres.start()
        until(lambda: ("connection", "shop") not in self.problems(house), 30,
              lambda: str(self.health(house)))
        self.assertEqual(self.metric(
            house, 'musher_connection_up{connection="shop",kind="postgres"}'), "1")
        house.ask("/api/v1/pipelines/p/resume", "POST")
        house.drop("in/c", "1")  # goes through, and lifts the hold
        until(lambda: self.health(house)["ok"], 30, lambda: str(self.health(house)))
        self.assertEqual(house.stop(), 0)

    def metric(self, house, sample):
        connection = UnixConnection(house / "state/control.sock")
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith(sample)][0]

    def test_sources_of_postgres(self):
        postgres = Postgres()
        self.addCleanup(postgres.close)
        house = self.house({"news": NOTIFY, "rows": ROWS},
                           f"connections: {{ shop: {{ postgres: '{postgres.url}' }} }}\n")
        made = house.run("describe", "source", "postgres_queue", "--sql", "jobs")
        postgres.psql(made.stdout)
        house.start()
        until(lambda: self.health(house)["ok"])
        postgres.kill()
        until(lambda: {("pipeline", "news"), ("pipeline", "rows")} <= set(self.problems(house)), 40,
              lambda: str(self.problems(house)))
        postgres.start()
        until(lambda: self.health(house)["ok"], 40, lambda: str(self.problems(house)))
        self.assertEqual(house.stop(), 0)

    def test_a_refused_edit_and_a_taken_port_degrade(self):
        with socket.socket() as taken, socket.socket() as free:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            free.bind(("127.0.0.1", 0))
            port, other = taken.getsockname()[1], free.getsockname()[1]
            free.close()
            house = self.house({"p": PIPELINE}, f"http: {{ listen: '127.0.0.1:{other}' }}\n")
            house.start()
            house.write_pipeline("p", PIPELINE + "nonsense: 1\n")
            until(lambda: self.health(house)["status"] == "degraded")
            (what, name), reason = *self.problems(house), *self.problems(house).values()
            self.assertEqual((what, name), ("edit", house / "pipelines/p.yml"))
            self.assertIn("nonsense", reason)
            house.write_pipeline("p", PIPELINE)
            until(lambda: self.health(house)["ok"])
            with open(house / "musher.yml") as file:
                text = file.read()
            with open(house / "musher.yml", "w") as file:
                file.write(text.replace(str(other), str(port)))
            until(lambda: ("setting", "http.listen") in self.problems(house))
            self.assertIn(str(port), self.problems(house)["setting", "http.listen"])
            self.assertEqual(self.health(house)["status"], "degraded")
            with open(house / "musher.yml", "w") as file:
                file.write(text)
            until(lambda: self.health(house)["ok"])
            self.assertEqual(house.stop(), 0)

    @unittest.skipUnless(os.geteuid() == 0, "mounting wants root")
    def test_a_full_disk_under_the_log_degrades(self):
        house = self.house({"p": PIPELINE}, "log: { to: '{house}/logs/m.log' }\n")
        mount = house.folder("logs")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", mount], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", mount])
        house.start()
        self.assertTrue(self.health(house)["ok"])
        fill_disk(house / "logs/ballast")
        for number in range(200):
            house.drop(f"in/{number}", "1")
        until(lambda: ("setting", "log") in self.problems(house), 30)
        self.assertIn("m.log", self.problems(house)["setting", "log"])
        self.assertEqual(self.health(house)["status"], "degraded")
        self.assertIn("lines of the log are lost", house.log())
        until(lambda: house.counts("p")["done"] == 200, 30)
        os.unlink(house / "logs/ballast")
        until(lambda: self.health(house)["ok"], 30)
        with open(house / "logs/m.log") as log:
            self.assertIn("log.lines_lost", log.read())
        self.assertEqual(house.stop(), 0)

    def test_check_live_tries_the_connections_of_steps(self):
        postgres = Postgres()
        self.addCleanup(postgres.close)
        house = self.house({"p": SQL, "news": NOTIFY.replace("shop", "news")},
                           f"connections: {{ shop: {{ postgres: '{postgres.url}' }}, "
                           f"news: {{ postgres: '{postgres.url}' }} }}\n")
        self.assertEqual(house.run("check", "--live").returncode, 0)
        postgres.kill()
        told = house.run("check", "--live", "--json", timeout=60)
        self.assertEqual(told.returncode, 1)
        found = {(p["file"].rsplit("/", 1)[-1], p["code"]) for p in
                 json.loads(told.stdout)["problems"]}
        self.assertEqual(found, {("p.yml", "connection_away"), ("news.yml", "cannot_listen")})


if __name__ == "__main__":
    unittest.main()
