"""kill -9 inside for_each, parallel and switch: what has a receipt is not done again, what was decided
stays decided, and nothing is left out. A stop in a wait_for gives the job back.

A gate between musher and Redis stops time at one receipt: before it is stored, or after.
"""

import collections
import fcntl
import os
import signal
import unittest

from house import House, digest, files_in, until
from redis_gate import RedisGate, RedisServer

NAME = "letter.txt"
SOURCE = "version: 1\nsource: { hotfolder: { path: {house}/in, settle: 20ms } }\n"
SAY = "[/bin/sh, -c, 'echo \"$1\" >> \"$2\"', sh, \"%s\", '{house}/ran']"
LOOP = SOURCE + f"""steps:
  - id: each
    for_each:
      in: split("1,2,3,4,5,6,7,8,9,10", ",")
      as: page
      steps:
        - exec: {{ argv: {SAY % "cut ${page}"} }}
        - id: copy
          directory: {{ to: {{house}}/out, name: "page.txt" }}
        - exec: {{ argv: {SAY % "told ${page}"} }}
  - exec: {{ argv: {SAY % "end ${steps.each.count}"} }}
"""
BRANCHES = SOURCE + f"""steps:
  - parallel:
      branches:
        - - exec: {{ argv: {SAY % "left"} }}
          - id: left
            directory: {{house}}/out
        - - exec: {{ argv: {SAY % "right"} }}
          - exec: {{ argv: [flock, --shared, '{{house}}/barrier', 'true'] }}
          - id: right
            directory: {{ to: {{house}}/out, name: "right-${{event.name}}" }}
"""
CHOICE = SOURCE + """steps:
  - id: look
    exec: { argv: [cat, '{house}/kind'], stdout: json }
  - id: way
    switch:
      cases:
        - { when: steps.look.kind == "a", steps: [ directory: { to: {house}/out, name: a } ] }
      default: [ directory: { to: {house}/out, name: b } ]
"""
WAIT = SOURCE + """steps:
  - id: ticket
    wait_for: { path: "{house}/tickets/${event.stem}", until: steps.ticket.exists, interval: 50ms }
  - directory: { to: {house}/out, name: "after-${steps.ticket.looks}" }
"""


