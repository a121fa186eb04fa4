"""/metrics: well formed, counts what happened, and costs the queue and the loop next to nothing."""

import os
import re
import shutil
import subprocess
import threading
import time
import unittest

from house import GATE, House, Redis, UnixConnection, until

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
when: event.name ~= 'unwanted'
limits: { attempts: 2, backoff: 1ms..2ms }
steps:
  - exec: { argv: ["/usr/bin/test", "${event.name}", "!=", "bad"] }
  - directory: { to: {house}/out }
"""
GATED = ("version: 1\nsource: { hotfolder: { path: {house}/slow, settle: 50ms } }\n"
         "limits: { parallel: 1 }\nsteps:\n" + GATE)
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def parse(text):
    """{name: {frozenset of labels: value}}; fails for what version 0.0.4 does not allow, and for
    what Prometheus' own linter does not like."""
    assert text.endswith("\n") and "\r" not in text
    samples, seen, family, kind = {}, set(), None, None
    lines = text.split("\n")[:-1]
    for i, line in enumerate(lines):
        if line.startswith("# HELP "):
            family, help_text = line[7:].split(" ", 1)
            assert NAME.fullmatch(family) and family not in seen, line
            assert help_text and not re.search(r"\\(?![\\n])", help_text), line
            seen.add(family)
            kind = None
            continue
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == family and lines[i - 1].startswith(f"# HELP {name} "), line
            assert kind in SUFFIXES, line
            assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
            assert not re.search(r"_(ms|milliseconds|kb|bucket|sum|count)$", name), name
            continue
        name, labels, value = read_sample(line)
        assert kind and name in [family + suffix for suffix in SUFFIXES[kind]], line
        rows = samples.setdefault(name, {})
        assert frozenset(labels.items()) not in rows, f"twice: {line}"
        assert kind == "gauge" or value >= 0, line
        rows[frozenset(labels.items())] = value
    for name in seen:
        if name + "_bucket" in samples:
            check_histogram(name, samples)
    return samples


def read_sample(line):
    name = NAME.match(line)[0]
    rest = line[len(name):]
    labels = {}
    if rest.startswith("{"):
        inside, rest = rest[1:].rsplit("}", 1)
        found = LABEL.findall(inside)
        assert ",".join(f'{label}="{value}"' for label, value in found) == inside, line
        labels = {label: re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value)
                  for label, value in found}
        assert len(labels) == len(found) and not any(l.startswith("__") for l in labels), line
    assert re.fullmatch(r" [-+0-9.eE]+| [-+]Inf| NaN", rest), line
    return name, labels, float(rest)


def check_histogram(name, samples):
    series = {}
    for labels, value in samples[name + "_bucket"].items():
        bound = float(dict(labels)["le"])
        others = frozenset((k, v) for k, v in labels if k != "le")
        series.setdefault(others, []).append((bound, value))
    for others, buckets in series.items():
        counts = [count for _, count in sorted(buckets)]
        assert counts == sorted(counts), (name, others)
        assert sorted(buckets)[-1] == (float("inf"), samples[name + "_count"][others])
        assert others in samples[name + "_sum"]


