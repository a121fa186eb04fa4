"""What goes wrong in production, done on purpose: a clear error or none, and nothing lost."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer

from house import GATE, House, digest, files_in, fill_disk, until
from postgres_server import Postgres

HEAD = "version: 1\nsource: {{ hotfolder: {{ path: {{house}}/in/{0}, settle: 50ms }} }}\n"


def pipeline(name, rest):
    return HEAD.format(name) + rest


class BadMomentsTest(unittest.TestCase):
    def house(self, pipelines, extra="", start=True):
        house = House({name: pipeline(name, rest) for name, rest in pipelines.items()}, extra)
        self.addCleanup(house.__exit__, None)
        for name in pipelines:
            house.folder("in/" + name)
        with open(house / "key", "wb", opener=lambda p, f: os.open(p, f, 0o600)) as key:
            key.write(bytes(range(32)))
        return house.start() if start else house

    def report(self, house, name):
        path = house / f"{name}.report.json"
        until(lambda: os.path.exists(path), what=lambda: house.log()[-3000:])
        with open(path) as file:
            return json.load(file)

    def test_truncated_xz_and_tampered_seal_fail_with_a_report(self):
        house = self.house({
            "expand": "steps:\n  - xz_expand: {}\n  - directory: { to: {house}/out }\n",
            "seal": "steps:\n  - seal: { key: !file {house}/key }\n"
                    "  - directory: { to: {house}/sealed }\n",
            "unseal": "steps:\n  - unseal: { key: !file {house}/key }\n"
                      "  - directory: { to: {house}/out }\n"})
        content = os.urandom(3_000_000)
        packed = subprocess.run(["xz", "-0", "-c"], input=content, capture_output=True,
                                check=True).stdout
        house.drop("in/expand/cut.xz", packed[:-1000])
        house.drop("in/expand/no.xz", b"this is no xz file")
        house.drop("in/expand/whole.xz", packed)
        house.drop("in/seal/a", content)
        until(lambda: os.path.exists(house / "sealed/a"))
        with open(house / "sealed/a", "rb") as file:
            sealed = bytearray(file.read())
        house.drop("in/unseal/whole", sealed)
        house.drop("in/unseal/cut", sealed[:-1])
        sealed[2_000_000] ^= 1
        house.drop("in/unseal/tampered", sealed)
        for name in ("expand/failed/cut.xz", "expand/failed/no.xz", "unseal/failed/cut",
                     "unseal/failed/tampered"):
            report = self.report(house, "in/" + name)
            self.assertEqual(report["error"]["code"], "corrupt", name)
            self.assertEqual(report["error"]["attempt"], 1, "a second try would not help")
        until(lambda: sorted(f for f in files_in(house / "out") if f[0] != ".") ==
              ["whole", "whole.xz"], what=lambda: str(files_in(house / "out")))
        for name in ("whole", "whole.xz"):
            self.assertEqual(digest(house / f"out/{name}"), hashlib.sha256(content).hexdigest())

    @unittest.skipUnless(os.geteuid() == 0, "mounting wants root")
    def test_a_full_disk_holds_the_pipeline_until_there_is_room(self):
        house = self.house({"p": "steps:\n  - directory: { to: {house}/disk/out }\n"}, start=False)
        house.folder("disk")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", house / "disk"],
                       check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", house / "disk"])
        house.drop("disk/ballast", bytes(900_000))
        house.start()
        sha = house.drop("in/p/large", os.urandom(500_000))
        until(lambda: house.counts("p")["state"] == "held", what=lambda: house.log()[-2000:])
        self.assertIn("space", house.counts("p")["held"]["reason"].lower())
        self.assertEqual([f for f in files_in(house / "disk/out") if f[0] != "."], [])
        self.assertEqual(house.ask("/health")[0], 503)
        os.unlink(house / "disk/ballast")
        until(lambda: os.path.exists(house / "disk/out/large"), 60,
              what=lambda: house.log()[-2000:])
        self.assertEqual(digest(house / "disk/out/large"), sha)
        until(lambda: house.counts("p")["state"] == "running")

    def test_a_database_that_is_away_holds_who_asks_it(self):
        database = Postgres()
        self.addCleanup(database.close)
        house = self.house(
            {"p": "steps:\n  - sql: { connection: shop, query: SELECT 1 }\n" + GATE +
                  "  - directory: { to: {house}/out }\nlimits: { attempts: 1 }\n"},
            extra=f"connections: {{ shop: {{ postgres: {{ url: '{database.url}' }} }} }}\n")
        house.drop("in/p/early", "0")  # asked before, ends while it is away
        until(lambda: "[flock]" in house.log() or house.counts("p")["running"] == 1)
        early = house.get("jobs?state=running")["items"][0]["id"]
        until(lambda: "ran" in str(house.get("jobs/" + early)) or
              database.psql("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT 1' AND "
                            "state = 'idle'").stdout.strip() != "0")
        database.kill()
        names = [str(index) for index in range(6)]
        for name in names:
            house.drop("in/p/" + name, name)
        until(lambda: house.counts("p")["state"] == "held", 30, lambda: house.log()[-3000:])
        self.assertEqual(house.counts("p")["held"]["sink"], "sql")
        self.assertEqual(house.ask("/health")[0], 503)
        house.open_gate()
        until(lambda: files_in(house / "out") == ["early"])
        self.assertEqual(house.counts("p")["state"], "held", "nobody went through since")

        def held():
            rows = house.get("jobs?pipeline=p")["items"]
            return sum(row["state"] == "delayed" for row in rows) >= 3
        until(held, 30, lambda: house.log()[-3000:])  # so many have tried in vain
        self.assertEqual(house.counts("p")["dead"], 0)
        database.start()
        until(lambda: files_in(house / "out") == sorted([*names, "early"]), 60,
              lambda: house.log()[-3000:])
        until(lambda: house.counts("p")["done"] == 7)
        self.assertEqual((house.counts("p")["state"], house.counts("p")["dead"]), ("running", 0))

    def test_a_web_server_that_is_away_holds_who_reads_it(self):
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self):
                found = not self.path.endswith("lost")
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Answers, bind_and_activate=False)
        self.addCleanup(server.server_close)
        server.server_bind()  # refuses, until it listens
        house = self.house(
            {"p": f"steps:\n  - http_get: 'http://127.0.0.1:{server.server_address[1]}"
                  "/${event.name}'\n  - directory: { to: {house}/out, name: '${event.name}' }\n"
                  "limits: { attempts: 1 }\n"})
        for name in ("a", "b", "lost"):
            house.drop("in/p/" + name, name)
        until(lambda: house.counts("p")["state"] == "held", what=lambda: house.log()[-3000:])
        self.assertEqual(house.counts("p")["held"]["sink"], "http_get")
        server.server_activate()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        until(lambda: files_in(house / "out") == ["a", "b"], 30, lambda: house.log()[-3000:])
        self.assertEqual(self.report(house, "in/p/failed/lost")["error"]["code"], "usage")
        until(lambda: house.counts("p")["state"] == "running")

    def test_files_that_vanish_or_are_replaced(self):
        house = self.house({"p": "steps:\n  - directory: { to: {house}/out }\n"})
        for index in range(200):  # gone before anybody looked, or soon after
            house.drop(f"in/p/gone{index}", "x", via_rename=index % 2 == 0)
            try:
                os.unlink(house / f"in/p/gone{index}")
            except FileNotFoundError:
                pass  # claimed already
        last = ""
        for index in range(100):
            last = house.drop("in/p/same", f"version {index}" * 1000)
        until(lambda: os.path.exists(house / "in/p/done"))
        until(lambda: house.counts("p")["waiting"] + house.counts("p")["running"] == 0 and
              last in [digest(house / f"in/p/done/{f}") for f in files_in(house / "in/p/done")])
        done = {digest(house / f"in/p/done/{f}") for f in files_in(house / "in/p/done")}
        out = {digest(house / f"out/{f}") for f in files_in(house / "out") if f[0] != "."}
        self.assertEqual(done, out, "each output is one whole version")
        self.assertEqual(files_in(house / "in/p/failed"), [])

    def test_redis_killed_and_back(self):
        house = self.house({"p": "steps:\n  - directory: { to: {house}/out }\n"})
        house.drop("in/p/before", "1")
        until(lambda: os.path.exists(house / "out/before"))
        os.kill(house.redis_pid(), signal.SIGSTOP)  # nobody answers, nothing is closed
        house.drop("in/p/while", "2")
        os.kill(house.redis_pid(), signal.SIGKILL)
        until(lambda: os.path.exists(house / "out/while"), 30, lambda: house.log()[-2000:])
        until(lambda: files_in(house / "in/p/done") == ["before", "while"])

    @unittest.skipUnless(os.geteuid() == 0, "mounting wants root")
    def test_a_full_disk_under_the_queue_loses_nothing(self):
        house = self.house({"p": "steps:\n  - xz_compress: { level: 0 }\n  - log: '${body.size}'\n"
                                 "  - directory: { to: {house}/out }\n"}, start=False)
        house.folder("state", 0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs",
                        house / "state"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", house / "state"])
        house.start()
        dropped = {"before": house.drop("in/p/before", b"1" * 100)}
        until(lambda: os.path.exists(house / "out/before"))
        fill_disk(house / "state/ballast")
        for index in range(20):
            dropped[str(index)] = house.drop(f"in/p/{index}", os.urandom(10_000))
        until(lambda: house.ask("/health")[0] == 503, 30, lambda: house.log()[-2000:])
        # Once the last block is full of its words Redis cannot say any more why it ends.
        full = "No space left on device for " + house / "state/redis"
        until(lambda: full in (house.counts("p")["problem"] or ""), 60,
              lambda: house.log()[-2000:])
        self.assertTrue(any(full in one for one in house.ask("/health")[1]["reasons"]))
        os.unlink(house / "state/ballast")
        until(lambda: files_in(house / "in/p/done") == sorted(dropped), 60,
              lambda: house.log()[-3000:])
        for name, sha in dropped.items():
            with open(house / f"out/{name}", "rb") as packed:
                plain = subprocess.run(["xz", "-dc"], stdin=packed, capture_output=True, check=True)
            self.assertEqual(hashlib.sha256(plain.stdout).hexdigest(), sha)
        until(lambda: house.ask("/health")[0] == 200, 30)
        self.assertEqual(house.stop(), 0)

    def test_kills_keep_the_order_of_a_key(self):
        house = self.house({"p": "key: all\nlimits: { waiting: 100 }\nsteps:\n  - exec: { argv: "
                                 "[/bin/sh, -c, 'echo \"$1\" >> \"$2\"; head -c 8M /dev/zero | "
                                 "sha256sum', sh, '${event.name}', '{house}/ran'] }\n"})
        names = [f"{index:02d}" for index in range(30)]
        for name in names:
            before = house.counts("p")
            house.drop(f"in/p/{name}", name)
            until(lambda: sum(house.counts("p")[k] for k in ("waiting", "running", "done")) >
                  sum(before[k] for k in ("waiting", "running", "done")))
        for _ in range(2):
            seen = len(self.lines(house / "ran"))
            until(lambda: len(self.lines(house / "ran")) >= min(seen + 5, 30))
            house.kill()
            house.start()
        until(lambda: house.counts("p")["done"] == 30, 40, lambda: house.log()[-2000:])
        self.assertEqual(list(dict.fromkeys(self.lines(house / "ran"))), names)

    def lines(self, path):
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return file.read().split()

    def redis(self, socket, aof):
        server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket,
                                   "--dir", os.path.dirname(socket), "--appendonly", aof,
                                   "--save", ""], stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        until(lambda: os.path.exists(socket))
        return server

    def test_a_shared_redis_that_forgets_loses_no_file(self):
        base = House({})
        self.addCleanup(base.__exit__, None)
        socket = base / "redis.sock"
        server = self.redis(socket, "no")
        house = self.house({"p": "limits: { parallel: 1 }\nsteps:\n" + GATE +
                                 "  - directory: { to: {house}/out }\n"},
                           extra=f"queue: {{ redis: 'unix:{socket}' }}\n")
        until(lambda: re.search(r"queue\.forgetful .*appendonly", house.log()))
        names = [str(index) for index in range(5)]
        for name in names:
            house.drop("in/p/" + name, name)
        until(lambda: house.counts("p")["waiting"] == 4)
        server.kill()
        server.wait()
        os.unlink(socket)
        self.redis(socket, "no")
        house.open_gate()
        until(lambda: files_in(house / "in/p/done") == names, 60, lambda: house.log()[-3000:])
        self.assertEqual([f for f in files_in(house / "out") if f[0] != "."], names)
        self.assertEqual(house.counts("p")["dead"], 0)

    def test_redis_out_of_memory(self):
        base = House({})
        self.addCleanup(base.__exit__, None)
        socket = base / "redis.sock"
        self.redis(socket, "yes")
        cli = lambda *words: subprocess.run(["redis-cli", "-s", socket, *words], check=True,
                                            capture_output=True, text=True).stdout
        house = self.house({"p": "steps:\n  - directory: { to: {house}/out }\n"},
                           extra=f"queue: {{ redis: 'unix:{socket}' }}\n")
        house.drop("in/p/before", "1")
        until(lambda: os.path.exists(house / "out/before"))
        cli("config", "set", "maxmemory", "1mb")
        house.drop("in/p/while", "2")
        until(lambda: "OOM" in house.log() or "memory" in house.log())
        until(lambda: house.ask("/health")[0] == 503)
        self.assertFalse(os.path.exists(house / "out/while"))
        cli("config", "set", "maxmemory", "0")
        until(lambda: os.path.exists(house / "out/while"), 40, lambda: house.log()[-2000:])
        until(lambda: house.ask("/health")[0] == 200, 40)

    def test_sigterm_in_the_middle_of_10000_jobs(self):
        house = self.house({"p": "limits: { waiting: 2000 }\nsteps:\n  - log: x\n"},
                           extra="log: { level: warning }\n", start=False)
        for index in range(10_000):
            with open(house / f"in/p/{index}", "w") as file:
                file.write(str(index))
        house.start()
        stops = 0
        while len(files_in(house / "in/p/done")) < 10_000:
            wanted = len(files_in(house / "in/p/done")) + 2500
            until(lambda: len(files_in(house / "in/p/done")) >= min(wanted, 10_000), 60)
            self.assertEqual(house.stop(), 0)
            stops += 1
            house.start()
        self.assertGreaterEqual(stops, 3)
        self.assertEqual(sorted(map(int, files_in(house / "in/p/done"))), list(range(10_000)))
        until(lambda: house.counts("p")["done"] == 10_000)

    def test_a_cancelled_job_ends_and_its_original_is_kept(self):
        house = self.house({"p": "steps:\n  - exec: { argv: [/bin/sleep, '1000'] }\n"})
        house.drop("in/p/a", "1")
        until(lambda: house.counts("p")["running"] == 1)
        job = house.get("jobs?state=running")["items"][0]["id"]
        self.assertEqual(house.ask(f"/api/v1/jobs/{job}/cancel", "POST")[0], 200)
        self.assertEqual(self.report(house, "in/p/failed/a")["error"]["code"], "cancelled")
        self.assertEqual(house.stop(), 0)

    def test_a_missing_output_mount_or_key_is_said_before_anything_moves(self):
        house = self.house({"p": "steps:\n  - seal: { key_file: {house}/nokey }\n"
                                 "  - directory: { to: {house}/out }\n"}, start=False)
        house.drop("in/p/a", "1")
        result = house.run("run")
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r"p\.yml:\d+:\d+: error: .*nokey")
        house.drop("nokey", bytes(32))
        os.chmod(house / "nokey", 0o644)
        result = house.run("run")
        self.assertEqual(result.returncode, 6)
        self.assertIn("chmod 600", result.stderr)
        self.assertEqual(files_in(house / "in/p"), ["a"])


class DurabilityTest(unittest.TestCase):
    """One file through the directory sink, under strace: what is on disk before what is said."""

    def test_write_sync_rename_sync_ack(self):
        house = House({"p": pipeline("p", "steps:\n  - directory: { to: {house}/out }\n")})
        self.addCleanup(house.__exit__, None)
        house.folder("in/p")
        trace = house / "trace"
        # LeakSanitizer traces its own process, which is traced already.
        house.environment["ASAN_OPTIONS"] = "detect_leaks=0"
        house.start(wrapper=["strace", "-D", "-f", "-y", "-s", "300", "-o", trace, "-e",
                             "trace=write,sendto,sendmsg,writev,copy_file_range,fsync,fdatasync,"
                             "rename,renameat,renameat2,ioctl"])
        house.drop("in/p/file", "hello " * 1000)
        until(lambda: files_in(house / "in/p/done") == ["file"])
        pid = house.process.pid
        self.assertEqual(house.stop(), 0)

        def traced():
            with open(trace, errors="replace") as file:
                return file.read().splitlines()
        until(lambda: any(re.match(rf"{pid} .*exited with 0", line) for line in traced()))
        lines = traced()

        def first(pattern, after=0):
            for number in range(after, len(lines)):
                if re.search(pattern, lines[number]):
                    return number
            self.fail(f"no {pattern} after line {after} of\n" + "\n".join(lines[after:][:200]))

        claim = first(r"rename\w*\(.*\"file\".*\.musher/work|rename\w*\(.*\.musher/work.*\.file")
        synced = first(r"(fsync|fdatasync)\(\d+<[^>]*\.musher/work>", claim)
        put = first(r"(sendto|write|writev|sendmsg)\(\d+<.*EVALSHA", synced)
        copied = first(r"(write|copy_file_range|ioctl)\(.*/out/\.file\.musher-tmp", put)
        self.assertLess(first(rf"(fsync|fdatasync)\(\d+<{re.escape(house.path)}>", put), copied,
                        "the folder that musher made is on disk")
        flushed = first(r"(fsync|fdatasync)\(\d+<[^>]*/out/\.file\.musher-tmp", copied)
        named = first(r"rename\w*\(.*\.file\.musher-tmp.*out/file", flushed)
        folder = first(r"(fsync|fdatasync)\(\d+<[^>]*/out>", named)
        ack = first(r"(sendto|write|writev|sendmsg)\(\d+<.*EVALSHA", folder)
        first(r"rename\w*\(.*\.musher/work.*done/file", ack)


if __name__ == "__main__":
    unittest.main(verbosity=2)
