"""The hot folder's options, each on a running musher with real files."""

import hashlib
import json
import os
import select
import shutil
import subprocess
import time
import unittest

from house import GATE, House, digest, files_in, until

LOG = "steps:\n  - log: \"${event.name}\"\n"


def pipeline(options, rest=LOG, head=""):
    return f"version: 1\n{head}source:\n  hotfolder: {{ path: {{house}}/in, settle: 100ms{options} }}\n{rest}"


class HotfolderTest(unittest.TestCase):
    def house(self, options="", rest=LOG, head="", start=True):
        house = House({"hot": pipeline(options, rest, head)})
        self.addCleanup(house.__exit__, None)
        house.folder("in")
        return house.start() if start else house

    def done(self, house, *names, folder="in/done"):
        wanted = sorted(names)
        until(lambda: files_in(house / folder) == wanted, what=lambda: (
            f"{wanted} in {folder}: {files_in(house / folder)}, in/: {files_in(house / 'in')}\n"
            + house.log()[-2000:]))

    def test_takes_what_is_there_at_start_and_what_comes(self):
        house = self.house(start=False)
        house.drop("in/early", "a", via_rename=False)
        house.start()
        house.drop("in/moved", "b")
        house.drop("in/written", "c", via_rename=False)
        self.done(house, "early", "moved", "written")

    def test_default_ignores_and_match_without_case(self):
        house = self.house(", match: ['*.PDF', 'b*.txt']")
        for name in ["a.pdf", "B1.TXT", "c.txt", ".hidden.pdf", "d.pdf.part", "~$e.pdf"]:
            house.drop("in/" + name, name, via_rename=False)
        self.done(house, "a.pdf", "B1.TXT")
        self.assertEqual(house.run("why", house / "in/c.txt", "-c", "musher.yml", "--json")
                         .stdout.count('"unmatched"'), 1)
        self.assertTrue(os.path.exists(house / "in/c.txt"))

    def test_case_sensitive(self):
        house = self.house(", match: '*.pdf', case_sensitive: true")
        house.drop("in/a.PDF", "a")
        house.drop("in/b.pdf", "b")
        self.done(house, "b.pdf")
        self.assertTrue(os.path.exists(house / "in/a.PDF"))

    def test_unmatched_fail_writes_a_report(self):
        house = self.house(", match: '*.pdf', unmatched: fail")
        house.drop("in/a.txt", "a")
        self.done(house, "a.txt", "a.txt.report.json", folder="in/failed")
        report = self.report(house, "a.txt")
        self.assertEqual(report["error"]["code"], "usage")
        event = report["job"]["event"]
        self.assertEqual(event["facts"]["name"], "a.txt")
        self.assert_told_when(event)

    def assert_told_when(self, event):
        self.assertEqual(event["source"], "hot")
        self.assertEqual(event["time"][:10], time.strftime("%Y-%m-%d", time.gmtime()))
        self.assertEqual(event["facts"]["date"], event["time"][:10])

    def report(self, house, name):
        """The contract's {error: Error, job: Job, story} beside a failed original."""
        with open(house / f"in/failed/{name}.report.json") as file:
            report = json.load(file)
        self.assertLessEqual({"code", "message", "hint", "context", "step", "attempt", "time"},
                             set(report["error"]))
        self.assertLessEqual({"v", "id", "pipeline", "queue", "revision", "priority", "key",
                              "dedupe", "state", "attempt", "created", "due", "event", "body",
                              "receipts", "error"}, set(report["job"]))
        self.assertTrue(report["story"])
        return report

    def why(self, house, name):
        return house.ask("/api/v1/why?path=" + house / name)[1]

    def test_recursive_with_folders_that_appear_full(self):
        house = self.house(", recursive: true")
        os.makedirs(house / "outside/x/y")
        for name in ["1", "x/2", "x/y/3"]:
            house.drop("outside/" + name, name, via_rename=False)
        os.rename(house / "outside", house / "in/moved")
        for index in range(50):  # folder and file at once: the race of a new watch
            house.drop(f"in/d{index}/deep/f", "x", via_rename=False)
        wanted = ["moved/1", "moved/x/2", "moved/x/y/3"] + [f"d{i}/deep/f" for i in range(50)]
        self.done(house, *wanted)
        until(lambda: os.listdir(house / "in/.musher/work") == [])

    def test_raw_names(self):
        house = self.house()
        names = [b"new\nline", b"-rf", b"bad\xff\xfe", "файл с пробелом".encode(), b"x" * 255,
                 b"per%41cent", b"a.b.c"]
        for name in names:
            path = os.path.join(os.fsencode(house / "in"), name)
            with open(path, "wb") as file:
                file.write(name)
        folder = os.fsencode(house / "in/done")
        until(lambda: os.path.isdir(folder) and sorted(os.listdir(folder)) == sorted(names),
              what=lambda: house.log()[-2000:])
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                self.assertEqual(file.read(), name)

    def test_a_slow_writer_is_waited_for(self):
        house = self.house()
        with open(house / "in/slow", "w") as file:
            file.write("first half ")
            file.flush()
            # Several settle times long it is quiet, but open.
            until(lambda: '"writing"' in house.run("why", house / "in/slow", "-c", "musher.yml",
                                                   "--json").stdout)
            until(lambda: house.counts("hot")["source"]["stuck"] == 1)
            file.write("second half")
        self.done(house, "slow")
        with open(house / "in/done/slow") as file:
            self.assertEqual(file.read(), "first half second half")

    def test_marker_and_min_size(self):
        house = self.house(", marker: '{name}.ok', min_size: 3")
        house.drop("in/a", "long enough")
        house.drop("in/b", "x")
        house.drop("in/b.ok", "")
        why = lambda name: house.ask("/api/v1/why?path=" + house / f"in/{name}")[1]["reason"]
        until(lambda: why("a") == "marker_missing")
        until(lambda: why("b") == "too_small")
        house.drop("in/a.ok", "")
        self.done(house, "a")
        until(lambda: not os.path.exists(house / "in/a.ok"))

    def test_a_marker_of_a_stem_goes_with_its_last_file(self):
        house = self.house(", marker: '{stem}.ok', match: ['*.pdf', '*.xml', '*.no']",
                           head="when: event.ext ~= 'no'\n")
        for round in range(2):
            for name in ("a.pdf", "a.xml", "a.no", "a.txt", "b.pdf", "b.xml"):
                house.drop("in/" + name, name)
            until(lambda: self.why(house, "in/b.xml")["reason"] == "marker_missing")
            house.drop("in/a.ok", "")
            wanted = ["a.pdf", "a.xml"] + ["a-2.pdf", "a-2.xml"] * round
            self.done(house, *wanted)
            until(lambda: not os.path.exists(house / "in/a.ok"))
            until(lambda: sorted(os.listdir(house / "in")) ==
                  [".musher", "a.no", "a.txt", "b.pdf", "b.xml", "done"])

    def test_claim_none_leaves_files_and_does_not_repeat_them(self):
        house = self.house(", claim: none, done: leave")
        house.drop("in/a", "1")
        until(lambda: house.counts("hot")["done"] == 1)
        self.assertEqual(files_in(house / "in"), ["a"])
        self.assertEqual(house.stop(), 0)
        house.drop("in/b", "2")
        house.start()
        until(lambda: house.counts("hot")["done"] == 2)
        house.drop("in/a", "changed")
        until(lambda: house.counts("hot")["done"] == 3)
        self.assertEqual(files_in(house / "in"), ["a", "b"])

    def test_a_file_replaced_while_its_job_runs_is_a_new_file(self):
        for options in (", claim: none, done: delete", ", claim: none"):
            with self.subTest(options):
                house = self.house(options, "limits: { parallel: 1, attempts: 1 }\nsteps:\n" +
                                   GATE + "  - directory: { to: {house}/out }\n")
                house.drop("in/a", "version 1")
                until(lambda: house.counts("hot")["running"] == 1)
                house.drop("in/a", "version 2")
                until(lambda: house.counts("hot")["waiting"] == 1)
                house.open_gate()
                until(lambda: not os.path.exists(house / "in/a"))
                until(lambda: house.counts("hot")["done"] == 1)
                # Version 1 is lost, and nobody may take version 2 for it.
                dead = house.get("jobs?state=dead")["items"]
                self.assertEqual([job["error"]["code"] for job in dead], ["conflict"])
                self.assertIn(hashlib.sha256(b"version 2").hexdigest(),
                              [digest(house / f"out/{f}") for f in files_in(house / "out")])
                if "delete" not in options:
                    self.assertEqual(digest(house / "in/done/a"),
                                     hashlib.sha256(b"version 2").hexdigest())

    def test_one_original_that_cannot_be_put_away_stops_no_other(self):
        house = self.house(", recursive: true", start=False)
        os.makedirs(house / "in/done")
        os.symlink("/nowhere/sub", house / "in/done/sub")
        house.start()
        house.drop("in/sub/a", "1")
        until(lambda: house.counts("hot")["problem"])
        house.drop("in/b", "2")
        self.done(house, "b", "sub")
        self.assertEqual(house.ask("/health")[0], 503)
        os.unlink(house / "in/done/sub")
        self.done(house, "b", "sub/a")
        until(lambda: house.ask("/health")[0] == 200)

    def test_a_key_that_is_nil_is_none(self):
        house = self.house(head="key: \"${get(event, 'batch')}\"\n", rest="steps:\n" + GATE)
        house.drop("in/a", "1")
        house.drop("in/b", "2")
        until(lambda: house.counts("hot")["running"] == 2)
        with open(house / "by-hand", "w") as file:
            file.write("3")
        for _ in range(2):
            house.run("emit", "hot", "--file", house / "by-hand", "--set", "batch=null-ish")
        until(lambda: house.counts("hot")["running"] == 3)
        until(lambda: house.counts("hot")["waiting"] == 1)
        house.open_gate()
        until(lambda: house.counts("hot")["done"] == 4)

    def test_duplicates_leave_a_trace(self):
        house = self.house(head="dedupe: event.size\n",
                           rest="steps:\n" + GATE)
        house.drop("in/a", "12")
        until(lambda: house.counts("hot")["running"] == 1)
        house.drop("in/b", "34")
        self.done(house, "b")
        self.assertEqual(house.counts("hot")["source"]["duplicates"], 1)
        self.assertRegex(house.log(), r"hotfolder\.duplicate .*in/b")
        house.open_gate()
        self.done(house, "a", "b")

    def test_a_duplicate_is_not_deleted(self):
        house = self.house(", done: delete", head="dedupe: event.size\n",
                           rest="steps:\n" + GATE)
        house.drop("in/a", "12")
        until(lambda: house.counts("hot")["running"] == 1)
        sha = house.drop("in/b", "34")
        self.done(house, "b", "b.report.json", folder="in/failed")
        self.assertEqual(digest(house / "in/failed/b"), sha)
        report = self.report(house, "b")
        self.assertEqual(report["error"]["code"], "conflict")
        self.assert_told_when(report["job"]["event"])
        house.open_gate()
        until(lambda: house.counts("hot")["done"] == 1)

    ALARM = ("limits: { attempts: 1 }\nsteps:\n  - exec: { argv: [/bin/false] }\non_failure:\n" +
             GATE + "  - checksum: {}\n"
             "  - directory: { to: {house}/kept }\n")

    def test_on_failure_reads_the_body(self):
        house = self.house(rest=self.ALARM)
        sha = house.drop("in/a", "what failed")
        until(lambda: house.counts("hot")["dead"] == 1 and house.counts("hot")["running"] == 1)
        self.assertEqual(files_in(house / "in"), [], "on_failure works with it")
        self.assertEqual(self.why(house, "in/a")["state"], "dead")
        house.kill()
        house.start()
        until(lambda: house.counts("hot")["running"] == 1)
        self.assertEqual(files_in(house / "in"), [], "and after a crash it still does")
        house.open_gate()
        self.done(house, "a", "a.report.json", folder="in/failed")
        self.assertEqual(digest(house / "kept/a"), sha)
        self.assertEqual(self.report(house, "a")["job"]["state"], "dead")
        self.assertEqual(house.stop(), 0)

    def test_an_alarm_that_is_cancelled_lets_the_original_go(self):
        house = self.house(rest=self.ALARM)
        house.drop("in/a", "what failed")
        until(lambda: house.counts("hot")["dead"] == 1 and house.counts("hot")["running"] == 1)
        alarm = house.get("jobs?state=running")["items"][0]["id"]
        self.assertEqual(house.ask(f"/api/v1/jobs/{alarm}/cancel", "POST")[0], 200)
        self.done(house, "a", "a.report.json", folder="in/failed")
        self.assertNotEqual(self.report(house, "a")["job"]["id"], alarm)

    def test_done_delete(self):
        house = self.house(", done: delete")
        house.drop("in/a", "1")
        until(lambda: house.counts("hot")["done"] == 1)
        until(lambda: files_in(house / "in") == [])
        self.assertEqual(os.listdir(house / "in/.musher/work"), [])

    def test_folders_of_done_and_failed_elsewhere(self):
        house = self.house(", done: {house}/over/done, failed: {house}/over/failed",
                           "limits: { attempts: 1 }\nsteps:\n  - exec: { argv: ['/usr/bin/test', "
                           "'${event.name}', '=', 'good'] }\n")
        house.drop("in/good", "1")
        house.drop("in/bad", "2")
        self.done(house, "good", folder="over/done")
        self.done(house, "bad", "bad.report.json", folder="over/failed")

    def test_collisions(self):
        for policy, done in (("number", ["a", "a-2"]), ("replace", ["a"]), ("fail", ["a"])):
            with self.subTest(policy):
                house = self.house(f", collision: {policy}")
                house.drop("in/a", "1")
                self.done(house, "a")
                house.drop("in/a", "2")
                until(lambda: house.counts("hot")["done"] == 2)
                if policy == "fail":
                    self.done(house, "a", "a.report.json", folder="in/failed")
                    report = self.report(house, "a")
                    self.assertEqual(report["error"]["code"], "conflict")
                    self.assertEqual(report["job"]["state"], "done")
                    until(lambda: "in/failed/a" in self.why(house, "in/a")["detail"])
                self.done(house, *done)
                until(lambda: os.listdir(house / "in/.musher/work") == [])

    def test_another_link_of_the_file_that_it_replaces(self):
        house = self.house(", collision: replace")
        house.drop("in/a", "1")
        self.done(house, "a")
        os.link(house / "in/done/a", house / "in/a")
        until(lambda: house.counts("hot")["done"] == 2)
        until(lambda: os.listdir(house / "in/.musher/work") == [])
        self.done(house, "a")

    def test_a_failed_file_is_replayed_from_its_place(self):
        for claim in ("rename", "none"):
            with self.subTest(claim):
                house = self.house(f", claim: {claim}", "limits: { attempts: 1 }\nsteps:\n"
                                   "  - exec: { argv: ['/bin/cat', '{house}/wanted'] }\n"
                                   "  - directory: { to: {house}/out }\n")
                house.drop("in/a", "1")
                self.done(house, "a", "a.report.json", folder="in/failed")
                job = house.get("jobs?state=dead")["items"][0]["id"]
                house.drop("wanted", "open")
                self.assertEqual(house.ask(f"/api/v1/jobs/{job}/replay", "POST")[0], 200)
                self.done(house, "a")
                self.assertEqual(files_in(house / "in/failed"), [])
                self.assertEqual(files_in(house / "out"), ["a"])

    def test_a_file_is_replayed_at_the_moment_it_fails(self):
        names = [f"{number:03}" for number in range(100)]
        for claim in ("rename", "none"):
            with self.subTest(claim):
                once = "'test -d \"$0\" || { mkdir \"$0\"; exit 1; }'"
                house = self.house(
                    f", claim: {claim}", "limits: { attempts: 1 }\nsteps:\n"
                    f"  - exec: {{ argv: [/bin/sh, -c, {once}, "
                    "'{house}/tried-${event.name}'] }\n  - directory: { to: {house}/out }\n")
                for name in names:
                    house.drop(f"in/{name}", name)
                replayed = set()

                def all_replayed():
                    for item in house.get("jobs?state=dead&limit=1000")["items"]:
                        if item["id"] in replayed:
                            self.fail(item["error"])
                        status, answer = house.ask(f"/api/v1/jobs/{item['id']}/replay", "POST")
                        self.assertEqual(status, 200, answer)
                        replayed.add(item["id"])
                    return len(replayed) == len(names)

                until(all_replayed, 60)
                until(lambda: files_in(house / "out") == names, 60)
                until(lambda: files_in(house / "in/done") == names)
                self.assertEqual(files_in(house / "in/failed"), [])

    def test_a_cancelled_file_that_stays_in_its_place_is_replayed(self):
        house = self.house(", claim: none, done: leave",
                           "steps:\n" + GATE + "  - directory: { to: {house}/out }\n")
        house.drop("in/a", "1")
        until(lambda: house.counts("hot")["running"] == 1)
        job = house.get("jobs?state=running")["items"][0]["id"]
        self.assertEqual(house.ask(f"/api/v1/jobs/{job}/cancel", "POST")[0], 200)
        self.done(house, "a", "a.report.json", folder="in/failed")
        house.open_gate()
        self.assertEqual(house.ask(f"/api/v1/jobs/{job}/replay", "POST")[0], 200)
        self.done(house, "a", folder="out")
        until(lambda: house.counts("hot")["running"] == 0)
        self.assertEqual(files_in(house / "in"), ["a"])
        self.assertEqual(house.get("jobs?state=done")["items"][0]["id"], job)

    def test_when_is_false_the_file_stays(self):
        house = self.house(head="when: event.size > 3\n")
        house.drop("in/small", "1")
        house.drop("in/large", "12345")
        self.done(house, "large")
        until(lambda: files_in(house / "in") == ["done/large", "small"])
        with open(house / "in/small", "a") as file:
            file.write("23456")
        self.done(house, "large", "small")

    def test_unit_folder(self):
        house = self.house(", unit: folder",
                           "steps:\n  - exec: { argv: ['/bin/ls', '${event.path}'] }\n")
        house.drop("in/loose", "no folder")
        os.makedirs(house / "in/job/inner")
        house.drop("in/job/1", "1", via_rename=False)
        house.drop("in/job/inner/2", "2", via_rename=False)
        self.done(house, "job/1", "job/inner/2")
        self.assertEqual(files_in(house / "in"), ["done/job/1", "done/job/inner/2", "loose"])
        self.assertIn("unit: folder", self.why(house, "in/loose")["detail"])
        inner = self.why(house, "in/job/inner/2")
        self.assertEqual(inner["state"], "done")
        self.assertIn("belongs to the folder", inner["detail"])

    def test_exec_makes_a_file_of_a_folder(self):
        house = self.house(", unit: folder",
                           "steps:\n"
                           "  - exec: { argv: [/bin/tar, -cC, '${event.path}', .], stdout: body }\n"
                           "  - checksum\n"
                           "  - directory: { to: {house}/out, name: '${body.sha256}.tar' }\n")
        os.makedirs(house / "in/job")
        house.drop("in/job/1", "1", via_rename=False)
        self.done(house, "job/1")
        [name] = files_in(house / "out")
        self.assertEqual(name, digest(house / f"out/{name}") + ".tar")

    def test_a_folder_is_quiet_when_all_below_it_is(self):
        house = self.house(", unit: folder",
                           "steps:\n  - exec: { argv: ['/bin/ls', '${event.path}'] }\n",
                           start=False)
        house.write_pipeline("hot", pipeline(", unit: folder").replace("100ms", "1s"))
        house.start()
        os.makedirs(house / "in/job/deep")
        for index in range(12):  # three times as long as `settle`
            house.drop(f"in/job/deep/{index}", "x", via_rename=False)
            select.select([], [], [], 0.25)
        self.done(house, *[f"job/deep/{index}" for index in range(12)])

    def test_done_that_leads_back_is_refused(self):
        house = self.house(start=False)
        os.symlink(house / "in", house / "in/done")
        for words, code in ((["check"], 0), (["check", "--live"], 1)):
            checked = house.run(*words)
            self.assertIn("leads back", checked.stderr)
            self.assertEqual(checked.returncode, code, checked.stderr)
        house.start()
        until(lambda: "leads back" in house.counts("hot")["source"]["detail"])
        os.unlink(house / "in/done")
        house.drop("in/a", "1")
        self.done(house, "a")

    def test_what_is_put_aside_by_another_way_into_the_folder_stays_there(self):
        ls = "steps:\n  - exec: { argv: ['/bin/ls', '${event.path}'] }\n"
        for options, rest, aside in (
                (", recursive: true, done: {house}/real/out/far", LOG, "out/far"),
                (", unit: folder, done: {house}/real/out", ls, "out"),
                (", unit: folder, done: deep/out", ls, "deep")):
            with self.subTest(options):
                house = self.house(start=False)
                os.rename(house / "in", house / "real")
                os.symlink("real", house / "in")
                house.write_pipeline("hot", pipeline(", rescan: 1s" + options, rest))
                house.drop("real/sub/a", "1", via_rename=False)
                house.start()
                until(lambda: house.counts("hot")["done"] == 1)
                house.drop("new/b", "2")
                os.rename(house / "new", house / "real/new")
                until(lambda: house.counts("hot")["done"] == 2)
                select.select([], [], [], 1.5)  # a safety scan later
                self.assertEqual(house.counts("hot")["done"], 2, files_in(house / "real"))
                self.assertIn("own folder", self.why(house, "in/" + aside)["detail"])

    def test_order_by_name_and_age(self):
        for order, expected in (("name", ["a", "b", "c"]), ("oldest", ["c", "a", "b"])):
            with self.subTest(order):
                house = self.house(
                    f", order: {order}",
                    "limits: { parallel: 1 }\nsteps:\n  - log: \"saw ${event.name}\"\n",
                    start=False)
                for age, name in ((200, "a"), (100, "b"), (300, "c")):
                    house.drop("in/" + name, name)
                    os.utime(house / f"in/{name}", (1_700_000_000 - age,) * 2)
                house.start()
                self.done(house, "a", "b", "c")
                seen = [line.rsplit("saw ", 1)[1][0] for line in house.log().splitlines()
                        if "saw " in line]
                self.assertEqual(seen, expected)

    def test_polling_finds_the_same(self):
        house = self.house(", watch: poll, poll: 200ms, recursive: true")
        until(lambda: house.counts("hot")["source"].get("watch") == "poll")
        house.drop("in/a", "1")
        house.drop("in/sub/b", "2", via_rename=False)
        self.done(house, "a", "sub/b")

    def test_a_missing_folder_is_waited_for(self):
        house = House({"hot": pipeline("")})
        self.addCleanup(house.__exit__, None)
        house.folder("in")
        house.start()
        shutil.move(house / "in", house / "elsewhere")
        until(lambda: not house.counts("hot")["source"]["ok"])
        self.assertEqual(house.ask("/health")[0], 503)
        house.folder("in")
        house.drop("in/a", "1")
        self.done(house, "a")
        until(lambda: house.ask("/health")[0] == 200)

    def test_symlinks_and_fifos_are_left_alone(self):
        house = self.house()
        house.drop("target", "secret")
        os.symlink(house / "target", house / "in/link")
        os.mkfifo(house / "in/fifo")
        house.drop("in/a", "1")
        self.done(house, "a")
        os.mkdir(house / "in/sub")
        for name, word in (("link", "symlink"), ("fifo", "neither"), ("sub", "recursive")):
            answer = self.why(house, "in/" + name)
            self.assertEqual(answer["state"], "ignored", name)
            self.assertIn(word, answer["detail"])
        self.assertIn("watched folder itself", self.why(house, "in")["detail"])
        self.assertTrue(os.path.islink(house / "in/link"))
        self.assertEqual(digest(house / "target"), digest(house / "in/link"))

    def test_pause_keeps_files_where_they_are(self):
        house = self.house()
        self.assertEqual(house.run("jobs", "pause", "hot", "-c", "musher.yml").returncode, 0)
        house.drop("in/a", "1")
        reason = lambda: house.ask("/api/v1/why?path=" + house / "in/a")[1]["reason"]
        until(lambda: reason() == "paused")
        self.assertIn("jobs resume hot", self.why(house, "in/a")["detail"])
        self.assertEqual(files_in(house / "in"), ["a"])
        self.assertEqual(house.run("jobs", "resume", "hot", "-c", "musher.yml").returncode, 0)
        self.done(house, "a")

    def test_two_pipelines_share_a_folder(self):
        house = House({
            "pdf": pipeline(", match: '*.pdf', done: done-pdf, failed: failed-pdf"),
            "xml": pipeline(", match: '*.xml', done: done-xml, failed: failed-xml")})
        self.addCleanup(house.__exit__, None)
        house.folder("in")
        house.start()
        house.drop("in/a.pdf", "1")
        house.drop("in/b.xml", "2")
        self.done(house, "a.pdf", folder="in/done-pdf")
        self.done(house, "b.xml", folder="in/done-xml")

    def test_its_own_output_does_not_go_round_for_ever(self):
        house = House({
            "a": "version: 1\nsource: { hotfolder: { path: {house}/one, settle: 0s } }\n"
                 "steps:\n  - directory: { to: '${vars.two}' }\n",
            "b": "version: 1\nsource: { hotfolder: { path: {house}/two, settle: 0s } }\n"
                 "steps:\n  - directory: { to: '${vars.one}' }\n",
        }, extra="vars: { one: '{house}/one', two: '{house}/two' }\n")
        self.addCleanup(house.__exit__, None)
        house.folder("one")
        house.folder("two")
        house.start()
        house.drop("one/f", "round and round")
        until(lambda: files_in(house / "one/failed") + files_in(house / "two/failed"))
        report = house.get("jobs?state=dead")["items"]
        self.assertEqual(len(report), 1)
        self.assertEqual(report[0]["error"]["code"], "loop")


