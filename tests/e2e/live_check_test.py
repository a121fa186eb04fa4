"""check --live: what the configuration names is tried, and nothing of that stays."""

import json
import os
import random
import signal
import subprocess
import unittest

from house import ROOT, SLOW, House, files_in, until
from postgres_server import Postgres

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
steps:
  - directory: { to: "{house}/out/${event.date}" }
  - redis_publish: { connection: bus, channel: news, message: hello }
"""
BUS = "connections: { bus: { redis: { url: 'unix:{house}/bus.sock' } } }\n"
USER = 4001


def everything_in(folder):
    found = set()
    for base, folders, names in os.walk(folder):
        found.update(os.path.join(base, name) for name in folders + names)
    return found


class LiveCheckTest(unittest.TestCase):
    def setUp(self):
        self.house = House({"p": PIPELINE}, extra=BUS)
        self.addCleanup(self.house.__exit__, None)
        os.chmod(self.house.path, 0o755)
        self.house.folder("in")
        self.house.folder("out")
        self.bus = self.start_bus()

    def start_bus(self):
        """The Redis that the step publishes to."""
        socket = self.house / "bus.sock"
        bus = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket, "--dir",
                                self.house.path, "--save", "", "--unixsocketperm", "777"],
                               stdout=subprocess.PIPE, text=True)
        self.addCleanup(bus.stdout.close)
        self.addCleanup(bus.wait)
        self.addCleanup(bus.kill)
        for line in bus.stdout:
            if "accept connections" in line:
                return bus
        raise AssertionError("no redis-server")

    def check(self, code, *words, **more):
        before = everything_in(self.house.path)
        result = subprocess.run(self.house.command("check", "--live", *words), text=True,
                                cwd=self.house.path, capture_output=True, timeout=30 * SLOW, **more)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertEqual(everything_in(self.house.path), before, "something was left behind")
        return result

    def problems(self, code=1, **more):
        answer = json.loads(self.check(code, "--json", **more).stdout)
        self.assertEqual(answer["ok"], code == 0)
        return [(p["line"], p["code"], p["severity"]) for p in answer["problems"]]

    def test_all_is_well(self):
        self.assertEqual(self.check(0).stdout, "ok: 1 pipelines\n")
        self.assertEqual(self.problems(0), [])
        self.assertEqual(self.check(0, "pipelines/p.yml").stdout, "ok: 1 pipelines\n")

    def test_faults_in_the_file_come_first(self):
        self.house.write_pipeline("p", PIPELINE.replace("settle", "setle"))
        os.rmdir(self.house / "in")
        self.assertIn("setle", self.check(2).stderr)

    def test_folders_and_connections_that_are_not_there(self):
        os.rmdir(self.house / "in")
        self.bus.kill()
        self.bus.wait()
        os.rmdir(self.house / "out")  # would be made
        self.assertEqual(self.problems(), [(2, "unusable_folder", "error"),
                                           (5, "connection_away", "error")])
        text = self.check(1).stderr
        self.assertRegex(text, r"pipelines/p\.yml:2:\d+: error: opening \S+/in: No such file")
        self.assertRegex(text, r"pipelines/p\.yml:5:\d+: error: .*bus\.sock")
        self.assertIn("hint: create it, or mount what belongs there", text)

    def test_a_shared_redis_that_is_away(self):
        with open(self.house / "musher.yml", "a") as file:
            file.write(f"queue: {{ redis: 'unix:{self.house.path}/none.sock' }}\n")
        self.assertEqual(self.problems(), [(5, "queue_away", "error")])
        self.assertRegex(self.check(1).stderr, r"musher\.yml:5:\d+: error: .*none\.sock")

    def test_a_mail_server_that_is_away_or_lets_nobody_in(self):
        certificate, key = self.house / "cert.pem", self.house / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                        certificate], check=True, stderr=subprocess.DEVNULL)
        server = subprocess.Popen(
            ["/usr/bin/python3", os.path.join(ROOT, "tests/services/mail_recorder.py"),
             self.house / "mails", "0", "starttls", certificate, key], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        port = int(server.stdout.readline())
        post = (f"post: {{ smtp: {{ url: 'smtp://127.0.0.1:{port}', user: bob, from: bob@h, "
                "ca_file: cert.pem, password: !env MAIL_PASSWORD } }, ")
        with open(self.house / "musher.yml", "r+") as file:
            text = file.read().replace("{ bus", "{ " + post + "bus")
            file.seek(0)
            file.write(text)
        with open(self.house / "pipelines/p.yml", "a") as file:
            file.write("  - mail: { connection: post, to: a@h, subject: s }\n")
        good, bad = ({**os.environ, "MAIL_PASSWORD": word} for word in ("pass word", "s3cret"))
        self.assertEqual(self.problems(0, env=good), [])
        self.assertEqual(self.problems(env=bad), [(6, "connection_away", "error")])
        told = self.check(1, env=bad).stderr
        self.assertIn("hint: check user and password", told)
        self.assertNotIn("s3cret", told)
        server.kill()
        server.wait()
        self.assertEqual(self.problems(env=good), [(6, "connection_away", "error")])

    def test_tables_and_queries_that_the_database_would_refuse(self):
        database = Postgres()
        self.addCleanup(database.close)
        database.psql("CREATE TABLE files (job text PRIMARY KEY, name text, size bigint NOT NULL)")
        with open(self.house / "musher.yml", "r+") as file:
            text = file.read().replace("{ bus", f"{{ shop: {{ postgres: {{ url: '{database.url}' }}"
                                       " }, bus")
            file.seek(0)
            file.write(text)

        def row(table="files", columns="job: job.id, name: event.name, size: event.size",
                conflict="job"):
            return (f"postgres_table: {{ connection: shop, table: {table}, row: {{ {columns} }}, "
                    f"conflict: {conflict} }}")

        def sql(query):
            return f"sql: {{ connection: shop, query: {query} }}"

        def pipeline(first, second, third, fourth, fifth, last, alarm):
            return ("version: 1\nsource: { hotfolder: { path: {house}/in } }\nsteps:\n"
                    f"  - {first}\n"
                    f"  - switch: {{ cases: [ {{ when: 'true', steps: [ {second} ] }} ] }}\n"
                    f"  - parallel: {{ branches: [ [ {third} ] ] }}\n"
                    f"  - for_each: {{ in: '{{1}}', steps: [ {fourth} ] }}\n"
                    f"  - try: {{ steps: [ {fifth} ], rescue: [] }}\n"
                    f"  - {last}\n"
                    f"on_failure: [ {alarm} ]\n")

        self.house.write_pipeline("p", pipeline(
            row(), row(), row(), row(), sql('"SELECT $1 + size FROM files", params: [1]'),
            sql('"CREATE TABLE IF NOT EXISTS later (id int)"'), row("public.files")))
        self.assertEqual(self.problems(0), [])
        self.house.write_pipeline("p", pipeline(
            row("nowhere"), row(columns="job: job.id, nmae: event.name, size: event.size"),
            row(conflict="name"), row("app.files"), sql("SELECT nmae FROM files"),
            sql("SELEC 1"), row(conflict="'size'")))
        self.assertEqual(self.problems(), [(line, "refused", "error") for line in range(4, 11)])
        told = self.check(1).stderr
        for place, what in ((r"4:\d+: error: `table`: ", r'relation "nowhere" does not exist'),
                            (r"5:\d+: error: `row\.nmae`: ", r'column "nmae" of relation "files"'),
                            (r"6:\d+: error: `conflict`: ", "there is no unique"),
                            (r"8:\d+: error: `query`: ", r'column "nmae" does not exist')):
            self.assertRegex(told, r"pipelines/p\.yml:" + place + what)
        self.assertRegex(told, r"\n +\S.* nmae: event\.name.*\n +\^")
        self.assertEqual(database.psql("SELECT count(*) FROM files").stdout, "0\n")
        self.house.write_pipeline("p", pipeline(
            sql("SELECT $1::int"), sql("SELECT 1, params: [ job.id ]"), row(), row(),
            sql("SELECT $1::int, params: [1, 2]"), row(), row()))
        self.assertEqual(self.problems(), [(line, "refused", "error") for line in (4, 5, 8)])
        self.assertRegex(self.check(1).stderr, "8:.*`params` has 2 values, and `query` wants 1")
        database.kill()
        self.assertEqual(self.problems(), [(4, "connection_away", "error")])

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user")
    def test_folders_that_the_user_may_not_use(self):
        os.chown(self.house.path, USER, USER)
        self.assertEqual(
            self.problems(user=USER, group=USER, extra_groups=[]),
            [(2, "unusable_folder", "error"), (2, "unusable_folder", "error"),
             (4, "unusable_folder", "error")])
        for name in ("in", "out"):
            os.chown(self.house / name, USER, USER)
        self.assertEqual(self.problems(0, user=USER, group=USER, extra_groups=[]), [])
        # Claims would go where another user's musher has worked before.
        os.makedirs(self.house / "in/.musher/work", mode=0o755)
        self.assertEqual(self.problems(user=USER, group=USER, extra_groups=[]),
                         [(2, "unusable_folder", "error")])

    def test_beside_a_running_musher(self):
        self.house.start()
        self.house.drop("in/a", "1")
        until(lambda: files_in(self.house / "in") == ["done/a"])
        until(lambda: self.house.counts("p")["done"] == 1)
        for _ in range(3):
            self.check(0)
        self.house.drop("in/b", "2")
        until(lambda: files_in(self.house / "in") == ["done/a", "done/b"])
        names = {row["event"]["facts"]["name"] for row in self.house.get("jobs")["items"]}
        self.assertEqual(names, {"a", "b"})
        self.assertEqual(self.house.stop(), 0)

    def test_a_killed_check_leaves_nothing_that_stays(self):
        left = {os.path.join(self.house / "in", name)
                for name in (".probe.musher-tmp-made", ".probe.musher-tmp-moved")}
        before = everything_in(self.house.path)
        chance = random.Random(1)
        for _ in range(40):
            check = subprocess.Popen(self.house.command("check", "--live"), cwd=self.house.path,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                check.wait(chance.uniform(0, 0.03) * SLOW)
            except subprocess.TimeoutExpired:
                check.send_signal(signal.SIGKILL)
                check.wait()
            self.assertLessEqual(everything_in(self.house.path), before | left)
        for path in left:
            open(path, "w").close()
        self.house.write_pipeline("p", PIPELINE.replace("settle: 50ms", "ignore: []"))
        self.house.start()
        until(lambda: files_in(self.house / "in") == [], what="the start did not sweep them")
        self.assertEqual(self.house.get("jobs")["items"], [])
        self.assertEqual(self.house.stop(), 0)
        for path in left:
            open(path, "w").close()
        subprocess.run(self.house.command("check", "--live"), cwd=self.house.path, check=True,
                       stdout=subprocess.DEVNULL)
        self.assertEqual(files_in(self.house / "in"), [], "the next check sweeps them")


if __name__ == "__main__":
    unittest.main(verbosity=2)
