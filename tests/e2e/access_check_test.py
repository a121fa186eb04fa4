"""check, run as the user of the service, names every path that this user may not use."""

import json
import os
import subprocess
import unittest

from house import SLOW, House, files_in

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in, done: {house}/kept } }
steps:
  - http_post: { url: "https://localhost/", ca_file: {house}/ca.pem, json: {} }
  - directory: { to: "{house}/out/${event.date}" }
"""
LOG = "log: { to: {house}/logs/musher.log, tty: {house}/tty }\n"
USER = 4001


@unittest.skipUnless(os.geteuid() == 0, "becomes another user")
class AccessCheckTest(unittest.TestCase):
    def setUp(self):
        self.house = House({"p": PIPELINE}, extra=LOG)
        self.addCleanup(self.house.__exit__, None)
        os.chmod(self.house.path, 0o755)
        for name in ("in", "kept", "out", "logs", "state"):
            self.house.folder(name)
        for name in ("ca.pem", "tty"):
            with open(self.house / name, "w") as file:
                file.write("")
            os.chmod(self.house / name, 0o600)

    def give(self, *names):
        for name in names:
            os.chown(self.house / name, USER, USER)

    def check(self, *words, user=USER):
        before = files_in(self.house.path)
        result = subprocess.run(self.house.command("check", *words), cwd=self.house.path, text=True,
                                capture_output=True, timeout=30 * SLOW, user=user, group=user,
                                extra_groups=[])
        self.assertEqual(files_in(self.house.path), before)
        return result

    def named(self):
        """(file, line, what) of each warning."""
        answer = json.loads(self.check("--json").stdout)
        self.assertTrue(answer["ok"], "another user may well be able to")
        self.assertEqual({(p["code"], p["severity"]) for p in answer["problems"]} -
                         {("no_access", "warning")}, set())
        return [(os.path.basename(p["file"]), p["line"],
                 p["message"].removeprefix(f"user number {USER} cannot ")
                 .removesuffix(": Permission denied").replace(self.house.path + "/", ""))
                for p in answer["problems"]]

    def test_each_path_is_named(self):
        self.assertEqual(sorted(self.named()), sorted([
            ("musher.yml", 0, "write state"), ("musher.yml", 0, "write logs"),
            ("musher.yml", 0, "write tty"), ("p.yml", 2, "rename in in"),
            ("p.yml", 2, "write kept"), ("p.yml", 2, "write in"), ("p.yml", 4, "read ca.pem"),
            ("p.yml", 5, "write out")]))
        text = self.check().stderr
        self.assertRegex(text, rf"p\.yml:2:\d+: warning: user number {USER} cannot rename in \S+:")
        self.assertIn("hint: let that user", text)
        os.chmod(self.house / "in", 0o700)
        self.assertIn(("p.yml", 2, "read in"), self.named())

    def test_nothing_is_named_when_all_is_well(self):
        self.give("in", "kept", "out", "logs", "state", "ca.pem", "tty")
        self.assertEqual(self.named(), [])
        self.assertEqual(self.check().stdout, "ok: 1 pipelines\n")
        self.assertEqual(self.check(user=0).stderr, "")

    def test_a_sticky_folder_refuses_renames(self):
        self.give("kept", "out", "logs", "state", "ca.pem", "tty")
        os.chmod(self.house / "in", 0o1777)
        self.assertEqual(self.named(), [
            ("p.yml", 2, "rename in in: it is sticky, files belong to their owners")])

    def test_what_is_missing_is_judged_by_the_folder_above(self):
        self.give("in", "kept", "logs", "state", "ca.pem", "tty")
        os.rmdir(self.house / "out")
        self.assertEqual(self.named(), [("p.yml", 5, f"write {self.house.path}")])
        self.give(".")
        self.assertEqual(self.named(), [])

    def test_live_says_it_of_files_too(self):
        self.give("in", "kept", "out", "logs", "state", "tty")
        result = self.check("--live")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"p\.yml:4:\d+: warning: user .* cannot read \S+/ca.pem:")


if __name__ == "__main__":
    unittest.main(verbosity=2)
