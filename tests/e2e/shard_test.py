"""musher shard and shard_to_ssd: the transcript of the script that they replace, what may go wrong,
and many processes at once."""

import contextlib
import fcntl
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from house import MUSHER, SLOW, until

STRIPPED = {"env": {}}  # as an install hook may call it


class ShardCase(unittest.TestCase):
    """A folder with the lay-out of the original's document: tests/, tests/ssd/, tests/shard2/."""

    def setUp(self):
        self.path = tempfile.mkdtemp(prefix="musher-shard-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.path, ignore_errors=True)
        self.shard = self / "tests/shard2"
        self.ssd = self / "tests/ssd"
        self.lock = self / "tests/shard2.lock"
        os.makedirs(self.ssd)
        self.make_shard(self.shard)
        self.script = self / "shard_to_ssd.py"
        os.symlink(MUSHER, self.script)

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def make_shard(self, path):
        os.makedirs(path + "/index")
        for name, text in (("docs", "a document\n" * 100), ("index/0", ""), ("index/1", "x" * 70000)):
            with open(os.path.join(path, name), "w") as file:
                file.write(text)

    def call(self, *arguments, **more):
        more.setdefault("cwd", self.path)
        return subprocess.run([self.script, *arguments], capture_output=True, text=True,
                              timeout=60 * SLOW, **more)

    def old(self, action, name, shard="tests/shard2", **more):
        return self.call(action, "-l", "tests/", "-s", "tests/ssd", "-i", name, shard, **more)

    def on_terminal(self, action, name, **more):
        reader, terminal = pty.openpty()
        told = subprocess.run([self.script, action, "-l", "tests", "-s", "tests/ssd", "-i", name,
                               "tests/shard2"], cwd=self.path, stderr=terminal, **more)
        os.close(terminal)
        text = ""
        with open(reader, "rb", buffering=0) as file, contextlib.suppress(OSError):  # EIO: its end
            while piece := file.read(65536):
                text += piece.decode()
        self.assertEqual(told.returncode, 0, text)
        return text

    def verb(self, word, *arguments, **more):
        more.setdefault("cwd", self.path)
        return subprocess.run(
            [MUSHER, "shard", word, *arguments, "--lockdir", "tests", "--ssddir", "tests/ssd"],
            capture_output=True, text=True, timeout=60 * SLOW, **more)

    def users(self):
        if not os.path.exists(self.lock):
            return None
        with open(self.lock) as file:
            return file.read()

    def assert_same(self, one, other):
        self.assertEqual(subprocess.run(["diff", "-r", one, other]).returncode, 0)

    def assert_clean(self):
        """Nothing hidden is left behind."""
        for folder in (self / "tests", self.ssd):
            self.assertEqual([n for n in os.listdir(folder) if n.startswith(".")], [])


class TranscriptTest(ShardCase):
    def lines(self, told):
        self.assertEqual((told.returncode, told.stdout), (0, ""))
        first, *middle, last = told.stderr.splitlines()
        self.assertEqual(first, f"INFO:shard_to_ssd:Lock on file {self.lock} acquired")
        self.assertEqual(last, f"INFO:shard_to_ssd:Lock on file {self.lock} released")
        return middle

    def test_the_four_steps(self):
        told = self.old("-c", "instance1", **STRIPPED)
        self.assertEqual(self.lines(told), ["INFO:root:Starting copy shard shard2 to ssd"])
        self.assertEqual(self.users(), "instance1")
        self.assert_same(self.shard, self.ssd + "/shard2")

        told = self.old("-c", "instance2", **STRIPPED)
        self.assertEqual(self.lines(told), ["INFO:root:Shard shard2 is already on ssd"])
        self.assertEqual(self.users(), "instance1\ninstance2")

        told = self.old("-r", "instance1", **STRIPPED)
        self.assertEqual(self.lines(told),
                         ["INFO:root:Some services need shard: shard2 Do nothing."])
        self.assertEqual(self.users(), "instance2")
        self.assert_same(self.shard, self.ssd + "/shard2")

        told = self.old("-r", "instance2", **STRIPPED)
        self.assertEqual(self.lines(told), [
            "INFO:root:I am last user. Removing shard shard2 from tests/ssd"])
        self.assertIsNone(self.users())
        self.assertEqual(os.listdir(self.ssd), [])
        self.assert_clean()

    def test_both_names_long_options_and_slashes(self):
        os.symlink(MUSHER, self / "shard_to_ssd")
        told = subprocess.run([self / "shard_to_ssd", "--copy", "--lockdir=tests", "--ssd", "tests/ssd",
                               "--id", "a", "tests/shard2//"], cwd=self.path, capture_output=True,
                              text=True)
        self.assertEqual(self.lines(told), ["INFO:root:Starting copy shard shard2 to ssd"])
        told = self.call("-rltests", "-stests/ssd", "-ia", "tests/shard2")
        self.assertEqual(self.lines(told), [
            "INFO:root:I am last user. Removing shard shard2 from tests/ssd"])

    def test_the_help_is_the_originals_without_its_slips(self):
        told = self.call("-h")
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertEqual(told.stdout, """\
usage: shard_to_ssd.py [-h] [-c | -r] [-l DIR] [-s DIR] -i NAME SHARD

Manipulate shards on ssd

positional arguments:
  SHARD                 Path to shard

optional arguments:
  -h, --help            show this help message and exit
  -c, --copy            Copy shard on ssd
  -r, --remove          Remove shard from ssd if it is not needed for other
                        services
  -l DIR, --lockdir DIR
                        Directory for placing lock files
  -s DIR, --ssddir DIR  Mountpoint of ssd disk
  -i NAME, --id NAME    Unique id of service
""")

    def test_wrong_arguments_touch_nothing(self):
        full = ["-c", "-l", "tests", "-s", "tests/ssd", "-i", "a", "tests/shard2"]
        for arguments, fault in (
                ([], "the following arguments are required: -i/--id, SHARD, -c/--copy or "
                     "-r/--remove, -l/--lockdir, -s/--ssddir"),
                (full[1:], "the following arguments are required: -c/--copy or -r/--remove"),
                (["-c", *full[3:]], "the following arguments are required: -l/--lockdir"),
                (full[:3] + full[5:], "the following arguments are required: -s/--ssddir"),
                (["-r", *full],
                 "argument -r/--remove: not allowed with argument -c/--copy"),
                ([*full, "more"], "unrecognized arguments: more"),
                ([*full, "--force"], "unrecognized arguments: --force"),
                (["-c", "-l"], "argument -l/--lockdir: expected one argument"),
                (["-c", "-i", "", "x"], "argument -i/--id: it is empty")):
            with self.subTest(arguments):
                told = self.call(*arguments)
                self.assertEqual((told.returncode, told.stdout), (2, ""))
                usage, line = told.stderr.splitlines()
                self.assertEqual(
                    usage, "usage: shard_to_ssd.py [-h] [-c | -r] [-l DIR] [-s DIR] -i NAME SHARD")
                self.assertEqual(line, "shard_to_ssd.py: error: " + fault)
        for shard in ("/", "..", "."):
            self.assertEqual(self.old("-c", "a", shard).returncode, 2)
        self.assertEqual(self.old("-c", "a\nb").returncode, 2)
        self.assertEqual(os.listdir(self.ssd), [])
        self.assertEqual(sorted(os.listdir(self / "tests")), ["shard2", "ssd"])


class UsersTest(ShardCase):
    def test_a_user_counts_once(self):
        for _ in range(3):
            self.assertEqual(self.old("-c", "a").returncode, 0)
        self.assertEqual(self.users(), "a")
        self.assertEqual(self.old("-r", "a").returncode, 0)
        self.assertIsNone(self.users())

    def test_who_is_no_user_changes_nothing(self):
        self.old("-c", "a")
        told = self.old("-r", "b")
        self.assertEqual(told.returncode, 0)
        self.assertIn("WARNING:root:b is no user of shard: shard2 Do nothing.\n", told.stderr)
        self.assertEqual(self.users(), "a")
        self.assertEqual(self.old("-r", "a").returncode, 0)
        told = self.old("-r", "a")
        self.assertEqual(told.returncode, 0)
        self.assertIn("a is no user of shard", told.stderr)
        self.assertIsNone(self.users())
        self.assertIn("nothing was changed", self.verb("remove", "shard2", "--id", "a").stdout)

    def test_what_the_script_left_is_adopted(self):
        shutil.copytree(self.shard, self.ssd + "/shard2")
        with open(self.lock, "w") as file:
            file.write("instance7")
        told = self.old("-c", "instance8")
        self.assertIn("already on ssd", told.stderr)
        self.assertEqual(self.users(), "instance7\ninstance8")
        for user in ("instance7", "instance8"):
            self.assertEqual(self.old("-r", user).returncode, 0)
        self.assertEqual(os.listdir(self.ssd), [])

    def test_what_nobody_is_registered_for_is_compared(self):
        def inode():
            return os.stat(self.ssd + "/shard2").st_ino

        copy = self.ssd + "/shard2"
        shutil.copytree(self.shard, copy)
        os.utime(copy + "/docs")  # the same content
        before = inode()
        for lock in (None, ""):  # none, and the script's that was killed
            if lock is not None:
                with open(self.lock, "w") as file:
                    file.write(lock)
            self.assertIn("already on ssd", self.old("-c", "a").stderr)
            self.assertEqual((inode(), self.users()), (before, "a"))
            self.assertEqual(json.loads(self.verb("list", "--json").stdout)["shards"][0]["source"],
                             self.shard)
            os.unlink(self.lock)  # as /run is at a start of the machine

        def make_half():
            os.unlink(copy + "/index/1")

        def make_old():
            with open(self.shard + "/docs", "r+") as file:
                file.write("ANOTHER")

        def make_more():
            open(copy + "/more", "w").close()

        for change in (make_half, make_old, make_more):
            change()
            told = self.old("-c", "a")
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertIn("Starting copy shard shard2 to ssd", told.stderr)
            self.assert_same(self.shard, copy)
            self.assertEqual(self.users(), "a")
            self.assert_clean()
            os.unlink(self.lock)

        # A source of that name which nobody uses any more gives way when it is a part of the other
        # one, stays when that is the same, and is a conflict when it has more.
        more = self / "tests/more/shard2"
        shutil.copytree(self.shard, more)
        before = inode()
        self.assertIn("already on ssd", self.old("-c", "a", more).stderr)
        self.assertEqual(inode(), before)
        os.unlink(self.lock)
        with open(more + "/news", "w") as file:
            file.write("new")
        self.assertIn("Starting copy", self.old("-c", "a", more).stderr)
        self.assert_same(more, copy)
        os.unlink(self.lock)
        told = self.old("-c", "a")
        self.assertEqual(told.returncode, 1)
        self.assertIn(f"is a copy of {more}, not of {self.shard}", told.stderr)
        os.unlink(more + "/docs")
        self.assertIn("Starting copy", self.old("-c", "a", more).stderr)
        self.assert_same(more, copy)
        self.assertEqual(json.loads(self.verb("list", "--json").stdout)["shards"][0]["source"], more)

    def test_what_is_no_copy_of_anything_stays(self):
        os.makedirs(self.ssd + "/shard2")
        with open(self.ssd + "/shard2/letters", "w") as file:
            file.write("mine")
        told = self.old("-c", "a")
        self.assertEqual(told.returncode, 1, told.stderr)
        self.assertIn("is no copy of", told.stderr)
        self.assertEqual(os.listdir(self.ssd + "/shard2"), ["letters"])
        self.assertIsNone(self.users())
        self.assertEqual(self.verb("copy", self.shard, "--id", "a").returncode, 4)

    def test_what_nobody_uses_stays_where_its_source_cannot_be_read(self):
        os.makedirs(self.ssd + "/shard2/shard2")
        for source in ("tests/none/shard2", "tests/ssd/shard2/shard2"):
            self.assertEqual(self.old("-c", "a", source).returncode, 1)
        self.assertEqual(os.listdir(self.ssd + "/shard2"), ["shard2"])
        self.assertIsNone(self.users())

    def test_verify_reads_what_is_taken_over(self):
        self.verb("copy", "tests/shard2", "--id", "a")
        info = os.stat(self.shard + "/docs")
        with open(self.ssd + "/shard2/docs", "r+") as file:
            file.write("EVIL")
        os.utime(self.ssd + "/shard2/docs", ns=(info.st_atime_ns, info.st_mtime_ns))
        os.unlink(self.lock)
        told = self.verb("copy", "tests/shard2", "--id", "b", "--verify")
        self.assertIn("copied, 3 files", told.stdout)
        self.assert_same(self.shard, self.ssd + "/shard2")

    def test_a_registered_shard_that_the_ssd_lost_is_copied_again(self):
        self.old("-c", "a")
        shutil.rmtree(self.ssd + "/shard2")
        self.assertEqual(json.loads(self.verb("list", "--json").stdout)["shards"][0]["state"],
                         "missing")
        self.assertIn("Starting copy", self.old("-c", "b").stderr)
        self.assertEqual(self.users(), "a\nb")
        self.assert_same(self.shard, self.ssd + "/shard2")

    def test_verify_finds_a_half_copy_of_the_script(self):
        os.makedirs(self.ssd + "/shard2/index")
        shutil.copy(self.shard + "/docs", self.ssd + "/shard2/docs")
        told = self.verb("verify", "tests/shard2")
        self.assertEqual(told.returncode, 7)
        self.assertEqual(told.stdout, "shard2: differs from tests/shard2 (2 differences)\n"
                                      "  index/0: is missing\n  index/1: is missing\n")
        self.assertEqual(self.verb("verify", "shard2").returncode, 3)  # whose source nobody knows
        shutil.rmtree(self.ssd + "/shard2")
        self.verb("copy", "tests/shard2", "--id", "a", "--verify")
        told = self.verb("verify", "--json")
        self.assertEqual(told.returncode, 0)
        self.assertTrue(json.loads(told.stdout)["ok"])
        with open(self.ssd + "/shard2/index/1", "r+") as file:
            file.write("y")
        told = self.verb("verify")
        self.assertEqual(told.returncode, 7)
        self.assertIn("index/1: has another content", told.stdout)


    def test_verify_of_what_is_removed_meanwhile(self):
        for number in range(200):
            with open(f"{self.shard}/{number}", "wb") as file:
                file.truncate(8 << 20)
        self.verb("copy", "tests/shard2", "--id", "a")
        checking = subprocess.Popen(
            [MUSHER, "shard", "verify", "shard2", "--lockdir", "tests", "--ssddir", "tests/ssd"],
            cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

        def reads():
            files = f"/proc/{checking.pid}/fd"
            with contextlib.suppress(FileNotFoundError):
                return any("ssd/shard2/" in os.readlink(f"{files}/{fd}")
                           for fd in os.listdir(files))
            return False

        until(reads)
        checking.send_signal(signal.SIGSTOP)
        trash = self.ssd + "/.shard2.trash.0123456789ab"  # a removal in the middle
        os.rename(self.ssd + "/shard2", trash)
        for number in range(200):
            os.unlink(f"{trash}/{number}")
        checking.send_signal(signal.SIGCONT)
        said = checking.communicate()[0]
        self.assertEqual(checking.returncode, 3, said)
        self.assertIn("is no longer there", said)

    def test_verify_of_all_skips_what_it_cannot_know(self):
        self.verb("copy", "tests/shard2", "--id", "a")
        shutil.copytree(self.shard, self.ssd + "/old")
        with open(self / "tests/old.lock", "w") as file:
            file.write("instance7")
        told = self.verb("verify")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(told.stdout, "old: skipped: its source is not known\n"
                                      "shard2: ok, 3 files, 71100 bytes\n")
        told = json.loads(self.verb("verify", "--json").stdout)
        self.assertEqual((told["ok"], [row["ok"] for row in told["shards"]]), (True, [None, True]))
        self.assertEqual(self.verb("verify", "old").returncode, 3)

    def test_names_are_taken_as_they_stand(self):
        for name in ("[a,b]", "[]", "a,b"):
            self.make_shard(self / "tests/" + name)
            self.assertEqual(self.verb("copy", "tests/" + name, "--id", "a").returncode, 0)
        told = self.verb("verify", "[a,b]", "[]", "a,b")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual([line.split(":")[0] for line in told.stdout.splitlines()],
                         ["[a,b]", "[]", "a,b"])


class VerbTest(ShardCase):
    def test_the_life_of_a_shard(self):
        told = self.verb("copy", "tests/shard2/", "--id", "a", "--json")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(json.loads(told.stdout), {
            "shard": "shard2", "target": "tests/ssd/shard2", "copied": True, "changed": True,
            "users": ["a"], "files": 3, "bytes": 71100, "left_out": 0, "not_kept": 0})
        told = self.verb("copy", "tests/shard2", "--id", "b")
        self.assertEqual(told.stdout, "shard2: already on the SSD; users: a, b\n")
        told = self.verb("list", "--json")
        self.assertEqual(json.loads(told.stdout)["shards"], [
            {"shard": "shard2", "state": "present", "users": ["a", "b"], "source": self.shard,
             "busy": False}])
        told = self.verb("status", "shard2", "--json")
        self.assertEqual(json.loads(told.stdout)["files"], 3)
        self.assertEqual(self.verb("status", "shard3").returncode, 3)
        told = self.verb("remove", "shard2", "--id", "a")
        self.assertEqual(told.stdout, "shard2: still used by b\n")
        told = self.verb("remove", "shard2", "--id", "b", "--json")
        self.assertEqual(json.loads(told.stdout), {
            "shard": "shard2", "target": "tests/ssd/shard2", "removed": True, "changed": True,
            "users": []})
        self.assertEqual(json.loads(self.verb("list", "--json").stdout)["shards"], [])

    def test_waiting_ends_at_its_timeout(self):
        self.verb("copy", "tests/shard2", "--id", "a")
        with open(self.lock) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            told = self.verb("copy", "tests/shard2", "--id", "b", "--timeout", "50ms")
            self.assertEqual(told.returncode, 8)
            self.assertIn("was not free within 50ms", told.stderr)
            self.assertTrue(json.loads(self.verb("list", "--json").stdout)["shards"][0]["busy"])
            # Others are not held up.
            self.make_shard(self / "tests/other")
            self.assertEqual(self.verb("copy", "tests/other", "--id", "b").returncode, 0)
        self.assertEqual(self.users(), "a")

    def test_who_waits_goes_on_when_the_lock_is_free(self):
        self.verb("copy", "tests/shard2", "--id", "a")
        with open(self.lock) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            waiting = subprocess.Popen(
                [self.script, "-r", "-l", "tests", "-s", "tests/ssd", "-i", "a", "tests/shard2"],
                cwd=self.path, stderr=subprocess.PIPE, text=True)
            # The first try is what the pool is made for.
            until(lambda: len(os.listdir(f"/proc/{waiting.pid}/task")) > 1)
            self.assertEqual(self.users(), "a")
        self.assertIn("I am last user", waiting.communicate()[1])
        self.assertEqual(waiting.returncode, 0)

    def test_an_answer_that_is_lost_is_no_success(self):
        for words in (("copy", "tests/shard2", "--id", "a", "--json"), ("list",), ("verify",)):
            with open("/dev/full", "w") as full:
                told = subprocess.run(
                    [MUSHER, "shard", *words, "--lockdir", "tests", "--ssddir", "tests/ssd"],
                    cwd=self.path, stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(told.returncode, 5, words)
            self.assertEqual(told.stderr, f"musher shard {words[0]}: error: writing the answer: "
                                          "No space left on device\n")
        closed, pipe = os.pipe()
        os.close(closed)
        told = subprocess.run([MUSHER, "shard", "list", "--lockdir", "tests", "--ssddir", "tests/ssd"],
                              cwd=self.path, stdout=pipe, stderr=subprocess.PIPE, text=True)
        os.close(pipe)
        self.assertEqual((told.returncode, told.stderr), (0, ""))

    def test_a_hang_up_that_nohup_ignores_ends_nothing(self):
        with open(self.lock, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            waiting = subprocess.Popen(
                ["nohup", self.script, "-c", "-l", "tests", "-s", "tests/ssd", "-i", "a",
                 "tests/shard2"], cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True)
            until(lambda: len(os.listdir(f"/proc/{waiting.pid}/task")) > 1)
            waiting.send_signal(signal.SIGHUP)
        told = waiting.communicate()[1]
        self.assertEqual(waiting.returncode, 0, told)
        self.assertEqual(self.users(), "a")

    def test_gc_takes_what_nobody_holds(self):
        self.verb("copy", "tests/shard2", "--id", "a")
        os.makedirs(self.ssd + "/.shard2.tmp.0123456789ab/half")
        os.makedirs(self.ssd + "/.gone.trash.0123456789ab")
        os.makedirs(self.ssd + "/mine")  # no shard
        for name in (".gone.lock.tmp.0123456789ab", "gone.lock"):
            open(os.path.join(self / "tests", name), "w").close()
        told = self.verb("gc", "--dry-run", "--json")
        self.assertEqual(len(json.loads(told.stdout)["trees"]), 2)
        self.assertEqual(len(json.loads(told.stdout)["files"]), 2)
        held = os.open(self.ssd + "/.shard2.tmp.0123456789ab", os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        self.verb("gc", "--orphans")
        self.assertEqual(sorted(os.listdir(self.ssd)),
                         [".shard2.tmp.0123456789ab", "mine", "shard2"])
        os.close(held)
        self.verb("gc")
        self.assertEqual(sorted(os.listdir(self.ssd)), ["mine", "shard2"])
        self.assert_clean()
        os.unlink(self.lock)
        self.assertIn("shard2, which nobody uses", self.verb("gc", "--orphans").stdout)
        self.assertEqual(os.listdir(self.ssd), ["mine"])


    def test_copies_of_the_shard_are_somebody_elses(self):
        """cp -a and mv take the attributes along, and a copy of old has only its source's."""
        self.verb("copy", "tests/shard2", "--id", "a")
        backup = self.ssd + "/shard2.backup"
        subprocess.run(["cp", "-a", self.ssd + "/shard2", backup], check=True)
        with open(backup + "/notes", "w") as file:
            file.write("mine")
        subprocess.run(["cp", "-a", backup, self.ssd + "/other"], check=True)
        self.make_shard(self / "tests/other")
        self.assertEqual(self.verb("copy", "tests/other", "--id", "a").returncode, 4)
        self.assertEqual([row["shard"] for row in
                          json.loads(self.verb("list", "--json").stdout)["shards"]], ["shard2"])
        self.assertEqual(self.verb("verify").returncode, 0)
        os.unlink(self.lock)
        os.rename(self.ssd + "/shard2", self.ssd + "/shard2.keep")
        shutil.copytree(self.shard, self.ssd + "/shard2")
        os.setxattr(self.ssd + "/shard2", "user.musher.source", self.shard.encode())
        self.assertEqual(self.verb("gc", "--orphans").stdout, "nothing is left to remove\n")
        self.assertEqual(sorted(os.listdir(self.ssd)),
                         ["other", "shard2", "shard2.backup", "shard2.keep"])
        self.assertTrue(os.path.exists(self.ssd + "/other/notes"))
        # Who uses it makes it a shard like any other.
        self.assertIn("already on ssd", self.old("-c", "a").stderr)
        os.unlink(self.lock)
        self.assertIn("shard2, which nobody uses", self.verb("gc", "--orphans").stdout)

    def test_odd_entries_are_no_lock_files(self):
        self.verb("copy", "tests/shard2", "--id", "a")
        os.mkfifo(self / "tests/y.lock")
        os.symlink("/etc/passwd", self / "tests/z.lock")
        os.mkdir(self / "tests/x.lock")
        open(self / "tests/.shard2.lock.tmp.x", "w").close()
        self.assertEqual([row["shard"] for row in
                          json.loads(self.verb("list", "--json").stdout)["shards"]], ["shard2"])
        for name in ("x", "y", "z"):
            self.make_shard(self / ("tests/" + name))
            told = self.old("-c", "a", "tests/" + name)
            self.assertEqual(told.returncode, 1)
            self.assertIn(f"lock file {self.path}/tests/{name}.lock is no file", told.stderr)
        self.assertEqual(self.verb("gc", "--orphans").stdout, "nothing is left to remove\n")
        self.assertEqual(os.listdir(self.ssd), ["shard2"])

    def test_names_with_a_dot_in_front(self):
        for name in (".hid", ".shard2.lock.tmp.abcdefg"):
            self.make_shard(self / f"tests/{name}")
            self.assertEqual(self.old("-c", "live", "tests/" + name).returncode, 0)
        name = ".shard2.tmp.0123456789ab"
        self.make_shard(self / f"tests/{name}")
        told = self.old("-c", "live", "tests/" + name)
        self.assertEqual(told.returncode, 2)
        self.assertIn("give it another one", told.stderr)
        for action in ("-c", "-r"):
            self.assertEqual(self.old(action, "b").returncode, 0)
        self.verb("gc", "--orphans")
        rows = json.loads(self.verb("list", "--json").stdout)["shards"]
        self.assertEqual([(row["shard"], row["users"]) for row in rows],
                         [(".hid", ["live"]), (".shard2.lock.tmp.abcdefg", ["live"])])
        self.assertEqual(self.verb("verify").stdout.count(": ok"), 2)
        for name in (".hid", ".shard2.lock.tmp.abcdefg"):
            self.assertEqual(self.verb("remove", name, "--id", "live").returncode, 0)
        open(self / "tests/.hid.lock", "w").close()
        self.assertIn("tests/.hid.lock", self.verb("gc").stdout)

    def test_names_that_are_not_utf8(self):
        for name in (b"raw\xff", b"raw%FF"):
            self.make_shard((self / "tests/") + os.fsdecode(name))
            for user in (b"u", b"v\xfe%"):
                told = self.verb("copy", b"tests/" + name, "--id", user, "--json")
                self.assertEqual(told.returncode, 0, told.stderr)
        said = json.loads(told.stdout)
        self.assertEqual((said["shard"], said["users"], said["name_escaped"]),
                         ("raw%25FF", ["u", "v%FE%25"], True))
        self.verb("remove", "raw%FF", "--id", b"v\xfe%")
        rows = json.loads(self.verb("list", "--json").stdout)["shards"]
        self.assertEqual([(row["shard"], row["users"], row.get("name_escaped")) for row in rows],
                         [("raw%FF", ["u"], None), ("raw%FF", ["u", "v%FE%25"], True)])
        self.assertEqual(rows[0]["source"], self / "tests/raw%FF")
        self.assertEqual([row["ok"] for row in
                          json.loads(self.verb("verify", "--json").stdout)["shards"]], [True, True])

    def test_who_takes_a_user_off_sweeps(self):
        def leave():
            os.makedirs(self.ssd + "/.shard2.tmp.0123456789ab/half")
            os.makedirs(self.ssd + "/.shard2.trash.0123456789ab/half")

        leave()
        self.verb("remove", "shard2", "--id", "nobody")
        self.assertEqual(os.listdir(self.ssd), [])
        for user in ("a", "b"):
            self.verb("copy", "tests/shard2", "--id", user)
        for user in ("a", "b"):
            leave()
            self.assertEqual(self.old("-r", user).returncode, 0)
            self.assert_clean()
        self.assertEqual(os.listdir(self.ssd), [])


class BadMomentsTest(ShardCase):
    def failed(self, told, *words, code=1):
        self.assertEqual(told.returncode, code, told.stderr)
        for word in words:
            self.assertIn(word, told.stderr)
        self.assertNotIn("Traceback", told.stderr)
        self.assert_clean()

    def test_sources_that_cannot_be_copied(self):
        self.failed(self.old("-c", "a", "tests/none"), "tests/none: No such file or directory")
        open(self / "tests/file", "w").close()
        self.failed(self.old("-c", "a", "tests/file"), "tests/file: Not a directory")
        self.assertEqual(os.listdir(self.ssd), [])
        self.assertEqual(sorted(os.listdir(self / "tests")), ["file", "shard2", "ssd"])

    def test_folders_that_are_missing(self):
        told = self.call("-c", "-l", "nowhere", "-s", "tests/ssd", "-i", "a", "tests/shard2")
        self.failed(told, "opening the lock file", "make the folder of lock files first")
        told = self.call("-c", "-l", "tests", "-s", "nowhere", "-i", "a", "tests/shard2")
        self.failed(told, "nowhere")
        self.assertIsNone(self.users())

    def test_a_source_of_the_same_name_is_refused(self):
        self.old("-c", "a")
        self.make_shard(self / "tests/more/shard2")
        told = self.old("-c", "b", "tests/more/shard2")
        self.failed(told, f"is a copy of {self.shard}, not of {self / 'tests/more/shard2'}")
        self.assertEqual(self.users(), "a")

    def test_a_source_that_is_not_there_gets_no_user(self):
        self.old("-c", "a")
        self.failed(self.old("-c", "b", "/nowhere/shard2"), "/nowhere/shard2: No such file")
        self.assertEqual(self.verb("copy", "/nowhere/shard2", "--id", "b").returncode, 3)
        os.makedirs(self / "tests/more")
        open(self / "tests/more/shard2", "w").close()
        self.failed(self.old("-c", "b", "tests/more/shard2"), "Not a directory")
        self.assertEqual(self.users(), "a")

    def test_a_shard_is_no_copy_of_itself(self):
        self.make_shard(self.ssd + "/shard9")
        told = self.old("-c", "a", "tests/ssd/shard9")
        self.failed(told, "lies on the SSD itself")
        self.assertTrue(os.path.exists(self.ssd + "/shard9/docs"))
        told = self.call("-c", "-l", "tests", "-s", "tests/shard2", "-i", "a", "tests/shard2")
        self.assertEqual(told.returncode, 1)
        self.assertIn("is the copy itself", told.stderr)
        self.assertEqual(sorted(os.listdir(self.shard)), ["docs", "index"])

    def test_a_source_is_not_removed_in_place_of_its_copy(self):
        self.old("-c", "a")
        for shard in ("tests/shard2", "tests/shard2/"):
            told = self.call("-r", "-l", "tests", "-s", "tests", "-i", "a", shard)
            self.failed(told, "lies on the SSD itself")
        self.assertEqual(sorted(os.listdir(self.shard)), ["docs", "index"])
        self.assertEqual(self.users(), "a")
        # A bare name is no path, even where it leads to the copy.
        told = self.call("-r", "-l", "..", "-s", self.ssd, "-i", "a", "shard2", cwd=self.ssd)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(os.listdir(self.ssd), [])

    def test_a_source_of_the_same_name_takes_nobody_off(self):
        self.old("-c", "a")
        more = self / "tests/more/shard2"
        self.make_shard(more)
        told = self.old("-r", "a", more)
        self.failed(told, f"is a copy of {self.shard}, not of {more}")
        self.assertEqual(self.users(), "a")
        self.assert_same(self.shard, self.ssd + "/shard2")
        # Who is no user, and what cannot be told apart, is as before.
        self.assertEqual(self.old("-r", "b", more).returncode, 0)
        for path in ("tests/gone/shard2", "shard2"):
            self.old("-c", "b")
            self.assertEqual(self.old("-r", "b", path).returncode, 0)
        os.rename(self.shard, self / "tests/moved")
        self.assertEqual(self.old("-r", "a", more).returncode, 0)
        self.assertEqual(os.listdir(self.ssd), [])

    def test_what_has_the_name_and_is_no_folder(self):
        open(self.ssd + "/shard2", "w").close()
        self.failed(self.old("-c", "a"), "is no folder")
        self.assertIsNone(self.users())
        with open(self.lock, "w") as file:
            file.write("a")
        self.failed(self.old("-r", "a"), "is no folder")
        os.unlink(self.ssd + "/shard2")
        os.symlink(self.shard, self.ssd + "/shard2")
        self.failed(self.old("-r", "a"), "is no folder")
        self.assertEqual(self.users(), "a")
        self.assertEqual(os.listdir(self.ssd), ["shard2"])

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_a_file_that_cannot_be_read(self):
        for path in (self / "tests", self.ssd, self.path):
            os.chown(path, 4001, 4001)
        other = {"user": 4001, "group": 4001, "extra_groups": []}
        os.chmod(self.shard + "/index/1", 0o600)
        self.failed(self.old("-c", "a", **other), "index/1: opening it: Permission denied")
        self.assertEqual(os.listdir(self.ssd), [])
        self.assertIsNone(self.users())
        os.chmod(self.shard + "/index/1", 0o644)
        os.chmod(self.shard + "/index", 0o555)
        told = self.verb("copy", "tests/shard2", "--id", "a", "--json", **other)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(json.loads(told.stdout)["not_kept"], 5)  # owners, each folder's too
        self.assert_same(self.shard, self.ssd + "/shard2")
        self.assertEqual(self.old("-r", "a", **other).returncode, 0)
        self.assertEqual(os.listdir(self.ssd), [])

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_a_root_that_may_not_give_files_away(self):
        for shell in (["unshare", "-Ur"],
                      ["setpriv", "--bounding-set", "-chown", "--inh-caps", "-chown"]):
            with self.subTest(shell=shell):
                if subprocess.run([*shell, "true"], capture_output=True).returncode != 0:
                    self.skipTest(shell[0] + " may not run here")
                os.chown(self.shard + "/docs", 4001, 4002)
                os.chmod(self.shard + "/docs", 0o6755)
                os.chown(self.shard + "/index/1", 0, 4002)
                os.chmod(self.shard + "/index/1", 0o2755)
                if not os.path.lexists(self.shard + "/link"):
                    os.symlink("docs", self.shard + "/link")
                os.lchown(self.shard + "/link", 4001, 4002)
                subprocess.run(["setfacl", "-m", "u:4001:r", self.shard + "/index/0"], check=True)
                told = subprocess.run(
                    [*shell, MUSHER, "shard", "copy", "tests/shard2", "--lockdir", "tests",
                     "--ssddir", "tests/ssd", "--id", "a", "--json"],
                    cwd=self.path, capture_output=True, text=True)
                self.assertEqual(told.returncode, 0, told.stderr)
                # docs, link, the group of index/1, who may read index/0
                lost = 4 if shell[0] == "unshare" else 3
                self.assertEqual(json.loads(told.stdout)["not_kept"], lost)
                for name in ("docs", "index/1"):
                    info = os.stat(f"{self.ssd}/shard2/{name}")
                    self.assertEqual((info.st_uid, info.st_gid, info.st_mode & 0o7777), (0, 0, 0o755))
                self.assertEqual(self.old("-r", "a").returncode, 0)

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_attributes_of_a_read_only_file(self):
        for path in (self / "tests", self.ssd, self.path, self.shard + "/docs"):
            os.chown(path, 4001, 4001)
        os.setxattr(self.shard + "/docs", "user.colour", b"green")
        os.chmod(self.shard + "/docs", 0o444)
        other = {"user": 4001, "group": 4001, "extra_groups": []}
        self.assertEqual(self.old("-c", "a", **other).returncode, 0)
        self.assertEqual(os.getxattr(self.ssd + "/shard2/docs", "user.colour"), b"green")
        for path in (self.shard, self.shard + "/index", self.shard + "/index/0"):
            os.chown(path, 4001, 4001)
        os.chown(self.shard + "/index/1", 4001, 4321)
        self.assertEqual(self.old("-r", "a", **other).returncode, 0)
        told = self.verb("copy", "tests/shard2", "--id", "a", "--json", **other)
        self.assertEqual(json.loads(told.stdout)["not_kept"], 1)
        self.assertEqual(os.stat(self.ssd + "/shard2/docs").st_mode & 0o7777, 0o444)

    def test_attributes_that_the_ssd_does_not_take(self):
        os.setxattr(self.shard + "/docs", "user.colour", b"green")
        os.mkfifo(self.shard + "/pipe")
        for number in ("E2BIG", "ERANGE", "ENOSPC"):
            told = subprocess.run(
                ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsetxattr", "-e",
                 f"inject=fsetxattr:error={number}", MUSHER, "shard", "copy", "tests/shard2",
                 "--lockdir", "tests", "--ssddir", "tests/ssd", "--id", "a", "--json"],
                cwd=self.path, capture_output=True, text=True)
            if "strace" in told.stderr:
                self.skipTest("strace may not trace here")
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertEqual(json.loads(told.stdout)["not_kept"], 1)
            self.assertEqual(self.old("-r", "a").returncode, 0)
        # The script's lines for programs, more of them for people.
        self.assertEqual(len(self.old("-c", "a").stderr.splitlines()), 3)
        self.assertEqual(self.old("-r", "a").returncode, 0)
        told = self.on_terminal("-c", "a")
        self.assertIn("WARNING:root:1 sockets, pipes or devices were left out", told)

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_a_leftover_of_another_user_stays_and_ends_nothing(self):
        for path in (self / "tests", self.path):
            os.chown(path, 4001, 4001)
        os.chmod(self.ssd, 0o1777)
        left = self.ssd + "/.shard2.trash.0123456789ab"
        os.makedirs(left + "/half")
        other = {"user": 4001, "group": 4001, "extra_groups": []}
        told = self.old("-c", "a", **other)
        self.assertEqual((told.returncode, len(told.stderr.splitlines())), (0, 3), told.stderr)
        told = self.verb("copy", "tests/shard2", "--id", "b", **other)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn(f"warning: removing tests/ssd/{os.path.basename(left)}", told.stderr)
        self.assertIn("WARNING:root:removing tests/ssd/", self.on_terminal("-r", "b", **other))
        self.assertEqual(self.users(), "a")
        self.assertEqual(os.listdir(left), ["half"])

    @unittest.skipUnless(os.geteuid() == 0, "needs to mount")
    def test_what_killed_processes_left_of_others_makes_room(self):
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", self.ssd],
                          capture_output=True).returncode != 0:
            self.skipTest("may not mount")
        self.addCleanup(subprocess.run, ["umount", self.ssd])
        for name in (".other.tmp.0123456789ab", ".held.trash.0123456789ab"):
            os.makedirs(os.path.join(self.ssd, name))
        with open(self.ssd + "/.other.tmp.0123456789ab/half", "wb") as file:
            file.write(b"x" * (1000 << 10))
        held = os.open(self.ssd + "/.held.trash.0123456789ab", os.O_RDONLY)
        self.addCleanup(os.close, held)
        fcntl.flock(held, fcntl.LOCK_EX)
        told = self.old("-c", "a")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(sorted(os.listdir(self.ssd)), [".held.trash.0123456789ab", "shard2"])

    @unittest.skipUnless(os.geteuid() == 0, "needs to mount")
    def test_a_full_ssd(self):
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=100", "none", self.ssd],
                          capture_output=True).returncode != 0:
            self.skipTest("may not mount")
        self.addCleanup(subprocess.run, ["umount", self.ssd])
        with open(self.shard + "/large", "wb") as file:
            file.write(b"x" * (2 << 20))
        self.failed(self.old("-c", "a"), "takes 2", "left")
        told = self.verb("copy", "tests/shard2", "--id", "a")
        self.assertEqual(told.returncode, 5)
        self.assertTrue(told.stderr.endswith("\nhint: free some space\n"), told.stderr)
        os.unlink(self.shard + "/large")
        for number in range(200):
            open(f"{self.shard}/{number}", "w").close()
        self.failed(self.old("-c", "a"), "files", "has room for")
        self.assertEqual(os.listdir(self.ssd), [])
        self.assertIsNone(self.users())

    @unittest.skipUnless(os.geteuid() == 0, "needs to mount")
    def test_a_full_folder_of_lock_files(self):
        locks = self / "locks"
        os.makedirs(locks)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", locks],
                          capture_output=True).returncode != 0:
            self.skipTest("may not mount")
        self.addCleanup(subprocess.run, ["umount", locks])
        with open(locks + "/full", "wb") as file, contextlib.suppress(OSError):
            file.write(b"x" * 8192)
        told = self.call("-c", "-l", locks, "-s", "tests/ssd", "-i", "a", "tests/shard2")
        self.failed(told, locks + "/.shard2.lock.tmp.", "No space left on device")
        self.assertEqual((os.listdir(locks), os.listdir(self.ssd)), (["full"], []))

    @unittest.skipUnless(os.geteuid() == 0, "needs to mount")
    def test_links_take_no_room(self):
        image = self / "image"
        with open(image, "wb") as file:
            file.truncate(8 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-N", "3000", image], check=True)
        if subprocess.run(["mount", "-o", "loop", image, self.ssd],
                          capture_output=True).returncode != 0:
            self.skipTest("may not mount")
        self.addCleanup(subprocess.run, ["umount", self.ssd])
        for number in range(2500):
            os.symlink("docs", f"{self.shard}/link{number}")  # in 10 MiB, at 4 KiB each
        for number in range(1000):
            os.link(self.shard + "/docs", f"{self.shard}/name{number}")
        self.assertEqual(self.old("-c", "a").returncode, 0)
        self.assert_same(self.shard, self.ssd + "/shard2")

    @unittest.skipUnless(os.geteuid() == 0, "needs to mount")
    def test_an_ssd_that_is_full_in_the_middle(self):
        """What was free when it was asked is taken by somebody else."""
        with open(self.shard + "/large", "wb") as file:
            file.write(os.urandom(3 << 20))
        told = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=copy_file_range,pwrite64", "-e",
             "inject=copy_file_range,pwrite64:error=ENOSPC", self.script, "-c", "-l",
             "tests", "-s", "tests/ssd", "-i", "a", "tests/shard2"],
            cwd=self.path, capture_output=True, text=True)
        if "strace" in told.stderr:
            self.skipTest("strace may not trace here")
        self.failed(told, "No space left on device")
        self.assertEqual(os.listdir(self.ssd), [])
        self.assertIsNone(self.users())

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_gc_goes_on_after_what_it_may_not_remove(self):
        other = {"user": 4001, "group": 4001, "extra_groups": []}
        os.chmod(self.path, 0o755)
        for folder in (self / "tests", self.ssd):
            os.chmod(folder, 0o1777)
        self.old("-c", "a", **other)
        os.unlink(self.lock)
        own, stays = self.ssd + "/.shard2.tmp.0123456789ab", self.ssd + "/.a.tmp.0123456789ab"
        for path in (own, stays):
            os.makedirs(path + "/half")
        os.chown(own, 4001, 4001)
        os.chown(own + "/half", 4001, 4001)
        for name in ("gone", "kept"):
            open(self / f"tests/{name}.lock", "w").close()
        os.chown(self / "tests/gone.lock", 4001, 4001)
        told = self.verb("gc", "--orphans", **other)
        self.assertEqual(told.returncode, 6, told.stderr)
        self.assertEqual(os.listdir(self.ssd), [os.path.basename(stays)])
        self.assertEqual(sorted(os.listdir(self / "tests")), ["kept.lock", "shard2", "ssd"])
        for line in ("removed: shard2, which nobody uses", "removed: tests/gone.lock",
                     "removed: tests/ssd/.shard2.tmp", "stays: "):
            self.assertIn("\n" + line, "\n" + told.stdout)
        told = self.verb("gc", "--json", **other)
        self.assertEqual({error["code"] for error in json.loads(told.stdout)["errors"]}, {"denied"})
        left = subprocess.run([MUSHER, "shard", "gc", "--lockdir", "nowhere", "--ssddir",
                               self.ssd], capture_output=True)
        self.assertEqual((left.returncode, len(os.listdir(self.ssd))), (3, 1))

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_a_folder_that_cannot_be_synced_loses_nobody(self):
        other = {"user": 4001, "group": 4001, "extra_groups": []}
        os.chmod(self.path, 0o755)
        for folder in (self / "tests", self.ssd):
            os.chmod(folder, 0o1777)
        self.assertEqual(self.old("-c", "a", **other).returncode, 0)
        for folder in (self / "tests", self.ssd):
            os.chmod(folder, 0o1733)
            self.failed(self.old("-r", "a", **other), "Permission denied")
            self.assertEqual(self.users(), "a")
            self.assert_same(self.shard, self.ssd + "/shard2")
            os.chmod(folder, 0o1777)
        self.assertEqual(self.old("-r", "a", **other).returncode, 0)

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_a_copy_that_cannot_be_read_is_no_other_copy(self):
        other = {"user": 4001, "group": 4001, "extra_groups": []}
        for path in (self / "tests", self.ssd, self.path):
            os.chown(path, 4001, 4001)
        self.old("-c", "a")
        before = os.stat(self.ssd + "/shard2").st_ino
        for name, mode in (("docs", 0), ("index", 0)):
            os.chmod(f"{self.ssd}/shard2/{name}", mode)
            self.assertEqual(self.verb("verify", **other).returncode, 6)
        os.unlink(self.lock)
        self.failed(self.old("-c", "b", **other), "copy", "Permission denied")
        self.assertEqual(os.stat(self.ssd + "/shard2").st_ino, before)

    def test_too_few_descriptors_delete_no_copy(self):
        deep = self / "tests/deep"
        os.makedirs(deep + "/d" * 120)
        open(deep + "/d" * 120 + "/leaf", "w").close()
        self.verb("copy", deep, "--id", "a")
        before = os.stat(self.ssd + "/deep").st_ino
        os.unlink(self / "tests/deep.lock")
        for most in range(200, 206):  # the last one is asked for on either side
            def few(most=most):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

            told = self.verb("verify", deep, preexec_fn=few)
            self.assertEqual(told.returncode, 1, told.stdout)
            self.failed(self.verb("copy", deep, "--id", "b", preexec_fn=few), "Too many open files")
            self.assertEqual(os.stat(self.ssd + "/deep").st_ino, before)

    def test_more_large_files_than_may_be_open(self):
        for number in range(150):
            os.makedirs(f"{self.shard}/{number % 3}", exist_ok=True)
            with open(f"{self.shard}/{number % 3}/{number}", "wb") as file:
                file.truncate(64 << 20)
        os.link(self.shard + "/0/0", self.shard + "/1/linked")
        os.chmod(self.shard + "/0/3", 0o444)

        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

        told = self.verb("copy", "tests/shard2", "--id", "a", preexec_fn=few)
        self.assertEqual(told.returncode, 0, told.stderr)
        copy = self.ssd + "/shard2"
        self.assertTrue(os.path.samefile(copy + "/0/0", copy + "/1/linked"))
        for name, mode in (("0/3", 0o444), ("1/1", os.stat(self.shard + "/1/1").st_mode & 0o7777)):
            info = os.stat(f"{copy}/{name}")
            self.assertEqual((info.st_mode & 0o7777, info.st_size), (mode, 64 << 20))

    def test_a_source_that_changes_after_a_files_turn(self):
        with open(self.shard + "/large", "wb") as file:
            for _ in range(400):
                file.write(b"q" * (1 << 20))
        changes = {
            "edited": lambda: open(self.shard + "/first/f", "w").close(),
            "added": lambda: open(self.shard + "/first/h", "w").close(),
            "removed": lambda: os.unlink(self.shard + "/first/g"),
        }
        for what, change in changes.items():
            os.makedirs(self.shard + "/first", exist_ok=True)
            for name in ("f", "g"):
                with open(f"{self.shard}/first/{name}", "w") as file:
                    file.write(what)
            copying = subprocess.Popen(
                [self.script, "-c", "-l", "tests", "-s", "tests/ssd", "-i", "a", "tests/shard2"],
                cwd=self.path, stderr=subprocess.PIPE, text=True)

            def copied():
                for draft in os.listdir(self.ssd):
                    with contextlib.suppress(FileNotFoundError):
                        return len(os.listdir(f"{self.ssd}/{draft}/first")) == 2
                return False

            while not copied():
                self.assertIsNone(copying.poll(), what)
            copying.send_signal(signal.SIGSTOP)
            change()
            copying.send_signal(signal.SIGCONT)
            told = copying.communicate()[1]
            self.assertEqual(copying.returncode, 1, what)
            self.assertIn("changed", told)
            self.assertEqual((os.listdir(self.ssd), self.users()), ([], None), what)
            shutil.rmtree(self.shard + "/first")
        self.assertEqual(self.old("-c", "a").returncode, 0)

    def test_a_folder_of_locks_behind_a_link(self):
        """The kernel's way: ".." leads out of where the link leads to."""
        for folder in ("rel/1", "rel/locks", "app/locks"):
            os.makedirs(self / folder)
        os.symlink("../rel/1", self / "app/cur")
        two_ways = (self / "rel/locks", "app/cur/../locks")
        for action, user, way in (("-c", "a", two_ways[0]), ("-c", "b", two_ways[1]),
                                  ("-r", "a", two_ways[1])):
            told = self.call(action, "-l", way, "-s", self.ssd, "-i", user, "tests/shard2")
            self.assertEqual(told.returncode, 0, told.stderr)
        with open(self / "rel/locks/shard2.lock") as file:
            self.assertEqual(file.read(), "b")
        told = subprocess.run([MUSHER, "shard", "gc", "--orphans", "--lockdir", two_ways[1],
                               "--ssddir", self.ssd], cwd=self.path, capture_output=True, text=True)
        self.assertEqual(told.stdout, "nothing is left to remove\n")
        self.assertEqual(os.listdir(self / "app/locks"), [])
        # Without a link it is the folder that it says.
        told = self.call("-r", "-l", "rel/1/../locks", "-s", self.ssd, "-i", "b", "tests/shard2")
        self.assertIn(f"Lock on file {self.path}/rel/locks/shard2.lock acquired", told.stderr)

    def test_a_path_whose_link_moved_on_is_still_its_users(self):
        for release in ("1", "2"):
            self.make_shard(self / f"rel/{release}/shard2")
        with open(self / "rel/2/shard2/docs", "a") as file:
            file.write("more")
        os.symlink("rel/1", self / "current")
        self.assertEqual(self.old("-c", "a", "current/shard2").returncode, 0)
        os.unlink(self / "current")
        os.symlink("rel/2", self / "current")
        self.failed(self.old("-c", "b", "current/shard2"), "is a copy of")
        self.failed(self.old("-r", "a", "rel/2/shard2"), "is a copy of")
        self.assertEqual(self.users(), "a")
        self.assertEqual(self.old("-r", "a", "./current/shard2/").returncode, 0)
        self.assertEqual(os.listdir(self.ssd), [])

    def test_a_limit_on_the_size_of_files(self):
        def small():
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

        self.failed(self.old("-c", "a", preexec_fn=small), "File too large")
        self.assertEqual(os.listdir(self.ssd), [])

    @unittest.skipUnless(os.geteuid() == 0, "mounting wants root")
    def test_blocks_past_the_end_take_no_room(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.ssd], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.ssd], capture_output=True)
        subprocess.run(["fallocate", "-n", "-l", "4M", self.shard + "/docs"], check=True)
        told = self.old("-c", "a")
        self.assertEqual(told.returncode, 0, told.stderr)

    def test_one_that_is_not_found_hides_no_damage(self):
        self.verb("copy", "tests/shard2", "--id", "a")
        with open(self.ssd + "/shard2/docs", "r+") as file:
            file.write("damage")
        for order in (("shard2", "nope"), ("nope", "shard2")):
            told = self.verb("verify", *order)
            self.assertEqual(told.returncode, 7, told.stderr)
            self.assertIn("docs", told.stdout)
            self.assertIn("nope is neither registered", told.stdout)
        self.assertEqual(self.verb("verify", "nope").returncode, 3)
        rows = json.loads(self.verb("verify", "nope", "--json").stdout)["shards"]
        self.assertEqual([(row["ok"], row["error"]["code"]) for row in rows],
                         [(False, "not_found")])

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_what_another_user_keeps_to_himself(self):
        other = {"user": 4001, "group": 4001, "extra_groups": []}
        os.chmod(self.path, 0o755)
        for folder in (self / "tests", self.ssd):
            os.chmod(folder, 0o1777)
        self.old("-c", "a", **other)
        self.make_shard(self / "tests/other")
        os.makedirs(self.ssd + "/other")
        with open(self / "tests/other.lock", "w") as file:
            file.write("b")
        os.chmod(self / "tests/other.lock", 0o600)
        told = self.verb("list", **other)
        self.assertEqual(told.returncode, 6)
        for line in ("shard2  present  a", "not known", "other: opening"):
            self.assertIn(line, told.stdout)
        rows = json.loads(self.verb("list", "--json", **other).stdout)["shards"]
        self.assertEqual([(row["users"], "error" in row) for row in rows],
                         [(None, True), (["a"], False)])
        self.assertEqual(self.verb("status", "other", **other).returncode, 6)
        told = self.verb("verify", **other)
        self.assertIn("shard2: ok", told.stdout)
        # A draft is open to its maker only, until it is whole.
        os.makedirs(self.ssd + "/.other.tmp.0123456789ab", 0o700)
        os.unlink(self.lock)
        for words in (("--dry-run",), ()):
            told = self.verb("gc", "--orphans", *words, **other)
            self.assertEqual(told.returncode, 6, told.stderr)
            for line in ("stays: removing tests/ssd/.other.tmp.0123456789ab: Permission denied",
                         "stays: opening", "shard2, which nobody uses"):
                self.assertIn(line, told.stdout)
        self.assertEqual(sorted(os.listdir(self.ssd)), [".other.tmp.0123456789ab", "other"])

    def test_names_that_a_terminal_would_obey(self):
        self.make_shard(self / "tests/s\n\x1b[31m")
        told = self.old("-c", "z\x1b[0m", "tests/s\n\x1b[31m")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(len(told.stderr.splitlines()), 3)
        self.assertNotIn("\x1b", told.stderr)

    def test_an_interrupted_copy_is_rolled_back(self):
        with open(self.shard + "/noise", "wb") as file:
            for _ in range(300):
                file.write(os.urandom(1 << 20))
        copying = subprocess.Popen(
            [self.script, "-c", "-l", "tests", "-s", "tests/ssd", "-i", "a", "tests/shard2"],
            cwd=self.path, stderr=subprocess.PIPE, text=True)
        until(lambda: os.listdir(self.ssd))
        copying.send_signal(signal.SIGTERM)
        told = copying.communicate()[1]
        self.assertEqual(copying.returncode, 1, told)
        self.assertIn("interrupted", told)
        self.assertEqual(os.listdir(self.ssd), [])
        self.assertIsNone(self.users())


