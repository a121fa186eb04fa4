"""The Debian package, in a Debian 12 of its own: installed, used, upgraded, removed, purged.

First without systemd, as in a chroot or a container; then with a systemd that runs it as a service.
The clean root comes from the mirror that this machine's apt uses. It is left without a network once
the package's dependencies are there.
"""

import concurrent.futures
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from house import MUSHER, until

TREE = os.path.dirname(os.path.dirname(MUSHER))
IN = "/var/spool/musher/in"
OUT = "/var/spool/musher/out"
LETTER = b"a letter\n" * 1000
# As the unit runs it.
AS_SERVICE = ["setpriv", "--reuid", "musher", "--regid", "musher", "--init-groups", "--inh-caps",
              "+lease", "--ambient-caps", "+lease", "musher"]
# The processes that are musher's, or its user's.
LEFT = "grep -lE \"^Name:.musher|^Uid:.$(id -u musher)\" /proc/[0-9]*/status || true"
HOME_PIPELINE = """version: 1
source: { hotfolder: { path: /home/alice/in, settle: 0s } }
steps:
  - exec: { argv: [sh, -c, "echo $(id -un) has seen it >/dev/tty1"] }
  - directory: { to: /srv/results }
"""
SECRETS = """
http: { listen: "127.0.0.1:8470", token: !file /run/credentials/musher.service/token }
connections: { news: { redis: !env NEWS_URL } }
"""


def run(*command, timeout=300, **more):
    """Its output; the test fails with it if the command does."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, **more)
    if done.returncode != 0:
        raise AssertionError(f"{command} gave {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def debian_mirror():
    """Where this machine's apt finds bookworm."""
    lines = run("apt-get", "indextargets", "--format", "$(CODENAME) $(SITE)",
                "Created-By: Packages").splitlines()
    return next(line.split()[1] for line in lines if line.startswith("bookworm "))


