"""musher top on a terminal of its own: what it shows, its keys, and that it leaves no trace."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import unittest

from house import GATE, SLOW, House, until

PIPELINE = ("version: 1\nsource: { hotfolder: { path: {house}/in, settle: 50ms } }\n"
            "limits: { parallel: 1 }\nsteps:\n" + GATE)
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


class Terminal:
    """A program whose controlling terminal we hold."""

    def __init__(self, command, cwd, rows=24, columns=100):
        self.master, slave = pty.openpty()
        self.size(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave

        def own():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        self.process = subprocess.Popen(command, cwd=cwd, stdin=slave, stdout=slave,
                                        stderr=subprocess.PIPE, preexec_fn=own)
        self.text = ""

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0.02)[0]:
            self.text += os.read(self.master, 1 << 16).decode()
        return self.text

    def frame(self):
        """What is on the screen: the lines of the last whole frame."""
        frames = self.read().split("\x1b[H")
        whole = [f for f in frames[1:] if f.endswith("\x1b[J") or "\x1b[J" in f]
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", whole[-1]).split("\n") if whole else []

    def type(self, keys):
        os.write(self.master, keys.encode())

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self.slave)


class TopTest(unittest.TestCase):
    def setUp(self):
        other = PIPELINE.replace("/in", "/other")
        self.house = House({"alpha": PIPELINE, "beta": other})
        self.addCleanup(self.house.__exit__, None)
        for name in ("in", "other"):
            self.house.folder(name)

    def top(self, *words, **more):
        terminal = Terminal(self.house.command("top", *words), self.house.path, **more)
        self.addCleanup(terminal.close)
        return terminal

    def rows(self, terminal):
        return [line.split()[0] for line in terminal.frame() if re.match(r"(alpha|beta) ", line)]

    def ends(self, terminal, code=0):
        self.assertEqual(terminal.process.wait(10 * SLOW), code)
        terminal.read()
        self.assertEqual(terminal.text.count(ENTER), terminal.text.count(LEAVE))
        self.assertTrue(terminal.text.endswith("\x1b[?25h" + LEAVE), repr(terminal.text[-80:]))
        self.assertTrue(terminal.is_as_before())
        self.assertEqual(terminal.process.stderr.read(), b"")

    def test_it_shows_what_runs_and_q_ends_it(self):
        self.house.start()
        terminal = self.top()
        until(lambda: self.rows(terminal) == ["alpha", "beta"])
        self.assertFalse(terminal.is_as_before(), "keys come one by one")
        for i in range(3):
            self.house.drop(f"other/{i}", "x")
        until(lambda: any(re.match(r"beta +running +2 +0 +1 ", line)
                          for line in terminal.frame()))
        terminal.type("w")
        until(lambda: self.rows(terminal) == ["beta", "alpha"])
        terminal.type("R")
        until(lambda: self.rows(terminal) == ["alpha", "beta"])
        terminal.type("Rn")
        until(lambda: self.rows(terminal) == ["alpha", "beta"])
        self.house.open_gate()
        until(lambda: any(re.match(r"beta .* (?!0\.0)\d+\.\d/s ", line)
                          for line in terminal.frame()), what=lambda: str(terminal.frame()))
        terminal.type("q")
        self.ends(terminal)
        self.assertEqual(self.house.stop(), 0)

    def test_it_follows_the_size_of_its_window(self):
        self.house.start()
        terminal = self.top()
        until(lambda: self.rows(terminal) == ["alpha", "beta"])
        terminal.size(4, 20)
        until(lambda: len(terminal.frame()) == 4 and max(map(len, terminal.frame())) <= 20)
        self.assertEqual(self.rows(terminal), [])
        terminal.size(30, 120)
        until(lambda: self.rows(terminal) == ["alpha", "beta"])
        terminal.type("q")
        self.ends(terminal)
        self.assertEqual(self.house.stop(), 0)

    def test_signals_leave_the_terminal_as_it_was(self):
        self.house.start()
        for keys, number in (("\x03", None), ("\x1c", None), (None, signal.SIGTERM),
                             (None, signal.SIGHUP)):
            terminal = self.top()
            until(lambda: self.rows(terminal))
            if keys:
                terminal.type(keys)
            else:
                terminal.process.send_signal(number)
            self.ends(terminal)
        terminal = self.top()
        until(lambda: self.rows(terminal))
        terminal.process.send_signal(signal.SIGABRT)
        self.assertEqual(terminal.process.wait(10 * SLOW), -signal.SIGABRT)
        self.assertTrue(terminal.read().endswith(LEAVE))
        self.assertTrue(terminal.is_as_before())
        self.assertEqual(self.house.stop(), 0)

    def test_a_stopped_one_gives_the_terminal_back_meanwhile(self):
        self.house.start()
        terminal = self.top()
        until(lambda: self.rows(terminal))
        terminal.process.send_signal(signal.SIGTSTP)
        _, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        self.assertTrue(terminal.read().endswith(LEAVE))
        self.assertTrue(terminal.is_as_before())
        terminal.process.send_signal(signal.SIGCONT)
        until(lambda: terminal.read().count(ENTER) == 2 and self.rows(terminal))
        terminal.type("q")
        self.ends(terminal)
        self.assertEqual(self.house.stop(), 0)

    def test_it_waits_for_a_musher_that_went_away(self):
        self.house.start()
        terminal = self.top()
        until(lambda: self.rows(terminal))
        self.house.kill()
        until(lambda: "no musher answers" in terminal.frame()[-1], 30)
        self.assertEqual(self.rows(terminal), ["alpha", "beta"], "the last that is known")
        self.house.start()
        until(lambda: "q quit" in terminal.frame()[-1], 30)
        terminal.type("q")
        self.ends(terminal)
        self.assertEqual(self.house.stop(), 0)

    def test_one_table(self):
        self.house.start()
        piped = self.house.run("top")
        self.assertEqual((piped.returncode, piped.stderr), (0, ""))
        self.assertRegex(piped.stdout,
                         r"(?m)^PIPELINE +STATE +WAITING .*\nalpha +running .*\nbeta ")
        self.assertNotIn("\x1b", piped.stdout)
        terminal = self.top("--once", "--order", "waiting")
        self.assertEqual(terminal.process.wait(10 * SLOW), 0)
        self.assertIn("beta", terminal.read())
        self.assertNotIn("\x1b", terminal.text)
        told = self.house.run("top", "--json")
        self.assertEqual(set(json.loads(told.stdout)), set(self.house.get("status")))
        self.assertEqual(self.house.stop(), 0)
        self.assertEqual(self.house.run("top", "--once").returncode, 0, "as status does")

    def test_refusals(self):
        terminal = self.top()
        self.assertEqual(terminal.process.wait(10 * SLOW), 5)
        self.assertIn(b"no musher answers", terminal.process.stderr.read())
        self.assertEqual(terminal.read(), "", "the screen was not touched")
        wrong = self.house.run("top", "--order", "size")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("--order wants name", wrong.stderr)


if __name__ == "__main__":
    unittest.main()
