"""What --help says of musher and of every verb, word for word: tests/golden/help/VERB.txt.

MUSHER_UPDATE_GOLDEN=1 writes the files anew.
"""

import os
import re
import subprocess
import unittest

from house import MUSHER, ROOT

GOLDEN = os.path.join(ROOT, "tests/golden/help")
UPDATE = "MUSHER_UPDATE_GOLDEN" in os.environ


def say(*words):
    return subprocess.run([MUSHER, *words], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, cwd="/",
                          env=dict(os.environ, MUSHER_CONFIG="/nonexistent/musher.yml"))


def verbs_of(text):
    """The names under `Subcommands:`."""
    part = re.search(r"\nSubcommands:\n((?:  .*\n)+)", text)
    return re.findall(r"(?m)^  (\S+)", part[1]) if part else []


def helps():
    """file name → (words, text), groups of verbs included."""
    found = {}
    waiting = [[]]
    while waiting:
        words = waiting.pop()
        text = say(*words, "--help").stdout
        found["-".join(words) or "musher"] = (words, text)
        waiting += [words + [verb] for verb in verbs_of(text)]
    return found


class HelpTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.helps = helps()

    def test_word_for_word(self):
        if UPDATE:
            os.makedirs(GOLDEN, exist_ok=True)
            for name in os.listdir(GOLDEN):
                os.unlink(os.path.join(GOLDEN, name))
            for name, (_, text) in self.helps.items():
                with open(os.path.join(GOLDEN, name + ".txt"), "w") as file:
                    file.write(text)
        self.assertEqual(sorted(os.listdir(GOLDEN)), sorted(f"{name}.txt" for name in self.helps))
        for name, (_, text) in self.helps.items():
            with self.subTest(name), open(os.path.join(GOLDEN, name + ".txt")) as file:
                self.assertEqual(text, file.read())

    def test_every_verb_has_an_example_of_itself(self):
        self.assertIn("jobs-release", self.helps)
        for name, (words, text) in self.helps.items():
            with self.subTest(name):
                examples = text.split("\nExamples:\n")[1]
                self.assertRegex(examples, r"(?m)^  .*\b" + " ".join(["musher", *words]) + r"\b")

    def test_every_example_is_understood(self):
        """As far as the command line goes: no configuration is there to be found."""
        for name, (_, text) in self.helps.items():
            for line in text.split("\nExamples:\n")[1].splitlines():
                command = re.split(r" *(?:#|>|\||&&) *", line)[0].strip()
                words = command[command.rindex("musher "):].split()[1:]
                if words[0] == "VERB" or words == ["run", "-c", "musher.yml"]:
                    continue
                with self.subTest(name, command=command):
                    result = say(*words)
                    self.assertNotRegex(result.stderr, r"(?m)^hint: (see musher .*--help|did you)")

    def test_it_can_be_asked_anywhere(self):
        for words in (["jobs", "list", "--help"], ["jobs", "list", "-h"], ["-h"]):
            result = say(*words)
            self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