class Debian:
    """A root folder, and the systemd that may run in it."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="musher-debian-", dir="/tmp")
        self.machine = None
        self.cgroups = set(self.cgroup_folders())

    def __truediv__(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    @staticmethod
    def cgroup_folders():
        """What systemd-nspawn makes, and leaves, on a machine without systemd."""
        return [folder for name in ("payload", "supervisor")
                for folder in glob.glob(f"/sys/fs/cgroup/*/{name}")]

    def make(self):
        # Its mounts and processes are in rooms of their own: they end with it, whatever happens.
        run("unshare", "--mount", "--pid", "--fork", "--kill-child",
            "debootstrap", "--variant=minbase", "--include=systemd-sysv", "bookworm", self.root,
            debian_mirror(), timeout=900)
        os.chmod(self.root, 0o755)  # it is / to everybody in there
        # How to reach the mirror: proxies and the like.
        settings = [line for line in run("apt-config", "dump").splitlines()
                    if line.startswith("Acquire::http")]
        with open(self / "/etc/apt/apt.conf.d/90host", "w") as file:
            file.write("\n".join(settings) + "\n")

    def remove(self):
        self.halt()
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in set(self.cgroup_folders()) - self.cgroups:
            for base, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(base)

    def nspawn(self, *words):
        return ["systemd-nspawn", "--quiet", "-D", self.root, "-M",
                f"musher-{os.getpid()}", "--register=no", "--keep-unit",
                "--setenv=DEBIAN_FRONTEND=noninteractive", *words]

    def offline(self, *command, network=False, **more):
        """Without systemd: a process tree of its own, which ends with the command."""
        words = [] if network else ["--private-network"]
        return run(*self.nspawn("--pipe", *words), *command, **more)

    def boot(self):
        command = self.nspawn("--boot", "--private-network", "--console=pipe")
        # Halts when this test is killed.
        self.machine = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        self.leader = until(self.find_leader, 30, "no systemd")
        until(self.is_up, 60, "systemd did not come up")

    def find_leader(self):
        with open(f"/proc/{self.machine.pid}/task/{self.machine.pid}/children") as file:
            children = file.read().split()
        for pid in children:
            with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/comm") as name:
                if name.read() == "systemd\n":
                    return pid
        return None

    def is_up(self):
        try:
            return self.inside("systemctl", "is-active", "multi-user.target")
        except AssertionError:
            return False

    def inside(self, *command, **more):
        """In the booted system."""
        return run("nsenter", "-t", self.leader, "-a", "-r", "-w", "env", "-i", "PATH=/usr/sbin:"
                   "/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", *command, **more)

    def halt(self):
        if not self.machine:
            return
        for patience in (30, 10):
            self.machine.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.machine.wait(patience)
                break
        else:
            self.machine.kill()
            self.machine.wait()
        self.machine = None

    def drop(self, folder, name, content=LETTER):
        path = self / folder
        with open(os.path.join(path, "." + name), "wb") as file:
            file.write(content)
        os.rename(os.path.join(path, "." + name), os.path.join(path, name))


@unittest.skipUnless(os.geteuid() == 0, "makes a root of its own")
class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for old in glob.glob(os.path.join(TREE, "musher_*.deb")):
            os.unlink(old)
        run("ninja", "-C", TREE, "deb", timeout=900)
        (cls.deb,) = glob.glob(os.path.join(TREE, "musher_*.deb"))
        cls.debian = Debian()
        cls.addClassCleanup(cls.debian.remove)
        cls.debian.make()
        shutil.copy(cls.deb, cls.debian / "musher.deb")
        cls.debian.offline("apt-get", "update", network=True)
        cls.debian.offline("apt-get", "install", "-y", "--download-only", "/musher.deb",
                           network=True, timeout=600)

    def open_when(self, barrier, path, shell):
        """Until `path` is there or the shell has ended."""
        until(lambda: os.path.exists(self.debian / path) or shell.done(), 120)
        if not shell.done():
            with open(self.debian / f"/root/{barrier}", "w") as file:
                file.write("\n")

    def test_1_lintian_finds_nothing(self):
        found = subprocess.run(["lintian", "-I", "--fail-on", "error,warning,info",
                                "--allow-root", self.deb], text=True, capture_output=True)
        self.assertEqual((found.returncode, found.stdout), (0, ""))

    def test_2_without_systemd(self):
        """One shell, because what it starts ends with it; it waits where it reads."""
        for barrier in ("ready", "done"):
            os.mkfifo(self.debian / f"/root/{barrier}")
        shell = concurrent.futures.ThreadPoolExecutor(1)
        self.addCleanup(shell.shutdown)
        told = shell.submit(self.debian.offline, "sh", "-euc", f"""
            apt-get install -y /musher.deb
            ls /usr/share/doc/musher/openapi.yaml /usr/share/doc/musher/examples/shards.yml
            shard_to_ssd.py -h | grep -q "on ssd"
            musher check
            runuser -u musher -- musher check --live
            {' '.join(AS_SERVICE)} run 2>/tmp/log &
            pid=$!
            read go </root/ready
            seq 10000 >{IN}/a.txt
            read go </root/done
            runuser -u musher -- musher status
            kill $pid
            wait $pid
            apt-get remove -y musher
            echo "left: $({LEFT})"
            ls -d /var/lib/musher/redis {IN}/done/a.txt {OUT}/a.txt.xz /etc/musher/musher.yml
            apt-get purge -y musher
            ! ls -d /var/lib/musher /etc/musher 2>/dev/null
            ls {IN}/done/a.txt
        """, timeout=180)
        self.open_when("ready", "/var/lib/musher/control.sock", told)
        self.open_when("done", f"{IN}/done/a.txt", told)
        said = told.result()
        self.assertIn("\nleft: \n", said)
        counted = "".join(f"{n}\n" for n in range(1, 10001))
        self.assertEqual(run("xz", "-dc", self.debian / f"{OUT}/a.txt.xz"), counted)
        shutil.rmtree(self.debian / "/var/spool/musher")
        self.assertRegex(said, r"(?m)^inbox +running")

    def test_3_with_systemd(self):
        self.debian.boot()
        self.addCleanup(self.debian.halt)
        try:
            self.installs()
            self.works()
            self.feeds_secrets()
            self.hides_nothing()
            self.names_what_the_user_may_not_do()
            self.is_restarted_when_stuck()
            self.rolls_back()
            self.is_upgraded_and_removed()
        except BaseException:
            print(self.debian.inside("journalctl", "--no-pager", "-n", "60"))
            raise

    def active(self, state):
        return self.shown("ActiveState") == state

    def main_pid(self):
        return self.shown("MainPID")

    def shown(self, name):
        return self.debian.inside("systemctl", "show", "-P", name, "musher").strip()

    def installs(self):
        self.debian.inside("apt-get", "install", "-y", "/musher.deb")
        until(lambda: self.active("active"), 30, "the service does not run")
        self.assertEqual(self.debian.inside("systemctl", "is-enabled", "musher"), "enabled\n")
        said = self.debian.inside("systemd-analyze", "verify", "--man=no", "musher.service")
        self.assertEqual(said, "")
        self.assertEqual(self.debian.inside("stat", "-c", "%a %U", "/var/lib/musher", IN),
                         "700 musher\n2775 musher\n")
        self.debian.inside("mkdir", "-p", "/etc/systemd/system/musher.service.d")
        self.debian.inside("bash", "-c", ". /usr/share/bash-completion/completions/musher; "
                                         "complete -p musher")

    def works(self):
        inside = self.debian.inside
        for user in ("root", "musher"):
            self.assertEqual(inside("runuser", "-u", user, "--", "musher", "check", "--live"),
                             "ok: 1 pipelines\n")
        self.debian.drop(IN, "letter.txt")
        until(lambda: os.path.exists(self.debian / f"{IN}/done/letter.txt"), 30)
        self.assertEqual(run("xz", "-dc", self.debian / f"{OUT}/letter.txt.xz").encode(), LETTER)
        with open(f"/proc/{self.leader_pid()}/status") as file:
            self.assertIn("CapAmb:\t0000000010000000\n", file.read())  # CAP_LEASE

    def leader_pid(self):
        """The main process, as this machine numbers it."""
        wanted = self.main_pid()
        for path in glob.glob("/proc/[0-9]*/status"):
            with contextlib.suppress(OSError), open(path) as file:
                text = file.read()
                numbers = text.split("\nNSpid:")[1].split("\n")[0].split()
                if numbers[1:] == [wanted] and text.startswith("Name:\tmusher\n"):
                    return path.split("/")[2]
        raise AssertionError("no process " + wanted)

    def hides_nothing(self):
        """A hot folder in a home, a console, results in /srv; another user by one line."""
        inside = self.debian.inside
        inside("useradd", "--create-home", "alice")
        inside("install", "-d", "-o", "alice", "/home/alice/in", "/srv/results")
        # A file here: a container has no consoles. That no rule keeps devices away is shown below.
        inside("sh", "-c", "rm -f /dev/tty1; : >/dev/tty1")
        inside("sh", "-c", "chgrp tty /dev/tty1; chmod 620 /dev/tty1")
        self.write("/etc/musher/pipelines/home.yml", HOME_PIPELINE)
        self.write("/etc/systemd/system/musher.service.d/user.conf", "[Service]\nUser=alice\n")
        inside("chown", "-R", "alice", IN, OUT)
        inside("systemd-tmpfiles", "--create", "musher.conf")  # as each start of the machine does
        inside("systemctl", "daemon-reload")
        inside("systemctl", "restart", "musher")
        self.debian.drop("/home/alice/in", "b.txt")
        until(lambda: os.path.exists(self.debian / "/srv/results/b.txt"), 30)
        self.assertEqual(inside("cat", "/dev/tty1"), "alice has seen it\n")
        self.assertEqual((self.shown("DevicePolicy"), self.shown("DeviceAllow")), ("auto", ""))
        self.assertEqual(inside("stat", "-c", "%U", "/var/lib/musher", IN), "alice\nalice\n")
        inside("rm", "/etc/systemd/system/musher.service.d/user.conf")
        inside("chown", "-R", "musher", IN, OUT)

    def feeds_secrets(self):
        """From a credential, and from the environment file."""
        inside = self.debian.inside
        with open(self.debian / "/etc/musher/musher.yml") as file:
            packaged = file.read()
        inside("install", "-d", "-m", "0700", "/root/secrets")
        self.write("/root/secrets/token", "the-token\n")
        inside("chmod", "0600", "/root/secrets/token")
        self.write("/etc/systemd/system/musher.service.d/secrets.conf",
                   "[Service]\nLoadCredential=token:/root/secrets/token\n")
        self.write("/etc/default/musher", "NEWS_URL=redis://127.0.0.1:6379/3\n")
        self.write("/etc/musher/musher.yml", packaged + SECRETS)
        inside("systemctl", "daemon-reload")
        inside("systemctl", "restart", "musher")
        for token, status in (("wrong", "403"), ("the-token", "200")):
            answer = inside("bash", "-c", f"""exec 3<>/dev/tcp/127.0.0.1/8470
                printf '%s\\r\\n' 'POST /api/v1/pipelines/inbox/pause HTTP/1.1' 'Host: localhost' \\
                    'Authorization: Bearer {token}' 'Content-Length: 0' 'Connection: close' '' >&3
                head -n 1 <&3""")
            self.assertIn(f" {status} ", answer)
        self.write("/etc/musher/musher.yml", packaged)
        inside("rm", "/etc/systemd/system/musher.service.d/secrets.conf")
        inside("systemctl", "daemon-reload")
        inside("systemctl", "restart", "musher")
        inside("runuser", "-u", "musher", "--", "musher", "jobs", "resume", "inbox")

    def write(self, path, text):
        with open(self.debian / path, "w") as file:
            file.write(text)

    def names_what_the_user_may_not_do(self):
        as_musher = ["runuser", "-u", "musher", "--", "musher", "check"]
        said = self.debian.inside(*as_musher)
        with self.assertRaises(AssertionError) as caught:
            self.debian.inside(*as_musher, "--live")
        for path, verb in (("/home/alice/in", "rename in"), ("/srv/results", "write")):
            self.assertRegex(said, rf"home\.yml:\d+:\d+: warning: .* musher cannot {verb} {path}:")
            self.assertRegex(str(caught.exception),
                             rf"home\.yml:\d+:\d+: error: .*{path}\b.*ermission denied")
        self.debian.inside("rm", "/etc/musher/pipelines/home.yml")

    def rolls_back(self):
        inside = self.debian.inside
        file = "/etc/musher/pipelines/inbox.yml"
        with open(self.debian / file) as packaged:
            text = packaged.read()
        self.write(file, "steps: [ nonsense ]\n")
        until(lambda: "broken" in inside("runuser", "-u", "musher", "--", "musher", "status"), 30)
        inside("musher", "rollback", "inbox")
        with open(self.debian / file) as put_back:
            self.assertEqual(put_back.read(), text)

    def is_restarted_when_stuck(self):
        inside = self.debian.inside
        self.write("/etc/systemd/system/musher.service.d/fast.conf",
                   "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\nRestartSec=0\n")
        inside("systemctl", "daemon-reload")
        inside("systemctl", "restart", "musher")
        stuck = self.main_pid()
        inside("sh", "-c", f"kill -STOP {stuck}")
        until(lambda: self.active("active") and self.main_pid() not in (stuck, "0"), 30)
        self.assertEqual(self.shown("NRestarts"), "1")
        self.debian.drop(IN, "after.txt")
        until(lambda: os.path.exists(self.debian / f"{IN}/done/after.txt"), 30)

    def is_upgraded_and_removed(self):
        inside = self.debian.inside
        before = self.main_pid()
        inside("apt-get", "install", "-y", "--reinstall", "/musher.deb")
        until(lambda: self.active("active") and self.main_pid() not in (before, "0"), 30)
        inside("apt-get", "remove", "-y", "musher")
        self.assertEqual(inside("sh", "-c", LEFT), "")
        for path in ("/var/lib/musher/redis", f"{IN}/done/letter.txt", f"{OUT}/letter.txt.xz",
                     "/etc/musher/musher.yml"):
            self.assertTrue(os.path.exists(self.debian / path), path)
        inside("apt-get", "install", "-y", "/musher.deb")
        until(lambda: self.active("active"), 30)
        said = inside("runuser", "-u", "musher", "--", "musher", "jobs", "list", "--state", "done")
        self.assertIn("inbox", said)
        inside("apt-get", "purge", "-y", "musher")
        for path, stays in (("/var/lib/musher", False), ("/etc/musher", False),
                            (f"{IN}/done/letter.txt", True)):
            self.assertEqual(os.path.exists(self.debian / path), stays, path)
        self.assertEqual(inside("sh", "-c", LEFT), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