class MetricsTest(unittest.TestCase):
    def house(self, pipelines, extra=""):
        house = House(pipelines, extra)
        self.addCleanup(house.__exit__, None)
        for name in ("in", "slow"):
            house.folder(name)
        return house

    def scrape(self, house):
        return parse(self.raw(house))

    def raw(self, house):
        connection = UnixConnection(house / "state/control.sock")
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.getheader("Content-Type"),
                             "text/plain; version=0.0.4; charset=utf-8")
            return answer.read().decode()
        finally:
            connection.close()

    def value(self, house, name, **labels):
        return self.scrape(house).get(name, {}).get(frozenset(labels.items()))

    def test_what_happened_is_counted(self):
        house = self.house({"p": PIPELINE}).start()
        for i in range(20):
            house.drop(f"in/{i}", str(i))
        house.drop("in/bad", "1")
        house.drop("in/unwanted", "1")
        until(lambda: (house.counts("p")["done"], house.counts("p")["dead"]) == (20, 1))
        until(lambda: self.value(house, "musher_events_unwanted_total", pipeline="p") == 1)
        until(lambda: self.value(house, "musher_queue_jobs", pipeline="p", state="done") == 20)
        found = self.scrape(house)
        one = frozenset({("pipeline", "p")})
        counts = {name: rows[one] for name, rows in found.items() if one in rows}
        self.assertEqual(
            {name: counts[f"musher_{name}"] for name in (
                "jobs_accepted_total", "jobs_done_total", "jobs_retried_total", "jobs_dead_total",
                "jobs_cancelled_total", "events_unwanted_total", "sink_holds_total",
                "jobs_in_flight", "pipeline_well", "pipeline_revision",
                "job_run_seconds_count", "job_wait_seconds_count")},
            {"jobs_accepted_total": 21, "jobs_done_total": 20, "jobs_retried_total": 1,
             "jobs_dead_total": 1, "jobs_cancelled_total": 0, "events_unwanted_total": 1,
             "sink_holds_total": 0, "jobs_in_flight": 0, "pipeline_well": 1,
             "pipeline_revision": 1, "job_run_seconds_count": 22, "job_wait_seconds_count": 21})
        self.assertEqual(self.value(house, "musher_queue_jobs", pipeline="p", state="dead"), 1)
        self.assertGreater(counts["musher_job_run_seconds_sum"], 0)
        if shutil.which("promtool"):  # of Debian's prometheus, where somebody has installed it
            text = self.raw(house)
            subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=True)
        self.assertEqual(house.stop(), 0)

    def test_the_process(self):
        house = self.house({"p": PIPELINE}).start()
        found = self.scrape(house)
        plain = {name: rows[frozenset()] for name, rows in found.items() if frozenset() in rows}
        with open(f"/proc/{house.process.pid}/statm") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        self.assertAlmostEqual(plain["process_resident_memory_bytes"], resident, delta=8 << 20)
        self.assertLess(abs(time.time() - plain["process_start_time_seconds"]), 60)
        self.assertGreater(plain["process_open_fds"], 5)
        self.assertGreater(plain["process_max_fds"], plain["process_open_fds"])
        self.assertGreater(plain["process_cpu_seconds_total"], 0)
        self.assertGreater(plain["musher_loop_lag_seconds_count"], 0)
        self.assertGreaterEqual(plain["musher_pool_threads"], 5)
        build, = found["musher_build_info"]
        version = house.run("--version").stdout
        self.assertEqual(version, "musher {version} ({commit})\n".format(**dict(build)))
        self.assertEqual(house.stop(), 0)

    def test_what_waits_and_what_runs(self):
        house = self.house({"slow": GATED}).start()
        for i in range(3):
            house.drop(f"slow/{i}", "x")
        until(lambda: house.counts("slow")["waiting"] == 2)
        until(lambda: self.value(house, "musher_queue_jobs", pipeline="slow",
                                 state="waiting") == 2)
        self.assertEqual(self.value(house, "musher_jobs_in_flight", pipeline="slow"), 1)
        age = self.value(house, "musher_queue_oldest_waiting_seconds", pipeline="slow")
        until(lambda: self.value(house, "musher_queue_oldest_waiting_seconds",
                                 pipeline="slow") > age)
        house.open_gate()
        until(lambda: self.value(house, "musher_jobs_done_total", pipeline="slow") == 3)
        self.assertEqual(house.stop(), 0)

    def test_a_broken_sink_and_a_refused_edit(self):
        house = self.house({"p": PIPELINE}).start()
        with open(house / "out", "w"):
            pass  # where the sink wants a folder
        house.drop("in/a", "1")
        until(lambda: self.value(house, "musher_pipeline_held", pipeline="p") == 1)
        self.assertEqual(self.value(house, "musher_sink_holds_total", pipeline="p"), 1)
        self.assertEqual(self.value(house, "musher_pipeline_well", pipeline="p"), 0)
        os.unlink(house / "out")
        until(lambda: self.value(house, "musher_pipeline_held", pipeline="p") == 0, 30)
        house.write_pipeline("p", PIPELINE + "nonsense: 1\n")
        until(lambda: self.value(house, "musher_pipeline_edit_refused", pipeline="p") == 1)
        found = self.scrape(house)
        self.assertEqual(found["musher_edits_refused_total"][frozenset()], 1)
        self.assertEqual(found["musher_refused_files"][frozenset()], 1)
        house.write_pipeline("p", PIPELINE)
        until(lambda: self.value(house, "musher_pipeline_edit_refused", pipeline="p") == 0)
        self.assertEqual(self.value(house, "musher_edits_refused_total"), 1)
        self.assertEqual(house.stop(), 0)

    def test_counts_of_a_pipeline_go_on_when_it_comes_back(self):
        house = self.house({"p": PIPELINE}).start()
        house.drop("in/a", "1")
        until(lambda: self.value(house, "musher_jobs_done_total", pipeline="p") == 1)
        os.unlink(house / "pipelines/p.yml")
        until(lambda: self.value(house, "musher_jobs_done_total", pipeline="p") is None)
        house.write_pipeline("p", PIPELINE)
        until(lambda: self.value(house, "musher_jobs_done_total", pipeline="p") == 1)
        self.assertEqual(house.stop(), 0)

    def test_a_server_that_is_away_is_told_and_holds_no_scrape_up(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        house = self.house({"p": PIPELINE}, f"queue: {{ redis: 'unix:{redis.socket}' }}\n").start()
        name, = self.scrape(house)["musher_queue_up"]
        self.assertEqual(self.scrape(house)["musher_queue_up"][name], 1)
        redis.process.kill()
        redis.process.wait()
        until(lambda: self.scrape(house)["musher_queue_up"][name] == 0)
        def unknown():
            began = time.monotonic()
            found = self.scrape(house)
            self.assertLess(time.monotonic() - began, 5)
            self.assertIn("musher_jobs_done_total", found)
            return "musher_queue_jobs" not in found
        until(unknown, 10, "counts of a second ago are told, older ones are not")

    def test_a_storm_of_scrapes_asks_the_queue_once_a_second(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        house = self.house({"p": PIPELINE, "slow": GATED},
                           f"queue: {{ redis: 'unix:{redis.socket}' }}\n").start()
        self.scrape(house)

        def asked():
            out = subprocess.run(["redis-cli", "-s", redis.socket, "info", "commandstats"],
                                 capture_output=True, text=True, check=True).stdout
            return sum(int(n) for n in re.findall(r"cmdstat_evalsha:calls=(\d+)", out))

        before, began, scrapes = asked(), time.monotonic(), [0]

        def storm():
            connection = UnixConnection(house / "state/control.sock")
            while time.monotonic() - began < 2:
                connection.request("GET", "/metrics")
                parse(connection.getresponse().read().decode())
                scrapes[0] += 1
            connection.close()

        threads = [threading.Thread(target=storm) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        questions = asked() - before
        self.assertGreater(scrapes[0], 50)
        # Two queues, once a second each; and what an idle pipeline asks by itself.
        self.assertLessEqual(questions, 2 * (took + 1) + 6, f"{scrapes[0]} scrapes")
        self.assertEqual(house.stop(), 0)

    def test_a_scrape_under_load_does_not_stall_the_loop(self):
        house = self.house({"p": PIPELINE.replace("attempts: 2", "attempts: 1, parallel: 8")})
        house.start()
        for i in range(300):
            house.drop(f"in/{i}", "x")
        took = []
        while house.counts("p")["done"] < 300:
            began = time.monotonic()
            found = self.scrape(house)
            took.append(time.monotonic() - began)
        lag = found["musher_loop_lag_seconds_bucket"]
        slow = lag[frozenset({("le", "+Inf")})] - lag[frozenset({("le", "0.25")})]
        self.assertLessEqual(slow, lag[frozenset({("le", "+Inf")})] * 0.01, "turns over 250 ms")
        self.assertLess(sorted(took)[len(took) // 2], 1)
        self.assertEqual(self.value(house, "musher_jobs_done_total", pipeline="p"), 300)
        self.assertEqual(house.stop(), 0)


if __name__ == "__main__":
    unittest.main()