class StormTest(ShardCase):
    PROCESSES = 8
    ROUNDS = 12

    def storm(self, user, faults):
        """A user whose shard is there, whole, for as long as it is registered."""
        for number in range(self.ROUNDS):
            told = self.old("-c", user)
            if told.returncode != 0:
                return faults.append(told.stderr)
            with open(self.lock) as file:
                listed = file.read()
            if user not in listed.split("\n") or not listed.strip() or listed.endswith("\n"):
                return faults.append(f"{user} is not in {listed!r}")
            for name in ("docs", "index/0", "index/1"):
                if os.path.getsize(f"{self.ssd}/shard2/{name}") != os.path.getsize(
                        f"{self.shard}/{name}"):
                    return faults.append(f"{name} is not whole")
            told = self.old("-r", user)
            if told.returncode != 0:
                return faults.append(told.stderr)

    def test_many_add_and_remove_themselves(self):
        faults = []

        def guarded(user):
            try:
                self.storm(user, faults)
            except OSError as error:
                faults.append(f"{user}: {error}")

        threads = [threading.Thread(target=guarded, args=(f"user{i}",))
                   for i in range(self.PROCESSES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])
        self.assertIsNone(self.users())
        self.assertEqual(os.listdir(self.ssd), [])
        self.assert_clean()


if __name__ == "__main__":
    unittest.main()
