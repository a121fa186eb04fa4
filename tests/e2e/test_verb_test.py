"""musher test: what it runs, what it says, what it leaves, and its exit codes."""

import glob
import json
import os
import stat
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree as xml

from house import MUSHER, ROOT, SLOW

PIPELINE = """version: 1
source: { hotfolder: { path: /srv/in, match: "*.pdf" } }
steps:
  - seal: { key: !file /nowhere/key }
    when: event.size > 100
  - directory: { to: out, name: "${event.name}.sealed" }
on_failure:
  - http_post: { url: !env NOBODY_SETS_THIS, json: { text: "${job.error}" } }
limits: { attempts: 2, backoff: 1h }
tests:
  - name: a pdf <is> kept & "sealed"
    given: { event: { name: a.pdf, size: 1000 } }
    expect: { file: done, receipts: [ { sink: directory, to: out, name: a.pdf.sealed } ] }
  - name: an alarm is sent
    simulate: { directory: { fails: no space } }
    expect: { outcome: dead, receipts: [ { sink: http_post, json: { text: no space } } ] }
"""
WRONG = """  - name: wrong
    given: { event: { name: b.pdf } }
    expect:
      receipts: [ { sink: directory, name: b.pdf.gz } ]
"""
GOLDEN = """  - name: all of it
    given: { event: { name: a.pdf, size: 5 }, content: "hello" }
    golden: golden/all.txt
"""


class TestVerbTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="musher-tests-", dir="/tmp")
        self.addCleanup(self.place.cleanup)
        self.folder = self.place.name

    def write(self, text, name="kept.yml"):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def musher(self, *words, **more):
        environment = dict(os.environ, TMPDIR=self.folder, MUSHER_CONFIG="/nonexistent/musher.yml")
        return subprocess.run([MUSHER, "test", *words], capture_output=True, text=True, timeout=60,
                              cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, **more)

    def test_all_pass(self):
        self.write(PIPELINE)
        told = self.musher("kept.yml")
        self.assertEqual((told.returncode, told.stderr), (0, ""), told.stdout)
        self.assertRegex(told.stdout, r'^ok     kept: a pdf <is> kept & "sealed"\n'
                                      r"ok     kept: an alarm is sent\n2 passed, 0 failed \(\d+ ms\)\n$")
        self.assertEqual(os.listdir(self.folder), ["kept.yml"], "something is left behind")

    def test_one_fails(self):
        self.write(PIPELINE + WRONG)
        told = self.musher("kept.yml")
        self.assertEqual((told.returncode, told.stderr), (1, ""))
        self.assertIn("""FAILED kept: wrong
  kept.yml:20:17: `receipts` differ: 1 expected, 1 came
      - sink: directory
    -   name: b.pdf.gz
    +   name: b.pdf.sealed
  what happened:
""", told.stdout)
        self.assertIn("\n2 passed, 1 failed (", told.stdout)

    def test_json(self):
        self.write(PIPELINE + WRONG)
        told = self.musher("kept.yml", "--json")
        document = json.loads(told.stdout)
        self.assertEqual((told.returncode, document["ok"], document["passed"], document["failed"]),
                         (1, False, 2, 1))
        wrong = document["tests"][2]
        self.assertEqual((wrong["name"], wrong["line"], wrong["outcome"], wrong["attempts"]),
                         ("wrong", 17, "done", 1))
        self.assertEqual(wrong["receipts"], [{"sink": "directory", "to": "out",
                                              "name": "b.pdf.sealed"}])
        self.assertEqual([(one["file"], one["line"]) for one in wrong["failures"]],
                         [("kept.yml", 20)])

    def test_junit_into_what_is_no_file(self):
        """A link leads to its file, and a device stays one."""
        self.write(PIPELINE)
        kept, link, pipe = (os.path.join(self.folder, name) for name in ("kept", "link", "pipe"))
        open(kept, "w").close()
        os.symlink("kept", link)
        self.assertEqual(self.musher(".", "--junit", "link").returncode, 0)
        self.assertTrue(os.path.islink(link))
        self.assertEqual(xml.parse(kept).getroot().tag, "testsuites")
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.assertEqual(self.musher(".", "--junit", "pipe").returncode, 0)
        self.assertIn(b"<testsuites", os.read(reader, 1 << 16))
        os.close(reader)
        self.assertTrue(stat.S_ISFIFO(os.lstat(pipe).st_mode))
        with open("/dev/full", "w") as full:
            number = full.fileno()
            told = self.musher(".", "--junit", f"/proc/self/fd/{number}", pass_fds=(number,))
        self.assertEqual(told.returncode, 5, told.stderr)
        self.assertIn("No space left on device", told.stderr)

    def test_junit(self):
        self.write(PIPELINE + WRONG + '  - name: lost\n    given: { file: lost.pdf }\n    expect: {}\n')
        self.write(PIPELINE.replace("/srv/in", "/srv/other"), "second.yml")
        told = self.musher(".", "--junit", "results.xml")
        self.assertEqual(told.returncode, 1)
        root = xml.parse(os.path.join(self.folder, "results.xml")).getroot()
        self.assertEqual(root.tag, "testsuites")
        counts = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
        self.assertEqual(counts, {"tests": "6", "failures": "1", "errors": "1", "skipped": "0"})
        self.assertGreaterEqual(float(root.get("time")), 0)
        suites = root.findall("testsuite")
        self.assertEqual([(suite.get("name"), suite.get("tests"), suite.get("file"))
                          for suite in suites],
                         [("kept", "4", "kept.yml"), ("second", "2", "second.yml")])
        cases = suites[0].findall("testcase")
        self.assertEqual(cases[0].get("name"), 'a pdf <is> kept & "sealed"')
        self.assertEqual([case.get("classname") for case in cases], ["kept"] * 4)
        self.assertEqual([case.get("line") for case in cases], ["11", "14", "17", "21"])
        for case in root.iter("testcase"):
            self.assertRegex(case.get("time"), r"^\d+\.\d{3}$")
        self.assertIn("+   name: b.pdf.sealed", cases[2].find("failure").text)
        self.assertIn("`receipts` differ", cases[2].find("failure").get("message"))
        self.assertIn("lost.pdf", cases[3].find("error").get("message"))

    def test_golden_files(self):
        self.write(PIPELINE + GOLDEN)
        os.mkdir(os.path.join(self.folder, "golden"))
        told = self.musher("kept.yml")
        self.assertEqual(told.returncode, 1)
        self.assertIn("kept.yml:19:13: golden/all.txt is not there; musher test --update writes it",
                      told.stdout)
        told = self.musher("kept.yml", "--update")
        self.assertEqual(told.returncode, 0, told.stdout)
        self.assertIn("\nwrote golden/all.txt\n", told.stdout)
        path = os.path.join(self.folder, "golden/all.txt")
        with open(path) as file:
            golden = file.read()
        self.assertEqual(golden, """outcome: done
file: done
did:
- sink: directory
  content: hello
  name: a.pdf.sealed
  to: out
""")
        for words in ((), ("--update",)):
            told = self.musher("kept.yml", *words)
            self.assertEqual((told.returncode, "wrote" in told.stdout), (0, False))
        with open(path, "w") as file:
            file.write(golden.replace("hello", "bye"))
        told = self.musher("kept.yml")
        self.assertEqual(told.returncode, 1)
        self.assertIn("    -   content: bye\n    +   content: hello\n", told.stdout)
        with open(os.path.join(self.folder, "kept.yml")) as file:
            self.assertEqual(file.read(), PIPELINE + GOLDEN, "the pipeline's file was touched")

    def test_a_golden_file_takes_no_other_file(self):
        text = PIPELINE + GOLDEN.replace("golden/all.txt", "notes.txt")
        self.write(text)
        self.write("outcome of the meeting: none\n", "notes.txt")
        told = self.musher("kept.yml", "--update")
        self.assertEqual(told.returncode, 1)
        self.assertIn("kept.yml:19:13: notes.txt is no golden file, which begins with `outcome: `",
                      told.stdout)
        with open(os.path.join(self.folder, "notes.txt")) as file:
            self.assertEqual(file.read(), "outcome of the meeting: none\n")
        self.write("", "notes.txt")
        told = self.musher("kept.yml", "--update")
        self.assertEqual((told.returncode, "wrote notes.txt\n" in told.stdout), (0, True))
        own = PIPELINE + GOLDEN.replace("golden/all.txt", "./kept.yml")
        self.write(own)
        told = self.musher("kept.yml", "--update")
        self.assertEqual(told.returncode, 2)
        self.assertIn("kept.yml:19:13: error: `golden` names the file of the pipeline `kept`",
                      told.stderr)
        with open(os.path.join(self.folder, "kept.yml")) as file:
            self.assertEqual(file.read(), own)
        second = GOLDEN.replace("all of it", "again").replace("hello", "bye")
        self.write(PIPELINE + GOLDEN + second)
        told = self.musher("kept.yml", "--update")
        self.assertEqual(told.returncode, 2)
        self.assertIn("`golden` names the golden file of the test `all of it`", told.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "golden")))

    def test_filter(self):
        self.write(PIPELINE + WRONG)
        for pattern, count in (("wrong", 1), ("an *", 1), ("kept", 3), ("kept/an*", 1), ("*", 3)):
            told = self.musher("kept.yml", "--filter", pattern, "--json")
            self.assertEqual(len(json.loads(told.stdout)["tests"]), count, pattern)
        told = self.musher("kept.yml", "--filter", "nothing")
        self.assertEqual((told.returncode, told.stdout), (3, ""))
        self.assertIn("error: none of 3 tests is named 'nothing'\nhint: ", told.stderr)

    def test_nothing_to_do(self):
        self.write(PIPELINE[:PIPELINE.index("tests:")])
        told = self.musher("kept.yml")
        self.assertEqual((told.returncode, told.stdout),
                         (0, "no tests: a pipeline file has them under `tests:`\n"))
        self.assertEqual(self.musher("lost.yml").returncode, 3)
        self.assertEqual(self.musher().returncode, 3)

    def test_wrong_files_run_nothing(self):
        self.write(PIPELINE.replace("fails:", "fail:"))
        told = self.musher("kept.yml", "--junit", "results.xml")
        self.assertEqual((told.returncode, told.stdout), (2, ""))
        self.assertIn("kept.yml:15:30: error: an answer has no option `fail`", told.stderr)
        self.assertIn("hint: did you mean `fails`?", told.stderr)
        self.assertEqual(os.listdir(self.folder), ["kept.yml"])

    def test_vars_of_musher_yml(self):
        self.write("version: 1\nstate: /nowhere\nvars: { out: /srv/kept }\n"
                   "environment: { TOKEN: !env NOBODY_SETS_THIS, LEVEL: high }\n", "musher.yml")
        os.mkdir(os.path.join(self.folder, "pipelines"))
        self.write("""version: 1
source: { hotfolder: { path: "${vars.out}/in" } }
steps:
  - directory: { to: "${vars.out}/${env.LEVEL}" }
tests:
  - name: theirs
    expect: { receipts: [ { sink: directory, to: /srv/kept/high } ] }
  - name: ours
    given: { vars: { out: /tmp }, env: { LEVEL: low } }
    expect: { receipts: [ { sink: directory, to: /tmp/low } ] }
""", "pipelines/kept.yml")
        told = self.musher("-c", "musher.yml")
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
        self.assertIn("2 passed", told.stdout)

    def test_a_program_in_earnest(self):
        self.write("""version: 1
source: { hotfolder: { path: /srv/in } }
steps:
  - exec: { argv: [ tr, a-z, A-Z ], stdin: body, stdout: body }
  - directory: { to: /srv/out }
tests:
  - name: capitals
    given: { content: "hello\\n" }
    simulate: { exec: { real: true } }
    expect: { receipts: [ { sink: directory, content: "HELLO\\n" } ] }
""")
        told = self.musher("kept.yml")
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)

    def test_a_hundred_tests_take_a_second(self):
        cases = "".join(f"  - name: test {n}\n    given: {{ event: {{ name: {n}.pdf }} }}\n"
                        "    simulate: { directory: { fails: away, times: 1 } }\n"
                        "    expect: { attempts: 2 }\n" for n in range(98))
        self.write(PIPELINE + cases)
        began = time.monotonic()
        told = self.musher("kept.yml")
        took = time.monotonic() - began
        self.assertEqual(told.returncode, 0, told.stdout)
        self.assertIn("100 passed", told.stdout)
        self.assertLess(took, 3 * SLOW, "it takes a third of this on an idle machine")

    def test_shipped_pipelines_have_tests_that_pass(self):
        files = sorted(glob.glob(os.path.join(ROOT, "etc/pipelines/*.yml")) +
                       glob.glob(os.path.join(ROOT, "pipelines/packs/*/*.yml")))
        self.assertTrue(files)
        for path in files:
            with self.subTest(os.path.relpath(path, ROOT)):
                told = self.musher(path, "--json")
                self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
                self.assertGreaterEqual(json.loads(told.stdout)["passed"], 1, "it has no tests")


if __name__ == "__main__":
    unittest.main(verbosity=2)
