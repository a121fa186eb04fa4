"""A shard's copy and removal, killed before every system call that changes something, and cut off
from power there: no half shard under its name, no user lost, no shard gone under a live user, and
the next call makes it good."""

import os
import shutil
import subprocess
import tempfile
import unittest

from house import MUSHER, SLOW

# What changes a file system. Each is one numbered step of each thread.
CALLS = ("mkdir", "mkdirat", "openat", "flock", "write", "pwrite64", "copy_file_range", "ioctl",
         "fsetxattr", "fchown", "fchmod", "utimensat", "symlinkat", "linkat", "syncfs", "renameat2",
         "fsync", "rename", "unlink", "unlinkat", "rmdir")
# Only these move something to the disk or give it another name.
DURABLE = ("syncfs", "renameat2", "fsync", "rename", "unlink", "rmdir")


# In a story's "before": the script of old was killed in the middle of its copy.
HALF = None


class Place:
    """Folders for locks and copies, a source, and what must be true of them at any moment."""

    def __init__(self, case, folder):
        self.case = case
        self.folder = folder
        self.source = os.path.join(folder, "shard")
        self.locks = os.path.join(folder, "locks")
        self.ssd = os.path.join(folder, "ssd")
        self.target = os.path.join(self.ssd, "shard")
        self.lock = os.path.join(self.locks, "shard.lock")
        os.makedirs(self.source + "/sub")
        os.makedirs(self.locks)
        os.makedirs(self.ssd)
        with open(self.source + "/one", "w") as file:
            file.write("one\n" * 3000)
        with open(self.source + "/sub/two", "w") as file:
            file.write("two")
        os.link(self.source + "/one", self.source + "/sub/linked")
        os.symlink("one", self.source + "/link")

    def argv(self, action, user):
        return [self.folder + "/shard_to_ssd", action, "-l", self.locks, "-s", self.ssd, "-i", user,
                self.source]

    def run(self, action, user):
        told = subprocess.run(self.argv(action, user), capture_output=True, text=True,
                              timeout=60 * SLOW)
        self.case.assertEqual(told.returncode, 0, told.stderr)

    def prepare(self, before):
        for user in before:
            if user is not HALF:
                self.run("-c", user)
                continue
            os.makedirs(self.target + "/sub")
            with open(self.target + "/one", "w") as file:
                file.write("one\n")

    def strike(self, action, user, call, number):
        """Kills it before the number-th `call` of a thread; False when it never came to that."""
        told = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
             f"inject={call}:signal=KILL:when={number}", *self.argv(action, user)],
            capture_output=True, text=True, timeout=60 * SLOW)
        return told.returncode not in (0, 1, 2)

    def users(self):
        if not os.path.exists(self.lock):
            return []
        with open(self.lock) as file:
            text = file.read()
        return text.split("\n") if text else []

    def check(self, where, sure, maybe, leaving=(), half=False):
        """`sure`: users that must be there; `maybe`: one that may be; `leaving`: whose shard may be
        gone while it is still named; `half`: what nobody uses may be one."""
        users = self.users()
        self.case.assertEqual([u for u in users if u not in sure and u not in maybe], [], where)
        for user in sure:
            self.case.assertIn(user, users, where)
        if half and not users:
            return
        if os.path.exists(self.target):
            self.case.assertEqual(
                subprocess.run(["diff", "-r", self.source, self.target]).returncode, 0,
                f"{where}: a half shard")
        else:
            self.case.assertEqual([u for u in users if u not in leaving], [],
                                  f"{where}: no shard under a live user")

    def check_empty(self, where):
        self.case.assertEqual(os.listdir(self.ssd), [], where)
        self.case.assertEqual(os.listdir(self.locks), [], where)


# What was before, what is done, and who is a user then: for certain, perhaps, or no more.
STORIES = (
    ("the first user", [], ("-c", "a"), [], ["a"], []),
    ("a further user", ["z"], ("-c", "a"), ["z"], ["a"], []),
    ("not the last user", ["a", "z"], ("-r", "a"), ["z"], ["a"], []),
    ("the last user", ["a"], ("-r", "a"), [], ["a"], ["a"]),
    ("the first user, and a half copy", [HALF], ("-c", "a"), [], ["a"], []),
)


@unittest.skipUnless(
    subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"]).returncode == 0,
    "strace may not trace here")
