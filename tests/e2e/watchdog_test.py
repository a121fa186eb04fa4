"""What musher tells the service manager: ready, alive, stopping; and nothing while it is stuck."""

import os
import select
import signal
import time
import unittest

from house import SLOW, House, until

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in } }
steps: [ log: seen ]
"""


class WatchdogTest(unittest.TestCase):
    def setUp(self):
        self.house = House({"p": PIPELINE})
        self.addCleanup(self.house.__exit__, None)
        self.house.folder("in")
        self.addCleanup(lambda: self.house.notify.close())

    def launch(self, patience_us):
        if patience_us:
            self.house.environment["WATCHDOG_USEC"] = str(patience_us)
        self.house.launch()
        self.words = []

    def hear(self, seconds):
        """Everything that is said in so many seconds."""
        self.words = []
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.listen(left)
        return self.words

    def listen(self, seconds):
        readable, _, _ = select.select([self.house.notify], [], [], seconds)
        if readable:
            self.words += self.house.notify.recv(4096).decode().splitlines()

    def await_word(self, word):
        until(lambda: word in self.words or self.listen(0.1), what=lambda: f"{self.words}")

    def test_a_loop_that_turns_says_so_until_the_end(self):
        self.launch(int(1_000_000 * SLOW))
        self.await_word("READY=1")
        self.assertIn("WATCHDOG=1", self.words, "said before it is asked for")
        self.assertGreaterEqual(self.hear(3 * SLOW).count("WATCHDOG=1"), 4)
        self.house.process.send_signal(signal.SIGTERM)
        self.await_word("STOPPING=1")
        self.assertEqual(self.house.process.wait(40 * SLOW), 0)

    def test_a_loop_that_is_stuck_says_nothing(self):
        self.launch(int(400_000 * SLOW))
        self.await_word("READY=1")
        os.kill(self.house.process.pid, signal.SIGSTOP)
        self.hear(0.1)  # what was under way
        self.assertEqual(self.hear(1.5 * SLOW), [])
        os.kill(self.house.process.pid, signal.SIGCONT)
        self.await_word("WATCHDOG=1")

    def test_without_a_watchdog_there_is_no_chatter(self):
        self.launch(0)
        self.await_word("READY=1")
        self.words.remove("READY=1")
        self.assertEqual(self.words + self.hear(1.5), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
