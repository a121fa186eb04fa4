"""kill -9 at each of the ten stops of a file's way, and what is found at the next start.

Stops on disk are held with strace: the process dies at the entry of the call that would have taken
the step, before it happens. Stops between musher and Redis are held by a gate in between. Each test
says where the file lies and what the queue knows while musher is dead; then musher starts again and
the file must reach its end: once under its final name, whole, by one job.
"""

import hashlib
import json
import os
import signal
import subprocess
import time
import unittest

from house import SLOW, House, digest, files_in, until
from redis_gate import RedisGate, RedisServer

NAME = "letter.txt"
SOURCE = "version: 1\nsource: { hotfolder: { path: {house}/in/p, settle: 20ms } }\n"
COPY = SOURCE + """limits: { attempts: 3, backoff: 10ms..20ms }
steps:
  - exec: { argv: [/bin/sh, -c, 'echo "$1" >> "$2"', sh, '${job.id}', '{house}/ran'] }
  - directory: { to: {house}/out }
"""
PACK = SOURCE + """steps:
  - xz_compress: { level: 4, threads: 1, block: 1MiB }
  - directory: { to: {house}/out }
"""
CRASH = SOURCE + """limits: { attempts: 3, backoff: 10ms..20ms }
steps:
  - directory: { to: {house}/out }
  - exec: { argv: [/bin/sh, -c, 'echo "$1" >> "$2"; [ -e "$3" ] || { > "$3"; kill -9 $PPID; }', \
sh, '${job.id}', '{house}/ran', '{house}/killed'] }
"""
MOURN = """on_failure:
  - exec: { argv: [/bin/sh, -c, 'echo "$1" >> "$2"', sh, '${job.failed.job}', '{house}/mourned'] }
"""
DEADLY = SOURCE + """limits: { attempts: 5 }
steps:
  - exec: { argv: [/bin/sh, -c, 'kill -9 $PPID'] }
""" + MOURN
FAILS = SOURCE + """limits: { attempts: 1 }
steps:
  - exec: { argv: [/bin/false] }
""" + MOURN


