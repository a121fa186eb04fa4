"""Files of etc/ that no program reads before they are on somebody's machine."""

import glob
import os
import re
import subprocess
import unittest

from house import MUSHER, ROOT


def text_of(path):
    with open(os.path.join(ROOT, path)) as file:
        return file.read()


def shipped_yaml():
    found = []
    for pattern in ("etc/*.yml", "etc/pipelines/*.yml", "pipelines/**/*.yml"):
        found += glob.glob(os.path.join(ROOT, pattern), recursive=True)
    return found


class ShippedFilesTest(unittest.TestCase):
    def test_every_secret_is_listed(self):
        listed = re.findall(r"(?m)^[^#\s]\S*", text_of("etc/secrets.example"))
        used = set()
        for path in shipped_yaml():
            used |= set(re.findall(r"!(?:env|file) +([^\s},]+)", text_of(path)))
        self.assertTrue(used)
        self.assertLessEqual(used, set(listed))
        self.assertEqual(sorted(listed), sorted(set(listed)), "listed twice")
        self.assertLessEqual(set(listed), used, "nothing names it any more")

    def test_manual_pages_have_every_verb_and_option(self):
        pages = {name: subprocess.run([MUSHER, "describe", "--manual", *words], text=True,
                                      check=True, capture_output=True).stdout
                 for name, words in (("musher", []), ("musher.yml", ["musher.yml"]))}
        for path in glob.glob(os.path.join(ROOT, "tests/golden/help/*.txt")):
            verb = re.search(r"(?m)^Usage: musher ?([a-z ]*[a-z])?", text_of(path))[1]
            if verb and "SUBCOMMAND" not in text_of(path):
                self.assertIn(f"\n.SS musher {verb}\n", pages["musher"])
            for option in re.findall(r"(?m)^  (?:-\w,)?--([a-z]+)", text_of(path)):
                self.assertIn("\\-\\-" + option, pages["musher"])
        for option in ("state", "queue.redis", "log.tty", "limits.attempts"):
            self.assertIn(f"\n\\fB{option}\\fR ", pages["musher.yml"])
        for page in pages.values():
            for line in page.splitlines():
                if line.startswith((".", "'")):
                    self.assertRegex(line, r"^\.(TH|SH|SS|PP|TP|nf|fi|RS|RE|BR)\b")

    def test_the_unit_hides_nothing(self):
        unit = re.sub(r"(?m)^[#;].*", "", text_of("etc/systemd/musher.service"))
        for word in ("ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectSystem=strict",
                     "ProtectClock", "DeviceAllow", "DevicePolicy", "InaccessiblePaths",
                     "TemporaryFileSystem", "RootDirectory", "PrivateUsers"):
            self.assertNotIn(word, unit)


if __name__ == "__main__":
    unittest.main(verbosity=2)
