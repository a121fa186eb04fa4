"""Reports to a Sentry server: what arrives, and that musher does its work whatever becomes of them."""

import http.server
import json
import os
import re
import subprocess
import threading
import time
import unittest

from house import SLOW, House, until

DIES = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
steps:
  - exec: { argv: [/bin/sh, -c, 'echo broken pipe >&2; exit 3'], env: { TOKEN: !env TOKEN } }
limits: { attempts: 1 }
"""
TELLS = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
steps:
  - log: "${event.name} came"
"""


class Receiver:
    """Takes envelopes; `answers` are given one after the other, then 200."""

    def __init__(self, port=0):
        self.requests = []
        self.answers = []
        self.hang = threading.Event()
        self.hang.set()
        receiver = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((time.monotonic(), self.path, dict(self.headers), body))
                receiver.hang.wait()
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "2")
                try:
                    self.end_headers()
                    self.wfile.write(b"{}")
                except OSError:
                    pass  # musher has ended meanwhile

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()

    def events(self):
        return [json.loads(body.split(b"\n")[2]) for _, _, _, body in list(self.requests)]


class SentryTest(unittest.TestCase):
    def house(self, pipeline, extra="", **environment):
        house = House({"p": pipeline}, extra=extra)
        self.addCleanup(house.__exit__, None)
        house.environment.update(TOKEN="s3cret-token", **environment)
        house.folder("in")
        return house

    def receiver(self, port=0):
        receiver = Receiver(port)
        self.addCleanup(receiver.stop)
        return receiver

    def dsn(self, port):
        return f"http://publickey:oldsecret@127.0.0.1:{port}/42"

    def test_a_dead_job_is_an_event(self):
        receiver = self.receiver()
        house = self.house(DIES, extra="node: printer-7\n", SENTRY_DSN=self.dsn(receiver.port))
        house.start()
        house.drop("in/a", "1")
        until(lambda: receiver.requests)
        _, path, headers, body = receiver.requests[0]
        self.assertEqual(path, "/api/42/envelope/")
        self.assertRegex(headers["X-Sentry-Auth"], r"^Sentry sentry_version=7, sentry_client="
                         r"musher/\S+, sentry_key=publickey$")
        self.assertEqual(headers["Content-Type"], "application/x-sentry-envelope")
        event = receiver.events()[0]
        self.assertEqual(json.loads(body.split(b"\n")[0])["event_id"], event["event_id"])
        self.assertRegex(event["event_id"], "^[0-9a-f]{32}$")
        self.assertEqual(event["level"], "error")
        self.assertEqual(event["server_name"], "printer-7")
        self.assertEqual(event["tags"], {"event": "job.dead", "pipeline": "p", "step": "exec"})
        self.assertIn("exited with 3: broken pipe", event["extra"]["error"])
        self.assertEqual(event["extra"]["job"], house.get("jobs?state=dead")["items"][0]["id"])
        self.assertNotIn(b"s3cret", body)
        self.assertEqual(house.stop(), 0)
        self.assertEqual(len(receiver.requests), 1, "nothing but the dead job")
        for secret in ("publickey", "oldsecret", "s3cret"):
            self.assertNotIn(secret, house.log())

    def test_records_from_a_level_on(self):
        receiver = self.receiver()
        house = self.house(TELLS, extra=f"sentry: {{ dsn: '{self.dsn(receiver.port)}' }}\n",
                           SENTRY_LOG_LEVEL="20", SENTRY_DSN="http://k@127.0.0.1:1/1")
        house.start()
        house.drop("in/a", "1")
        until(lambda: any(e["extra"].get("message") == "a came" for e in receiver.events()))
        told = next(e for e in receiver.events() if e["tags"]["event"] == "job.log")
        self.assertEqual(told["level"], "info")
        self.assertEqual(told["logentry"]["formatted"], "job.log: a came")
        self.assertEqual(house.stop(), 0)
        self.assertFalse([e for e in receiver.events() if e["tags"]["event"].startswith("sentry")])

    def test_a_receiver_that_is_away_holds_nothing_up(self):
        gone = Receiver()
        gone.stop()
        house = self.house(TELLS, SENTRY_DSN=self.dsn(gone.port), SENTRY_LOG_LEVEL="info")
        house.start()
        for number in range(150):
            house.drop(f"in/{number}", "1")
        until(lambda: house.counts("p")["done"] == 150)
        log = house.log()
        self.assertEqual(len(re.findall("sentry.away", log)), 1, "said once")
        self.assertEqual(len(re.findall("sentry.full", log)), 1, "said once")
        receiver = self.receiver(gone.port)
        until(lambda: "sentry.dropped" in house.log(), seconds=90)
        self.assertEqual(len({e["event_id"] for e in receiver.events()}), 100)
        house.drop("in/after", "1")
        until(lambda: any(e["extra"].get("message") == "after came" for e in receiver.events()))
        self.assertEqual(house.stop(), 0)

    def test_a_server_that_asks_to_wait_is_waited_for(self):
        receiver = self.receiver()
        receiver.answers = [(429, {"X-Sentry-Rate-Limits": "2:error:organization",
                                   "Retry-After": "60"}), (429, {"Retry-After": "1"})]
        house = self.house(DIES, SENTRY_DSN=self.dsn(receiver.port))
        house.start()
        house.drop("in/a", "1")
        until(lambda: len(receiver.requests) == 3)
        first, second, third = (r[0] for r in receiver.requests)
        self.assertGreaterEqual(second - first, 1.9)
        self.assertGreaterEqual(third - second, 0.9)
        self.assertEqual(len({e["event_id"] for e in receiver.events()}), 1, "the same event")
        receiver.answers = [(403, {}), (403, {})]
        for name in "bcd":
            house.drop("in/" + name, "1")
        until(lambda: len(receiver.requests) == 6)
        self.assertEqual(len({e["event_id"] for e in receiver.events()}), 4, "refused: dropped")
        self.assertEqual(len(re.findall("sentry.refused", house.log())), 1)
        self.assertEqual(house.stop(), 0)

    def test_the_last_words_take_two_seconds_at_most(self):
        receiver = self.receiver()
        receiver.hang.clear()
        house = self.house(DIES, SENTRY_DSN=self.dsn(receiver.port))
        house.start()
        for name in "ab":
            house.drop("in/" + name, "1")
        until(lambda: receiver.requests and house.counts("p")["dead"] == 2)
        began = time.monotonic()
        self.assertEqual(house.stop(), 0)
        self.assertLess(time.monotonic() - began, 2 + 4 * SLOW)
        self.assertIn("sentry.unsent records=2", house.log())

    def test_what_waits_at_the_stop_is_sent(self):
        receiver = self.receiver()
        receiver.hang.clear()
        house = self.house(DIES, SENTRY_DSN=self.dsn(receiver.port))
        house.start()
        for name in "abc":
            house.drop("in/" + name, "1")
        until(lambda: receiver.requests and house.counts("p")["dead"] == 3)
        house.process.terminate()
        until(lambda: "musher.stopping" in house.log())
        receiver.hang.set()
        self.assertEqual(house.process.wait(20 * SLOW), 0)
        self.assertEqual(len(receiver.requests), 3)

    def test_check_knows_a_faulty_dsn(self):
        house = self.house(TELLS, extra="sentry: { dsn: 'https://sentry.example/1', level: 51 }\n")
        problem = subprocess.run(house.command("check", "musher.yml"), text=True,
                                 capture_output=True, cwd=house.path)
        self.assertEqual(problem.returncode, 2)
        self.assertIn("musher.yml:4:16: error: `sentry.dsn` is no Sentry DSN: it has no key before "
                      "the host", problem.stderr)
        self.assertIn("hint: copy it from the project's client keys", problem.stderr)
        self.assertIn("`51` is no level", problem.stderr)
        other = self.house(TELLS)
        environment = dict(os.environ, SENTRY_DSN="sentry", SENTRY_LOG_LEVEL="loud")
        problem = subprocess.run(other.command("check", "musher.yml"), text=True, env=environment,
                                 capture_output=True, cwd=other.path)
        self.assertEqual(problem.returncode, 2)
        self.assertIn("SENTRY_DSN is no Sentry DSN", problem.stderr)
        self.assertIn("SENTRY_LOG_LEVEL `loud` is no level", problem.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
