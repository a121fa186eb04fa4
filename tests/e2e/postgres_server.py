"""A PostgreSQL of a test's own, in a temporary folder; ended by pid. As root it runs as postgres."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from house import until


def program(name):
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    newest = max(folders, key=lambda path: int(path.split("/")[-2]))
    return os.path.join(newest, name)


def psql(url, sql, check=True):
    return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url], input=sql,
                          check=check, capture_output=True, text=True)


def url_of(*servers):
    """Of the one among several that takes writes."""
    hosts = ",".join(one.folder.replace("/", "%2F") for one in servers)
    writes = "&target_session_attrs=read-write" if len(servers) > 1 else ""
    return f"postgresql:///postgres?user=app&host={hosts}{writes}"


class Postgres:
    def __init__(self, primary=None):
        self.folder = tempfile.mkdtemp(prefix="musher-pg-", dir="/tmp")
        self.data = os.path.join(self.folder, "data")
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        os.chmod(self.folder, 0o755)
        make = [program("initdb"), "--username=app", "--auth=trust", "--encoding=UTF8",
                "--locale=C"]
        if primary:
            make = [program("pg_basebackup"), "-R", "-c", "fast", "-U", "app", "-h",
                    primary.folder]
        subprocess.run([*make, "--no-sync", "-D", self.data], check=True, cwd="/",
                       stdout=subprocess.DEVNULL, preexec_fn=self.become)
        self.process = None
        self.start()

    def standby(self):
        """A hot standby that streams from this one, and that commits wait for from now on."""
        follower = Postgres(self)
        self.psql("ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf()")
        until(lambda: "sync" in self.psql("SELECT sync_state FROM pg_stat_replication").stdout
              .split(), 30, "the standby does not stream")
        return follower

    def become(self):
        if self.user:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)

    def start(self):
        """After kill() its sessions need a moment to end; until then a new one refuses to start."""
        until(self.try_start, 30)

    def try_start(self):
        with open(os.path.join(self.folder, "log"), "a") as log:
            self.process = subprocess.Popen(
                [program("postgres"), "-D", self.data, "-k", self.folder, "-h", ""], stdout=log,
                stderr=log, cwd="/", preexec_fn=self.become)
        until(lambda: self.process.poll() is not None or self.answers(), 30)
        return self.process.poll() is None

    def answers(self):
        return self.psql("SELECT 1", check=False).returncode == 0

    @property
    def url(self):
        return url_of(self)

    def psql(self, sql, check=True):
        """The script's output is in .stdout; it ends at the first error."""
        return psql(self.url, sql, check)

    def url_in(self, database):
        return self.url.replace("///postgres?", f"///{database}?")

    def sessions(self, database):
        """What each client of it asked last, ours aside."""
        return self.psql("SELECT query FROM pg_stat_activity WHERE backend_type = 'client backend' "
                         f"AND datname = '{database}' AND pid <> pg_backend_pid()").stdout

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