@unittest.skipUnless(os.geteuid() == 0, "needs root to be other users")
class OtherUsersTest(unittest.TestCase):
    """musher as nobody, files dropped by another uid."""

    UPLOADER, MUSHER = 4002, 65534

    def start(self, lease):
        house = House({"hot": pipeline("")})
        self.addCleanup(house.__exit__, None)
        house.folder("in", 0o777)
        for base, folders, names in os.walk(house.path):
            for path in [base] + [os.path.join(base, name) for name in folders + names]:
                os.chown(path, self.MUSHER, self.MUSHER)
        os.chmod(house.path, 0o755)
        flags = ["--inh-caps=+lease", "--ambient-caps=+lease"] if lease else ["--inh-caps=-all"]
        house.start(wrapper=["setpriv", "--reuid", str(self.MUSHER), "--regid", str(self.MUSHER),
                             "--clear-groups", *flags])
        return house

    def upload(self, house, name):
        script = f"echo hello > '{house / name}'"
        subprocess.run(["setpriv", "--reuid", str(self.UPLOADER), "--regid", str(self.UPLOADER),
                        "--clear-groups", "sh", "-c", script], check=True)

    def test_with_cap_lease_it_is_quick(self):
        house = self.start(lease=True)
        self.upload(house, "in/a")
        until(lambda: files_in(house / "in/done") == ["a"], 5)

    def test_without_it_a_longer_quiet_must_do(self):
        house = self.start(lease=False)
        self.upload(house, "in/a")
        answer = lambda: house.ask("/api/v1/why?path=" + house / "in/a")[1]
        until(lambda: "lease" in answer()["detail"])
        until(lambda: files_in(house / "in/done") == ["a"], 30)


if __name__ == "__main__":
    unittest.main(verbosity=2)
