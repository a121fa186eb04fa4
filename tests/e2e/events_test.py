"""GET /api/v1/events and musher tap: what happens, as it happens; bounded whoever reads."""

import json
import os
import select
import signal
import socket
import subprocess
import unittest

from house import GATE, SLOW, House, UnixConnection, until

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
limits: { attempts: 2, backoff: 1ms..2ms }
steps:
  - exec: { argv: ["/usr/bin/test", "${event.name}", "!=", "bad"] }
  - directory: { to: {house}/out }
"""
OTHER = """version: 1
source: { hotfolder: { path: {house}/other, settle: 50ms } }
steps: [ { log: seen } ]
"""


class Reader:
    """Reads a text/event-stream; events are (id, type, data)."""

    def __init__(self, house, query="", headers=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(house / "state/control.sock")
        # Of HTTP/1.0: the body comes as it is; curl and tap read the chunks of 1.1.
        lines = [f"GET /api/v1/events{query} HTTP/1.0", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall("".join(line + "\r\n" for line in lines + [""]).encode())
        self.text = b""
        while b"\r\n\r\n" not in self.text:
            self.text += self.socket.recv(1 << 16)
        self.head, self.text = self.text.split(b"\r\n\r\n", 1)
        self.socket.setblocking(False)
        self.events = []
        self.comments = 0
        self.ended = False
        self.lines = []

    def read(self):
        """What is there now."""
        while not self.ended and select.select([self.socket], [], [], 0.01)[0]:
            piece = self.socket.recv(1 << 16)
            self.ended = not piece
            self.text += piece
        *lines, self.text = self.text.split(b"\n")
        for line in lines:
            if line:
                self.lines.append(line.decode())
            else:
                self.finish()
        return self.events

    def finish(self):
        fields = dict(line.split(": ", 1) for line in self.lines if not line.startswith(":"))
        self.comments += any(line.startswith(":") for line in self.lines)
        self.lines = []
        if "data" in fields:
            self.events.append((fields.get("id"), fields["event"], json.loads(fields["data"])))

    def until(self, holds, seconds=20):
        until(lambda: self.read() is not None and holds(self.events), seconds,
              lambda: str(self.events[-5:]))
        return self.events

    def states(self, **members):
        return [data["state"] for _, _, data in self.events
                if all(data.get(k) == v for k, v in members.items())]

    def close(self):
        self.socket.close()


class EventsTest(unittest.TestCase):
    def house(self, pipelines=None, extra=""):
        house = House(pipelines or {"p": PIPELINE, "other": OTHER}, extra)
        self.addCleanup(house.__exit__, None)
        for name in ("in", "other"):
            house.folder(name)
        return house

    def reader(self, house, *rest, **more):
        reader = Reader(house, *rest, **more)
        self.addCleanup(reader.close)
        return reader

    def test_a_job_from_its_acceptance_to_its_end(self):
        house = self.house().start()
        reader = self.reader(house)
        self.assertIn(b"200 OK\r\n", reader.head)
        self.assertIn(b"\r\nContent-Type: text/event-stream\r\n", reader.head + b"\r\n")
        self.assertIn(b"\r\nCache-Control: no-store\r\n", reader.head + b"\r\n")
        house.drop("in/a", "1")
        reader.until(lambda events: "done" in reader.states(name="a"))
        self.assertEqual(reader.states(name="a"), ["waiting", "running", "done"])
        house.drop("in/bad", "1")
        reader.until(lambda events: "dead" in reader.states(name="bad"))
        self.assertEqual(reader.states(name="bad"),
                         ["waiting", "running", "delayed", "running", "dead"])
        last = [data for _, _, data in reader.events if data["state"] == "dead"][0]
        self.assertEqual({k: last[k] for k in ("type", "pipeline", "attempt", "step", "name")},
                         {"type": "job", "pipeline": "p", "attempt": 2, "step": "exec",
                          "name": "bad"})
        self.assertIn("exited with 1", last["reason"])
        self.assertEqual(house.get("jobs/" + last["job"])["state"], "dead")
        ids = [id for id, _, _ in reader.events]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual(house.stop(), 0)

    def test_orders_holds_and_edits(self):
        house = self.house().start()
        reader = self.reader(house)
        house.ask("/api/v1/pipelines/p/pause", "POST")
        house.ask("/api/v1/pipelines/p/resume", "POST")
        reader.until(lambda _: reader.states(type="pipeline") == ["paused", "resumed"])
        with open(house / "out", "w"):
            pass  # where the sink wants a folder
        house.drop("in/a", "1")
        reader.until(lambda _: "held" in reader.states(type="pipeline"))
        held = [data for _, _, data in reader.events if data["state"] == "held"][0]
        self.assertEqual((held["step"], held["job"]), ("directory", None))
        os.unlink(house / "out")
        reader.until(lambda _: "recovered" in reader.states(type="pipeline"), 30)
        house.write_pipeline("p", PIPELINE + "nonsense: 1\n")
        reader.until(lambda _: reader.states(type="edit") == ["refused"])
        self.assertIn("nonsense", [d for _, _, d in reader.events][-1]["reason"])
        house.write_pipeline("p", PIPELINE + "description: mended\n")
        reader.until(lambda _: sorted(reader.states(type="edit")) == ["edited", "mended",
                                                                      "refused"])
        os.unlink(house / "pipelines/other.yml")
        reader.until(lambda _: reader.states(type="edit", pipeline="other") == ["removed"])
        self.assertEqual(house.stop(), 0)

    def test_cancelled_and_replayed_by_hand(self):
        gated = PIPELINE.replace("attempts: 2", "parallel: 1").replace("steps:\n",
                                                                       "steps:\n" + GATE)
        house = self.house({"p": gated}).start()
        reader = self.reader(house)
        house.drop("in/first", "1")
        reader.until(lambda _: "running" in reader.states(name="first"))
        house.drop("in/x", "1")
        reader.until(lambda events: events[-1][2]["name"] == "x")
        job = "/api/v1/jobs/" + reader.events[-1][2]["job"]
        self.assertEqual(house.ask(job + "/cancel", "POST")[0], 200)
        self.assertEqual(house.ask(job + "/replay", "POST")[0], 200)
        reader.until(lambda _: reader.states(name="x") == ["waiting", "cancelled", "waiting"])
        house.open_gate()
        reader.until(lambda _: "done" in reader.states(name="x"))
        self.assertEqual(house.stop(), 0)

    def test_only_what_was_asked_for(self):
        house = self.house().start()
        reader = self.reader(house, "?pipeline=other&state=done")
        house.drop("in/a", "1")
        until(lambda: house.counts("p")["done"] == 1)
        house.drop("other/b", "1")
        reader.until(lambda events: len(events) == 1)
        self.assertEqual(reader.events[0][2]["name"], "b")
        for query, code, hint in (("pipeline=othr", 404, "did you mean other?"),
                                  ("state=ded", 400, "did you mean dead?"),
                                  ("pipelin=p", 400, "did you mean `pipeline`?")):
            status, body = house.ask("/api/v1/events?" + query)
            self.assertEqual((status, body["error"]["hint"]), (code, hint))
        self.assertEqual(house.stop(), 0)

    def test_who_comes_back_gets_what_it_missed(self):
        house = self.house().start()
        first = Reader(house)
        house.drop("in/a", "1")
        first.until(lambda _: "done" in first.states(name="a"))
        last = first.events[0][0]
        first.close()
        house.drop("in/b", "1")
        until(lambda: house.counts("p")["done"] == 2)
        for query, headers in (("", {"Last-Event-ID": last}), (f"?after={last}", {})):
            again = self.reader(house, query, headers=headers)
            again.until(lambda _: "done" in again.states(name="b"))
            self.assertEqual(again.states(name="a"), ["running", "done"])
            self.assertEqual(again.states(name="b"), ["waiting", "running", "done"])
        fresh = self.reader(house)
        stale = self.reader(house, headers={"Last-Event-ID": "1-7"})
        stale.until(lambda events: events and events[0][1] == "missed")
        self.assertEqual(fresh.read(), [], "nothing old for who did not ask for it")
        self.assertEqual(house.stop(), 0)

    def test_it_ends_when_musher_stops(self):
        house = self.house().start()
        readers = [self.reader(house) for _ in range(5)]
        house.drop("in/a", "1")
        for reader in readers:
            reader.until(lambda _: "done" in reader.states(name="a"))
        self.assertEqual(house.stop(), 0)
        for reader in readers:
            until(lambda: reader.read() is not None and reader.ended)
            self.assertEqual(reader.events[-1][1], "end")

    def test_a_slow_reader_is_cut_off_and_costs_no_memory(self):
        house = self.house({"p": OTHER.replace("/other", "/in") +
                            "limits: { parallel: 16, waiting: 5000 }\n"}).start()

        def resident():
            with open(f"/proc/{house.process.pid}/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

        raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(raw.close)
        raw.connect(house / "state/control.sock")
        raw.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b"200 OK", raw.recv(100))
        watcher = self.reader(house)
        before = resident()
        # Three events a job, of nearly 500 bytes each: over the ring and what the system buffers.
        for i in range(2200):
            house.drop(f"in/{i:0200}", "")
            if i % 50 == 0:
                watcher.read()
        until(lambda: watcher.read() is not None and house.counts("p")["done"] == 2200, 90)
        watcher.until(lambda _: watcher.states().count("done") == 2200)
        self.assertNotIn("cut", [kind for _, kind, _ in watcher.events])
        # AddressSanitizer keeps 256 MiB of what was freed.
        self.assertLess(resident() - before, (32 if SLOW == 1 else 512) << 20)
        raw.settimeout(10)
        text = b""
        while not text.endswith(b"\r\n0\r\n\r\n"):
            piece = raw.recv(1 << 16)
            self.assertTrue(piece, text[-500:])
            text += piece
        self.assertIn(b"event: cut\ndata: {", text)
        self.assertIn(b"read too slowly", text)
        self.assertEqual(house.stop(), 0)

    def test_readers_are_bounded_and_their_places_are_free_again(self):
        house = self.house().start()
        readers = [Reader(house) for _ in range(64)]
        status, body = house.ask("/api/v1/events")
        self.assertEqual((status, body["error"]["code"]), (503, "unavailable"))
        self.assertEqual(house.ask("/health")[0], 200, "everybody else is served")
        for reader in readers:
            reader.close()
        # Noticed at the next event, or the next sign of life.
        house.drop("in/a", "1")
        until(lambda: house.counts("p")["done"] == 1)

        def room():
            connection = UnixConnection(house / "state/control.sock")
            try:
                connection.request("GET", "/api/v1/events")
                return connection.getresponse().status == 200
            finally:
                connection.close()
        until(room, 30)
        self.assertEqual(house.stop(), 0)

    def test_a_quiet_stream_says_that_it_lives(self):
        house = self.house().start()
        reader = self.reader(house)
        until(lambda: reader.read() is not None and reader.comments >= 1, 15)
        self.assertEqual(reader.events, [])
        self.assertEqual(house.stop(), 0)

    def test_head_and_tcp(self):
        port = self.free_port()
        house = self.house(extra=f"http: {{ listen: '127.0.0.1:{port}' }}\n").start()
        text = subprocess.run(["curl", "-s", "-I", f"http://127.0.0.1:{port}/api/v1/events"],
                              capture_output=True, text=True, timeout=20).stdout
        self.assertIn("200 OK", text)
        with subprocess.Popen(["curl", "-s", "-N", f"http://127.0.0.1:{port}/api/v1/events"],
                              stdout=subprocess.PIPE, text=True) as curl:
            try:
                self.assertEqual(curl.stdout.readline(), "retry: 2000\n")
                house.drop("in/a", "1")
                for line in curl.stdout:
                    if '"state":"done"' in line:
                        break
            finally:
                curl.kill()
        self.assertEqual(house.stop(), 0)

    @staticmethod
    def free_port():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]


class TapTest(unittest.TestCase):
    def setUp(self):
        self.house = House({"p": PIPELINE, "other": OTHER})
        self.addCleanup(self.house.__exit__, None)
        for name in ("in", "other"):
            self.house.folder(name)

    def tap(self, *words):
        log = open(self.house / "tap.err", "w")
        self.addCleanup(log.close)
        process = subprocess.Popen(self.house.command("tap", *words), cwd=self.house.path,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                   text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def said(self):
        with open(self.house / "tap.err") as file:
            return file.read()

    def listening(self, count=1):
        """Taps connect at their own pace: an event that all have seen says that they are there."""
        return until(lambda: self.connections() >= count)

    def connections(self):
        path = self.house / "state/control.sock"
        with open("/proc/net/unix") as file:
            return sum(line.rstrip().endswith(path) and " 03 " in line for line in file)

    def test_lines_for_people(self):
        self.house.start()
        tap = self.tap()
        self.listening()
        self.house.drop("in/bad", "1")
        lines = [tap.stdout.readline() for _ in range(5)]
        times = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
        self.assertRegex(lines[0], rf"^{times}  p  waiting    \S+  bad$")
        self.assertRegex(lines[2],
                         rf"^{times}  p  delayed    \S+  try 1  bad  exec: .*exited with 1")
        self.assertRegex(lines[4], rf"^{times}  p  dead       \S+  try 2  bad  exec: ")
        tap.send_signal(signal.SIGINT)
        self.assertEqual(tap.wait(10 * SLOW), 0)
        self.assertEqual(self.said(), "")
        self.assertEqual(self.house.stop(), 0)

    def test_json_of_one_pipeline_and_state(self):
        self.house.start()
        tap = self.tap("other", "--json", "--state", "done")
        self.listening()
        self.house.drop("in/a", "1")
        until(lambda: self.house.counts("p")["done"] == 1)
        self.house.drop("other/b", "1")
        event = json.loads(tap.stdout.readline())
        self.assertEqual((event["pipeline"], event["state"], event["name"]), ("other", "done", "b"))
        tap.send_signal(signal.SIGTERM)
        self.assertEqual(tap.wait(10 * SLOW), 0)
        self.assertEqual(self.house.stop(), 0)

    def test_it_says_that_it_was_cut_off_and_goes_on(self):
        self.house.start()
        tap = self.tap("--state", "done")
        self.listening()
        self.house.drop("in/a", "1")
        self.assertIn("  a", tap.stdout.readline())
        self.assertEqual(self.house.stop(), 0)
        until(lambda: "cut off: musher stops" in self.said())
        self.house.start()
        until(lambda: "connected again" in self.said())
        until(lambda: "events were missed" in self.said())
        self.house.drop("in/b", "1")
        self.assertIn("  b", tap.stdout.readline())
        self.house.kill()
        until(lambda: "cut off: musher went away" in self.said())
        tap.send_signal(signal.SIGINT)
        self.assertEqual(tap.wait(10 * SLOW), 0)

    def test_refusals(self):
        result = self.house.run("tap")
        self.assertEqual(result.returncode, 5)
        self.assertIn("no musher answers", result.stderr)
        self.house.start()
        result = self.house.run("tap", "othr")
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        self.assertIn("did you mean other?", result.stderr)
        result = self.house.run("tap", "--state", "ded", "--json")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(json.loads(result.stdout)["error"]["hint"], "did you mean dead?")
        self.assertEqual(self.house.stop(), 0)

    def test_a_closed_pipe_ends_it(self):
        self.house.start()
        tap = self.tap()
        self.listening()
        tap.stdout.close()
        self.house.drop("in/a", "1")
        self.assertEqual(tap.wait(20 * SLOW), 0)
        self.assertEqual(self.house.stop(), 0)


if __name__ == "__main__":
    unittest.main()