class FlowTest(unittest.TestCase):
    def house(self, pipeline):
        house = House({"p": pipeline}, "queue: { redis: 'unix:{house}/gate.sock' }\n")
        self.addCleanup(house.__exit__, None)
        for folder in ("in", "in/done", "in/failed", "out", "tickets"):
            house.folder(folder)
        redis = RedisServer(house.path).start()
        self.addCleanup(redis.kill)
        self.gate = RedisGate(house / "gate.sock", redis)
        self.addCleanup(self.gate.close)
        return house

    def killed_at(self, house, place, before, act=None):
        """musher dies when the receipt of `place` goes to the queue, or once it is stored."""
        def kill():
            if act:
                act()
            house.process.send_signal(signal.SIGKILL)
        house.start()
        self.gate.arm("receipt", kill, before,
                      lambda call, _: f'"step":"{place}"'.encode() in call.arguments[2])
        self.drop(house)
        code = until(lambda: house.process.poll(), 30, lambda: "it lives: " + house.log())
        self.assertEqual(code, -signal.SIGKILL)

    def drop(self, house):
        with open(house / NAME, "wb") as file:
            file.write(b"forty-two\n" * 4200)
        self.sha = digest(house / NAME)
        os.rename(house / NAME, house / f"in/{NAME}")

    def ends(self, house):
        """The job's receipts by place, once its original is put away."""
        until(lambda: files_in(house / "in/done") == [NAME],
              what=lambda: f"{files_in(house / 'in')}\n{house.log()}")
        until(lambda: house.counts("p")["done"] == 1)
        job = house.get("jobs?pipeline=p")["items"][0]
        for name in os.listdir(house / "out"):
            self.assertEqual(digest(house / f"out/{name}"), self.sha, f"{name} is whole")
        return job, {one["step"]: one for one in job["receipts"]}

    def ran(self, house):
        if not os.path.exists(house / "ran"):
            return collections.Counter()
        with open(house / "ran") as file:
            return collections.Counter(file.read().splitlines())

    def pages(self, house):
        names = [os.path.basename(name) for name in os.listdir(house / "out")]
        return sorted(name for name in names if not name.startswith("."))

    def inodes(self, house):
        return {name: os.stat(house / f"out/{name}").st_ino for name in self.pages(house)}

    def check_loop(self, house, made, cut, told):
        """`made`: files there were when it died; how often round 7 began and ended its programs."""
        before = self.inodes(house)
        self.assertEqual(len(before), made)
        house.start()
        _, receipts = self.ends(house)
        self.assertEqual(len(self.pages(house)), 10, "one file a round, and no other")
        self.assertEqual(set(receipts), {f"each[{i}].copy" for i in range(10)}, "and no notes")
        targets = [receipts[f"each[{i}].copy"]["target"] for i in range(10)]
        self.assertEqual(len(set(targets)), 10)
        after = self.inodes(house)
        kept = {name for name in before if before[name] == after[name]}
        self.assertGreaterEqual(len(kept), 6, "rounds that had ended are not done again")
        runs = self.ran(house)
        expected = {f"{what} {i}": 1 for what in ("cut", "told") for i in range(1, 11)}
        expected.update({"cut 7": cut, "told 7": told, "end 10": 1})
        self.assertEqual(dict(runs), expected)
        self.assertEqual(house.stop(), 0)
        return len(kept)

    def test_loop_killed_before_the_receipt_of_its_seventh_round(self):
        house = self.house(LOOP)
        self.killed_at(house, "each[6].copy", before=True)
        # The effect is there, its receipt is not: it is made again, in its own place.
        self.check_loop(house, made=7, cut=2, told=1)

    def test_loop_killed_after_the_receipt_of_its_seventh_round(self):
        house = self.house(LOOP)
        self.killed_at(house, "each[6].copy", before=False)
        self.assertEqual(self.check_loop(house, made=7, cut=2, told=1), 7)

    def test_loop_killed_before_its_seventh_round_is_noted(self):
        house = self.house(LOOP)
        self.killed_at(house, "each[6]", before=True)
        self.assertEqual(self.check_loop(house, made=7, cut=2, told=2), 7)

    def test_loop_killed_after_its_seventh_round_is_noted(self):
        house = self.house(LOOP)
        self.killed_at(house, "each[6]", before=False)
        self.assertEqual(self.check_loop(house, made=7, cut=1, told=1), 7)

    def test_branches_killed_in_the_middle(self):
        house = self.house(BRANCHES)
        with open(house / "barrier", "w") as barrier:
            fcntl.flock(barrier, fcntl.LOCK_EX)
            self.killed_at(house, "left", before=False,
                           act=lambda: until(lambda: self.ran(house)["right"] == 1))
            self.assertEqual(self.pages(house), [NAME], "the other branch was in its middle")
        before = self.inodes(house)
        house.start()
        _, receipts = self.ends(house)
        self.assertEqual(set(receipts), {"left", "right"})
        self.assertEqual(self.pages(house), [NAME, "right-" + NAME])
        self.assertEqual(self.inodes(house)[NAME], before[NAME], "not delivered again")
        self.assertEqual(dict(self.ran(house)), {"left": 2, "right": 2}, "programs leave no receipt")
        self.assertEqual(house.stop(), 0)

    def kind(self, house, kind):
        with open(house / "kind", "w") as file:
            file.write('{"kind": "%s"}' % kind)

    def check_choice(self, place, before, output):
        """Killed there on its way to a; when it goes on, all speaks for b."""
        house = self.house(CHOICE)
        self.kind(house, "a")
        self.killed_at(house, place, before)
        self.kind(house, "b")
        house.start()
        job, _ = self.ends(house)
        self.assertEqual(self.pages(house), [output], "one of them, not both")
        chosen = [line["detail"] for line in house.get("jobs/" + job["id"])["story"]
                  if line["what"] == "chose"]
        self.assertEqual(chosen[-1], "cases[0]" if output == "a" else "default")
        self.assertEqual(house.stop(), 0)

    def test_choice_killed_before_it_is_noted(self):
        self.check_choice("way", True, "b")

    def test_choice_killed_after_it_was_noted(self):
        self.check_choice("way", False, "a")

    def test_choice_killed_between_the_effect_and_its_receipt(self):
        self.check_choice("directory", True, "a")

    def test_a_stop_ends_a_wait_and_gives_the_job_back(self):
        house = self.house(WAIT)
        house.start()
        self.drop(house)
        until(lambda: house.counts("p")["running"] == 1)
        self.assertEqual(house.stop(seconds=10), 0)
        house.start()
        until(lambda: house.counts("p")["running"] == 1)
        self.assertEqual(self.pages(house), [])
        with open(house / "tickets/letter", "w"):
            pass
        job, receipts = self.ends(house)
        self.assertEqual(job["attempt"], 1, "a stop spends no try")
        self.assertEqual(set(receipts), {"directory"})
        self.assertEqual(house.stop(), 0)

    def test_a_wait_ends_with_a_clear_word_and_a_cancel_ends_it_at_once(self):
        house = self.house(WAIT.replace("interval: 50ms", "interval: 50ms, timeout: 200ms")
                           + "limits: { attempts: 1 }\n")
        house.start()
        self.drop(house)
        until(lambda: house.counts("p")["dead"] == 1)
        shown = house.run("jobs", "show", house.get("jobs?pipeline=p")["items"][0]["id"])
        self.assertIn("waited 200ms in vain for `steps.ticket.exists`", shown.stdout)
        house.write_pipeline("p", WAIT)
        until(lambda: house.counts("p")["revision"] == 2)
        self.drop(house)
        until(lambda: house.counts("p")["running"] == 1)
        waiting = house.get("jobs?pipeline=p&state=running")["items"][0]["id"]
        self.assertEqual(house.run("jobs", "cancel", waiting).returncode, 0)
        until(lambda: house.counts("p")["running"] == 0)
        self.assertEqual(house.get("jobs/" + waiting)["state"], "cancelled")


if __name__ == "__main__":
    unittest.main(verbosity=2)
