"""What a hot folder says and does when its folder, its files or its queue are in the way."""

import os
import shutil
import subprocess
import unittest

from house import GATE, House, files_in, until

SOURCE = "version: 1\nsource: { hotfolder: { path: {house}/in, settle: 50ms%s } }\n"
TELL = ("steps:\n  - exec: { argv: [/bin/sh, -c, 'echo \"$1\" >> \"$2\"', sh, '${event.name}', "
        "'{house}/told'] }\n")


class HotfolderFaultsTest(unittest.TestCase):
    def house(self, options="", rest="steps:\n  - log: x\n", extra=""):
        house = House({"hot": SOURCE % options + rest}, extra)
        self.addCleanup(house.__exit__, None)
        house.folder("in")
        return house

    def source(self, house):
        return house.counts("hot")["source"]

    def await_watch(self, house):
        """It has opened its folder, and scanned it once."""
        house.drop("in/first", "")
        until(lambda: files_in(house / "in/done") == ["first"])
        until(lambda: self.source(house).get("scanning") is False)

    def why(self, house, name):
        return house.get("why?path=" + house / f"in/{name}")

    def test_a_folder_that_is_removed_is_missed_at_once_and_its_return_is_seen(self):
        house = self.house().start()
        self.await_watch(house)
        shutil.rmtree(house / "in")
        until(lambda: not self.source(house)["ok"], 8)  # unasked, musher scans after 60 s
        self.assertIn(house / "in", self.source(house)["detail"])
        self.assertEqual(house.ask("/health")[0], 503)
        house.folder("in")
        house.drop("in/a", "1")
        until(lambda: files_in(house / "in/done") == ["a"], 12)
        until(lambda: house.ask("/health")[0] == 200, 5)

    @unittest.skipUnless(os.geteuid() == 0, "mounting wants root")
    def test_a_mount_that_goes_away(self):
        house = self.house()
        os.rmdir(house / "in")
        os.symlink("disk/in", house / "in")
        mount = lambda: subprocess.run(["mount", "-t", "tmpfs", "tmpfs", house.folder("disk")],
                                       check=True)
        mount()
        self.addCleanup(subprocess.run, ["umount", "-l", house / "disk"], capture_output=True)
        house.folder("disk/in")
        house.start()
        self.await_watch(house)
        subprocess.run(["umount", "-l", house / "disk"], check=True)
        until(lambda: not self.source(house)["ok"], 8)
        mount()
        house.folder("disk/in")
        house.drop("in/a", "1")
        until(lambda: files_in(house / "in/done") == ["a"], 12)

    def test_a_full_queue_leaves_files_where_they_are(self):
        house = self.house(rest="limits: { waiting: 5, parallel: 1 }\nsteps:\n" + GATE)
        names = [f"{index:03}" for index in range(300)]
        for name in names:
            house.drop("in/" + name, name)
        house.start()
        until(lambda: house.counts("hot")["waiting"] == 5)
        until(lambda: [self.why(house, name)["reason"] for name in files_in(house / "in")[:1]]
              == ["queue_full"])
        # One runs, five wait; what was on its way when that was known is no more than as many.
        self.assertGreaterEqual(len(files_in(house / "in")), 300 - 6 - 3 * 5)
        house.open_gate()
        until(lambda: files_in(house / "in/done") == names, 60, lambda: house.log()[-2000:])

    def test_what_stays_is_done_once_though_the_history_forgets_it(self):
        house = self.house(", claim: none, done: leave, order: name",
                           "limits: { parallel: 1 }\n" + TELL,
                           "history: { jobs: 1 }\n")
        names = ["a", "b", "c", "d"]
        for name in names:
            house.drop("in/" + name, name)
        house.start()
        settled = house / "state/settled/hot"
        until(lambda: os.path.exists(settled) and os.path.getsize(settled) == 16 * len(names))
        house.kill()
        house.start()
        house.drop("in/e", "e")  # by name it comes after all others

        def told():
            with open(house / "told") as file:
                return file.read().split()
        until(lambda: "e" in told())
        self.assertEqual(told(), names + ["e"])
        with open(house / "in/b", "a") as file:
            file.write("changed")
        until(lambda: told() == names + ["e", "b"], what=lambda: str(told()))

    def test_an_original_that_was_exchanged_is_not_read(self):
        house = self.house(", claim: none, done: leave",
                           "limits: { attempts: 1 }\nsteps:\n" + GATE +
                           "  - directory: { to: {house}/out }\n").start()
        house.drop("in/a", "what was taken")
        until(lambda: house.counts("hot")["running"] == 1)
        house.drop("b", "something else")
        os.replace(house / "b", house / "in/a")
        house.open_gate()
        until(lambda: house.counts("hot")["dead"] == 1)
        error = house.get("jobs?state=dead")["items"][0]["error"]
        self.assertEqual(error["code"], "conflict", error)
        self.assertIn("another file", error["message"])

    @unittest.skipUnless(os.geteuid() == 0, "needs root to be another user")
    def test_files_that_may_not_be_taken_are_named(self):
        house = self.house()
        os.chmod(house.path, 0o755)
        for path in [house.path] + [house / name for name in os.listdir(house.path)]:
            os.chown(path, 65534, 65534)
        os.chown(house / "in", 0, 0)
        os.chmod(house / "in", 0o1777)  # sticky: another's file may not be renamed
        house.start(wrapper=["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                             "--inh-caps=-all"])
        for name in ("a", "b"):
            house.drop("in/" + name, name)
        until(lambda: self.source(house).get("refused") == 2, what=lambda: str(self.source(house)))
        row = self.source(house)
        self.assertFalse(row["ok"])
        self.assertRegex(row["detail"], r"^[ab] and 1 more cannot be taken: .*must read it")
        self.assertEqual(self.why(house, "a")["reason"], "permission")
        self.assertIn("hotfolder.refused", house.log())
        os.chmod(house / "in", 0o777)
        until(lambda: files_in(house / "in/done") == ["a", "b"], 30)
        until(lambda: self.source(house)["ok"])

    def test_a_file_whose_claim_would_have_too_long_a_path_is_named(self):
        house = self.house(", recursive: true").start()
        deep = house / "in"
        while len(deep) < 4060:
            deep += "/" + "d" * max(1, min(200, 4059 - len(deep)))
        os.makedirs(deep)
        with open(deep + "/a", "w") as file:
            file.write("1")
        until(lambda: self.source(house).get("refused") == 1, what=lambda: str(self.source(house)))
        row = self.source(house)
        self.assertFalse(row["ok"])
        self.assertIn("its path must leave room", row["detail"])
        self.assertEqual(house.ask("/health")[0], 503)
        why = house.get("why?path=" + deep + "/a")
        self.assertEqual((why["state"], why["reason"]), ("waiting", "permission"))
        self.assertIn("its path must leave room", why["detail"])
        self.assertEqual(files_in(deep), ["a"])
        self.assertEqual(house.counts("hot")["dead"], 0)
        self.await_watch(house)

    def test_no_folder_with_something_in_it_is_replaced(self):
        house = self.house(", unit: folder, collision: replace").start()
        for content in ("one", "two"):
            os.makedirs(house / "J")
            house.drop("J/" + content, content)
            os.rename(house / "J", house / "in/J")
            until(lambda: not os.path.exists(house / "in/J"))
            until(lambda: house.counts("hot")["running"] == 0)
        until(lambda: files_in(house / "in/done/J-2") == ["two"],
              what=lambda: str(self.source(house)))
        self.assertEqual(files_in(house / "in/done/J"), ["one"])
        self.assertTrue(self.source(house)["ok"])

    def test_a_file_where_folders_of_originals_belong(self):
        house = self.house(", recursive: true",
                           "limits: { attempts: 1 }\nsteps:\n"
                           "  - exec: [test, '${event.ext}', '!=', bad]\n").start()
        house.drop("in/a", "1")
        house.drop("in/b.bad", "1")
        until(lambda: files_in(house / "in/done") == ["a"])
        until(lambda: "b.bad" in files_in(house / "in/failed"))
        for name in ("a", "b.bad"):
            os.makedirs(house / f"in/{name}")
        house.drop("in/a/inner", "2")
        house.drop("in/b.bad/in.bad", "2")
        until(lambda: os.path.exists(house / "in/done/a-2/inner"),
              what=lambda: str(self.source(house)))
        until(lambda: os.path.exists(house / "in/failed/b-2.bad/in.bad"))
        self.assertTrue(os.path.exists(house / "in/failed/b-2.bad/in.bad.report.json"))
        self.assertEqual(self.why(house, "b.bad/in.bad")["reason"], "dead")
        dead = [job for job in house.get("jobs?state=dead")["items"]
                if job["event"]["facts"]["name"] == "in.bad"]
        self.assertEqual(house.ask(f"/api/v1/jobs/{dead[0]['id']}/replay", "POST")[0], 200)
        until(lambda: house.counts("hot")["dead"] == 2)
        until(lambda: os.path.exists(house / "in/failed/b-2.bad/in.bad"))

    def test_whole_folders_go_to_no_other_mount(self):
        house = self.house(f", unit: folder, done: /dev/shm/musher-{os.getpid()}")
        if os.stat("/dev/shm").st_dev == os.stat(house / "in").st_dev:
            self.skipTest("/dev/shm is no mount of its own")
        told = house.run("check", "--live")
        self.assertEqual(told.returncode, 1, told.stderr)
        self.assertIn("is not on the mount of", told.stdout + told.stderr)
        house.folder("in/J")
        house.start()
        until(lambda: "is not on the mount of" in str(self.source(house)["detail"]))
        self.assertTrue(os.path.isdir(house / "in/J"))

    def test_a_duplicate_that_stays_is_none_again_after_a_restart(self):
        house = self.house(", claim: none, done: leave, order: name",
                           "dedupe: \"'all'\"\nsteps:\n" + GATE + TELL.split("\n", 1)[1]).start()
        house.drop("in/a", "a")
        until(lambda: house.counts("hot")["running"] == 1)
        house.drop("in/b", "b")
        settled = house / "state/settled/hot"
        until(lambda: os.path.exists(settled) and os.path.getsize(settled) == 16)
        self.assertEqual(self.why(house, "b")["reason"], "done")
        house.open_gate()
        until(lambda: os.path.getsize(settled) == 32)
        house.kill()
        house.start()
        until(lambda: self.source(house).get("scanning") is False)
        with open(house / "told") as file:
            self.assertEqual(file.read().split(), ["a"])

    def test_what_when_refused_in_its_place_is_told_so(self):
        house = self.house(", claim: none, done: leave", "when: event.ext ~= 'no'\n"
                           "steps:\n  - log: x\n").start()
        house.drop("in/a.no", "1")
        house.drop("in/b", "1")
        until(lambda: house.counts("hot")["done"] == 1)
        until(lambda: self.why(house, "a.no")["reason"] == "unmatched",
              what=lambda: str(self.why(house, "a.no")))
        self.assertIn("`when` was false", self.why(house, "a.no")["detail"])
        purged = house.run("jobs", "purge", "hot")
        self.assertEqual(purged.returncode, 0, purged.stderr)
        self.assertEqual(self.why(house, "b")["reason"], "done")


if __name__ == "__main__":
    unittest.main(verbosity=2)