class KillTest(unittest.TestCase):
    def setUp(self):
        self.path = tempfile.mkdtemp(prefix="musher-shard-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.path, ignore_errors=True)

    def place(self, name):
        folder = os.path.join(self.path, name)
        os.makedirs(folder)
        os.symlink(MUSHER, folder + "/shard_to_ssd")
        return Place(self, folder)

    def sweep(self, story):
        name, before, (action, user), sure, maybe, leaving = story
        steps = 0
        for call in CALLS:
            for number in range(1, 200):
                place = self.place(f"{call}-{number}")
                place.prepare(before)
                if not place.strike(action, user, call, number):
                    shutil.rmtree(place.folder)
                    break
                steps += 1
                where = f"{name}, killed before {call} {number}"
                place.check(where, sure, maybe, leaving, HALF in before)
                place.run(action, user)  # the hook runs again
                wanted = sorted(sure + [user] * (action == "-c"))
                self.assertEqual(sorted(place.users()), wanted, where)
                place.check(where, wanted, [])
                for left in wanted:
                    place.run("-r", left)
                place.check_empty(where)
                shutil.rmtree(place.folder)
        return steps

    def test_the_first_user(self):
        self.assertGreater(self.sweep(STORIES[0]), 30)

    def test_a_further_user(self):
        self.assertGreater(self.sweep(STORIES[1]), 8)

    def test_not_the_last_user(self):
        self.assertGreater(self.sweep(STORIES[2]), 8)

    def test_the_last_user(self):
        self.assertGreater(self.sweep(STORIES[3]), 12)

    def test_the_first_user_and_a_half_copy(self):
        self.assertGreater(self.sweep(STORIES[4]), 40)


class PowerLossTest(unittest.TestCase):
    """The file system lies in an image. What it has not written there when the process ends is
    lost with the power; a copy of the image is what the next start finds."""

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs to mount")
        self.path = tempfile.mkdtemp(prefix="musher-power-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.path, ignore_errors=True)
        self.empty = self.path + "/empty"
        with open(self.empty, "wb") as file:
            file.truncate(16 << 20)
        subprocess.run(["mkfs.ext4", "-q", self.empty], check=True)

    def mount(self, image, folder):
        os.makedirs(folder, exist_ok=True)
        # The journal is written when somebody asks for it, not by the clock in the middle of this.
        told = subprocess.run(["mount", "-o", "loop,commit=3600", image, folder],
                              capture_output=True, text=True)
        if told.returncode != 0:
            self.skipTest("may not mount: " + told.stderr)

    def after(self, story, call, number):
        """What is on disk after the kill; None when it was not killed."""
        _, before, (action, user), *_ = story
        image = self.path + "/image"
        shutil.copyfile(self.empty, image)
        live = self.path + "/live"
        self.mount(image, live)
        try:
            os.symlink(MUSHER, live + "/shard_to_ssd")
            place = Place(self, live)
            subprocess.run(["sync", "-f", live], check=True)
            place.prepare(before)
            struck = place.strike(action, user, call, number)
            shutil.copyfile(image, self.path + "/lost")
        finally:
            subprocess.run(["umount", live], check=True)
        return place, struck

    def sweep(self, story):
        name, before, (action, user), sure, maybe, leaving = story
        steps = 0
        for call in DURABLE:
            for number in range(1, 20):
                place, struck = self.after(story, call, number)
                self.mount(self.path + "/lost", self.path + "/live")
                where = f"{name}, no power before {call} {number}"
                try:
                    if struck:
                        place.check(where, sure, maybe, leaving)
                    elif action == "-c":  # it said that it is done, and nobody has synced since
                        place.check(name + ", done", sure + [user], [])
                    else:
                        place.check(name + ", done", sure, [])
                        self.assertNotEqual(os.path.exists(place.target), sure == [], name)
                    place.run(action, user)
                    place.check(where, sure + [user] * (action == "-c"), [])
                finally:
                    subprocess.run(["umount", self.path + "/live"], check=True)
                if not struck:
                    break
                steps += 1
        return steps

    def test_the_first_user(self):
        self.assertGreater(self.sweep(STORIES[0]), 4)

    def test_a_further_user(self):
        self.assertGreater(self.sweep(STORIES[1]), 2)

    def test_not_the_last_user(self):
        self.assertGreater(self.sweep(STORIES[2]), 2)

    def test_the_last_user(self):
        self.assertGreater(self.sweep(STORIES[3]), 3)


if __name__ == "__main__":
    unittest.main()
