"""Stops at bad moments: a claim whose answer is on its way, a disk that does not answer."""

import fcntl
import os
import signal
import socket
import sys
import unittest

from house import GATE, House, Redis, until

SHARED = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
limits: { parallel: 1 }
steps:
""" + GATE
COPY = """version: 1
source: { hotfolder: { path: {house}/in, settle: 0s, claim: none, done: leave } }
steps:
""" + GATE + "  - directory: { to: '{house}/out' }\n"
BREAK_TIME = "/proc/sys/fs/lease-break-time"
LONGEST_STOP = 50


def say(redis, *words):
    """One command of a connection of its own: the raw answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(redis.socket)
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.recv(1 << 16).decode()


class LostClaimTest(unittest.TestCase):
    def test_what_an_unheard_answer_handed_out_waits_again(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        with House({"p": SHARED}, f"queue: {{ redis: 'unix:{redis.socket}' }}\n") as house:
            house.folder("in")
            house.start()
            house.drop("in/a", "1")
            until(lambda: house.counts("p")["running"] == 1)
            house.drop("in/b", "2")
            until(lambda: house.counts("p")["waiting"] == 1)
            with open(house / "state/node") as file:
                queue = "m1:{p@" + file.read().strip() + "}:"
            self.assertIn("OK", say(redis, "CLIENT", "PAUSE", "60000", "WRITE"))
            house.open_gate()  # a ends: its ack goes out with the claim of b
            until(lambda: "blocked_clients:0" not in say(redis, "INFO", "clients"))
            house.process.send_signal(signal.SIGTERM)
            until(lambda: "musher.stopping" in house.log())
            self.assertIn("OK", say(redis, "CLIENT", "UNPAUSE"))
            self.assertEqual(house.stop(), 0)
            self.assertEqual(say(redis, "ZCARD", queue + "lease"), ":0\r\n", "b has a holder")
            self.assertEqual(say(redis, "ZCARD", queue + "ready"), ":1\r\n")
            self.assertEqual(say(redis, "ZCARD", queue + "done"), ":1\r\n")


class DeadDiskTest(unittest.TestCase):
    """An open that a lease holds up, as a server that has gone away would."""

    def setUp(self):
        with open(BREAK_TIME) as file:
            before = file.read()
        try:
            with open(BREAK_TIME, "w") as file:
                file.write(str(4 * LONGEST_STOP))
        except OSError as error:
            self.skipTest(f"needs root to set {BREAK_TIME}: {error}")

        def put_back():
            with open(BREAK_TIME, "w") as file:
                file.write(before)
        self.addCleanup(put_back)
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # would tell that somebody waits

    def test_the_stop_gives_up_and_the_next_start_goes_on(self):
        with House({"p": COPY}) as house:
            house.folder("in")
            house.folder("out")
            house.start()
            house.drop("in/a", "precious")
            until(lambda: house.counts("p")["running"] == 1)
            held = os.open(house / "in/a", os.O_RDWR)
            fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            house.open_gate()
            until(lambda: fcntl.fcntl(held, fcntl.F_GETLEASE) != fcntl.F_WRLCK)
            self.assertEqual(house.stop(LONGEST_STOP + 10), 8)
            self.assertIn("musher.stuck", house.log())
            os.close(held)
            house.start()
            until(lambda: os.path.exists(house / "out/a"), 60)
            with open(house / "out/a") as file:
                self.assertEqual(file.read(), "precious")
            self.assertEqual(house.stop(), 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]], verbosity=2)