class TenStopsTest(unittest.TestCase):
    def house(self, pipeline):
        house = House({"p": pipeline}, "queue: { redis: 'unix:{house}/gate.sock' }\n")
        self.addCleanup(house.__exit__, None)
        for folder in ("in/p", "in/p/done", "in/p/failed", "out"):
            house.folder(folder)
        self.redis = RedisServer(house.path).start()
        self.addCleanup(self.redis.kill)
        self.gate = RedisGate(house / "gate.sock", self.redis)
        self.addCleanup(self.gate.close)
        return house

    def drop(self, house, content=b"forty-two\n" * 4200):
        """Made elsewhere and moved in: whole from the start."""
        with open(house / NAME, "wb") as file:
            file.write(content)
        self.sha = digest(house / NAME)
        os.rename(house / NAME, house / f"in/p/{NAME}")

    def killed_by_strace(self, house, call, path=None):
        """musher dies at the entry of its first `call` (on `path`) after the drop."""
        only = ["-P", path] if path else []
        house.start(wrapper=["strace", "-D", "-f", "-qq", "-o", house / "trace", *only, "-e",
                             f"trace={call}", "-e", f"inject={call}:signal=KILL:when=1"])
        self.drop(house)
        self.await_death(house)

    def killed_at_gate(self, house, script, before, wanted=lambda call, answer: True):
        house.start()
        self.gate.arm(script, lambda: house.process.send_signal(signal.SIGKILL), before, wanted)
        self.drop(house)
        self.await_death(house)

    def await_death(self, house):
        code = until(lambda: house.process.poll(), 30, lambda: "it lives: " + house.log())
        self.assertEqual(code, -signal.SIGKILL)

    def found(self, house, file, queue, output="nothing"):
        """What the dead musher left: where the file lies, where its job is, what is in out/."""
        places = {place: [f for f in os.listdir(house / f"in/p/{place}") if f.endswith(NAME)]
                  for place in (".", ".musher/work", "done", "failed")}
        self.assertEqual({place for place, names in places.items() if names}, {file})
        self.assertEqual(len(places[file]), 1)
        self.assertEqual(digest(house / f"in/p/{file}/{places[file][0]}"), self.sha)
        kinds = {"ready": "zcard", "lease": "zcard", "done": "zcard", "dead": "zcard"}
        held = {kind for kind, ask in kinds.items() for key in self.keys(kind)
                if self.redis.ask(ask, key) != "0"}
        self.assertEqual(held, set(queue.split()) - {"nothing"})
        outputs = os.listdir(house / "out")
        temporary = [f for f in outputs if f.startswith("." + NAME + ".musher-tmp-")]
        final = [f for f in outputs if f == NAME]
        self.assertEqual(sorted(outputs), sorted(temporary + final), "nothing else")
        self.assertEqual("final" if final else "temporary" if temporary else "nothing", output)
        if final:
            self.assertEqual(digest(house / f"out/{NAME}"), self.sha, "whole")
        for file in temporary:  # what nobody has written to for an hour is swept
            os.utime(house / f"out/{file}", (time.time() - 4000,) * 2)

    def keys(self, kind):
        return [key for key in self.redis.ask("--scan", "--pattern", "m1:*").splitlines()
                if key.endswith("}:" + kind)]

    def ends_well(self, house, runs=None):
        """After the next start: one output, one original in done/, one job."""
        house.start()
        until(lambda: files_in(house / "in/p/done") == [NAME],
              what=lambda: f"{files_in(house / 'in/p')}\n{house.log()}")
        self.assertEqual(digest(house / f"in/p/done/{NAME}"), self.sha)
        until(lambda: house.counts("p")["done"] == 1)
        if self.plain:
            self.assertEqual(digest(house / f"out/{NAME}"), self.sha)
        self.assertEqual(os.listdir(house / "out"), [NAME])
        self.assertEqual(os.listdir(house / "in/p/.musher/work"), [])
        if runs is not None:
            with open(house / "ran") as file:
                ran = file.read().split()
            self.assertEqual(len(set(ran)), 1, "one job")
            self.assertEqual(len(ran), runs)
        self.assertEqual(house.stop(), 0)

    plain = True

    # 1. The event is read; nobody has looked at the file yet.
    def test_01_killed_after_the_event(self):
        house = self.house(COPY)
        self.killed_by_strace(house, "openat", NAME)
        self.found(house, ".", "nothing")
        self.ends_well(house, runs=1)

    # 2. The lease that proves that nobody writes.
    def test_02_killed_while_it_settles(self):
        house = self.house(COPY)
        self.killed_by_strace(house, "fcntl", house / f"in/p/{NAME}")
        self.found(house, ".", "nothing")
        self.ends_well(house, runs=1)

    # 3. The claim by rename.
    def test_03_killed_before_the_claim(self):
        house = self.house(COPY)
        self.killed_by_strace(house, "/^renameat", house / "in/p")
        self.found(house, ".", "nothing")
        self.ends_well(house, runs=1)

    def test_03_killed_after_the_claim_before_it_is_synced(self):
        house = self.house(COPY)
        self.killed_by_strace(house, "fsync", house / "in/p/.musher/work")
        self.found(house, ".musher/work", "nothing")
        self.ends_well(house, runs=1)

    # 4. Admitted; 5. put into the queue.
    def test_04_killed_before_the_queue_hears_of_it(self):
        house = self.house(COPY)
        self.killed_at_gate(house, "enqueue", before=True)
        self.found(house, ".musher/work", "nothing")
        self.ends_well(house, runs=1)

    def test_05_killed_before_the_queue_has_answered(self):
        house = self.house(COPY)
        self.killed_at_gate(house, "enqueue", before=False)
        # The call to wake up may have been faster than the answer, and the job claimed by then.
        self.found(house, ".musher/work", "lease" if self.keys("lease") else "ready")
        self.ends_well(house, runs=1)

    # 6. Claimed from the queue. The lease is taken back at once, not after its 30 s.
    def test_06_killed_before_it_hears_that_the_job_is_its_own(self):
        house = self.house(COPY)
        self.killed_at_gate(house, "cycle", before=False,
                            wanted=lambda call, answer: NAME.encode() in answer)
        self.found(house, ".musher/work", "lease")
        self.ends_well(house, runs=1)

    def test_06_and_the_connection_breaks_while_it_is_taken_back(self):
        house = self.house(COPY)
        self.killed_at_gate(house, "cycle", before=False,
                            wanted=lambda call, answer: NAME.encode() in answer)
        self.gate.arm("reap", self.gate.hang_up, before=True)
        started = time.monotonic()
        self.ends_well(house, runs=1)
        self.assertIsNone(self.gate.armed)
        self.assertLess(time.monotonic() - started, 10 * SLOW, "neither a tick nor a lease")

    # 7. The steps, each with its receipt.
    def test_07_killed_by_a_step(self):
        house = self.house(CRASH)
        house.start()
        self.drop(house)
        self.await_death(house)
        self.found(house, ".musher/work", "lease", "final")
        before = os.stat(house / f"out/{NAME}")
        self.ends_well(house, runs=2)
        after = os.stat(house / f"out/{NAME}")
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns),
                         "what has a receipt is not done again")

    def test_07_a_step_that_kills_every_time_is_given_up(self):
        house = self.house(DEADLY)
        self.drop(house)
        for _ in range(3):
            house.start()
            self.await_death(house)
            self.found(house, ".musher/work", "lease")
        report = self.dies_well(house)
        self.assertEqual(report["error"]["code"], "poison")
        self.assertEqual([line["what"] for line in report["story"]].count("stalled"), 3)

    # 8. In the middle of a heavy step.
    def test_08_killed_in_the_middle_of_the_bytes(self):
        house = self.house(PACK)
        self.plain = False
        house.start()
        self.drop(house, os.urandom(16 << 20))
        until(lambda: any(os.stat(house / f"out/{f}").st_size > 1 << 20
                          for f in os.listdir(house / "out")), 60)
        house.kill()
        self.found(house, ".musher/work", "lease", "temporary")
        self.ends_well(house)
        with open(house / f"out/{NAME}", "rb") as packed:
            plain = subprocess.run(["xz", "-dc"], stdin=packed, capture_output=True, check=True)
        self.assertEqual(hashlib.sha256(plain.stdout).hexdigest(), self.sha)

    # 9. The sink: write, sync, name, sync of the folder, receipt.
    def test_09_killed_before_the_output_is_synced(self):
        house = self.house(COPY)
        self.killed_by_strace(house, "sync_file_range")
        self.found(house, ".musher/work", "lease", "temporary")
        self.ends_well(house, runs=2)

    def test_09_killed_before_the_output_has_its_name(self):
        house = self.house(COPY)
        self.killed_by_strace(house, "/^rename", house / f"out/{NAME}")
        self.found(house, ".musher/work", "lease", "temporary")
        self.ends_well(house, runs=2)

    def test_09_killed_before_the_name_is_synced(self):
        house = self.house(COPY)
        self.killed_by_strace(house, "fsync", house / "out")
        self.found(house, ".musher/work", "lease", "final")
        self.ends_well(house, runs=2)

    def test_09_killed_before_the_receipt_is_stored(self):
        house = self.house(COPY)
        self.killed_at_gate(house, "receipt", before=True)
        self.found(house, ".musher/work", "lease", "final")
        self.ends_well(house, runs=2)

    def test_09_killed_after_the_receipt_was_stored(self):
        house = self.house(COPY)
        self.killed_at_gate(house, "receipt", before=False)
        self.found(house, ".musher/work", "lease", "final")
        before = os.stat(house / f"out/{NAME}").st_ino
        self.ends_well(house, runs=2)
        self.assertEqual(os.stat(house / f"out/{NAME}").st_ino, before, "not written again")

    # 10. The ack, and the original's way to done/.
    def acks(self, call, _):
        return int(call.arguments[8]) > 0

    def test_10_killed_before_the_ack(self):
        house = self.house(COPY)
        self.killed_at_gate(house, "cycle", before=True, wanted=self.acks)
        self.found(house, ".musher/work", "lease", "final")
        self.ends_well(house, runs=2)

    def test_10_killed_after_the_ack(self):
        house = self.house(COPY)
        self.killed_at_gate(house, "cycle", before=False, wanted=self.acks)
        self.found(house, ".musher/work", "done", "final")
        self.ends_well(house, runs=1)

    def test_10_killed_before_the_original_moves(self):
        house = self.house(COPY)
        self.killed_by_strace(house, "/^rename", house / f"in/p/done/{NAME}")
        self.found(house, ".musher/work", "done", "final")
        self.ends_well(house, runs=1)

    def test_10_killed_after_the_original_has_moved(self):
        house = self.house(COPY)
        house.start()
        self.drop(house)
        until(lambda: os.path.exists(house / f"in/p/done/{NAME}"))
        house.kill()
        self.found(house, "done", "done", "final")
        self.ends_well(house, runs=1)

    # The other end: a job that dies, its on_failure, its report.
    def dies_well(self, house):
        house.start()
        until(lambda: files_in(house / "in/p/failed") == [NAME, NAME + ".report.json"],
              what=lambda: f"{files_in(house / 'in/p')}\n{house.log()}")
        with open(house / f"in/p/failed/{NAME}.report.json") as file:
            report = json.load(file)
        until(lambda: os.path.exists(house / "mourned"), what=house.log)
        until(lambda: house.counts("p")["dead"] == 1 and house.counts("p")["done"] == 1)
        with open(house / "mourned") as file:
            self.assertEqual(file.read().split(), [report["job"]["id"]], "once, for this job")
        self.assertEqual(os.listdir(house / "in/p/.musher/work"), [])
        self.assertEqual(house.stop(), 0)
        return report

    def is_alarm(self, call, _):
        return b"on_failure" in b" ".join(call.arguments)

    def test_killed_before_on_failure_is_asked_for(self):
        house = self.house(FAILS)
        self.killed_at_gate(house, "enqueue", before=True, wanted=self.is_alarm)
        self.found(house, ".musher/work", "lease")
        self.assertEqual(self.dies_well(house)["error"]["step"], "exec")

    def test_killed_between_on_failure_and_the_death(self):
        house = self.house(FAILS)
        self.killed_at_gate(house, "fail", before=True)
        self.assertEqual(self.dies_well(house)["error"]["step"], "exec")

    def test_killed_after_the_death(self):
        house = self.house(FAILS)
        self.killed_at_gate(house, "fail", before=False)
        self.found(house, ".musher/work", "dead")
        self.assertEqual(self.dies_well(house)["error"]["step"], "exec")

    def test_killed_between_the_report_and_the_original(self):
        house = self.house(FAILS)
        self.killed_by_strace(house, "/^rename", house / f"in/p/failed/{NAME}")
        self.found(house, ".musher/work", "dead done")  # done: on_failure, which read it first
        self.assertEqual(os.listdir(house / "in/p/failed"), [NAME + ".report.json"])
        self.assertEqual(self.dies_well(house)["error"]["step"], "exec")


if __name__ == "__main__":
    unittest.main(verbosity=2)
