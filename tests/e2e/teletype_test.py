"""The terminal of `log.tty`: each file's story as it happens, and no harm by what a terminal does."""

import os
import pty
import select
import termios
import unittest

from house import House, files_in, until

PIPELINE = """version: 1
source: { hotfolder: { path: '{house}/in', settle: 0s } }
limits: { attempts: 2, backoff: 10ms..20ms, parallel: 1 }
steps:
  - checksum: {}
  - exec: { argv: [test, '${event.name}', '!=', bad] }
  - directory: { to: '{house}/out' }
"""


class TeletypeTest(unittest.TestCase):
    def setUp(self):
        self.master, self.slave = pty.openpty()
        self.seen = b""
        extra = f"log: {{ tty: {os.ttyname(self.slave)} }}\n"
        self.house = House({"p": PIPELINE}, extra)
        self.addCleanup(self.house.__exit__, None)
        self.house.folder("in")
        self.house.start()

    def shows(self, text):
        def there():
            while select.select([self.master], [], [], 0)[0]:
                self.seen += os.read(self.master, 65536)
            return text in self.text()
        until(there, what=lambda: f"{text!r} is not in {self.text()!r}")

    def text(self):
        return self.seen.decode(errors="replace").replace("\r\n", "\n")

    def test_tells_each_file_s_story(self):
        self.house.drop("in/a.txt", "letter")
        self.shows("\n\nSTART PROCESSING a.txt\n----------------------\n→ ")
        self.shows("\nDONE\n")
        self.assertRegex(self.text(), r"→ checksum\n····done, \d+ ms.*\n→ exec\n····done, \d+ ms\n"
                                    r"→ directory\n····done, \d+ ms: .*/out/a.txt\nDONE\n")
        self.house.drop("in/bad", "letter")
        self.shows("GIVEN UP")
        self.assertRegex(self.text(), r"(?s)START PROCESSING bad\n-{20}\n.*→ exec\n····FAILED: .*"
                                    r"exited with 1.*\ntries again in .*START PROCESSING bad "
                                    r"\(attempt 2\)\n.*FAILED.*GIVEN UP\n")

    def test_a_name_gives_no_orders(self):
        self.house.drop("in/a\x1b[2Jb\nc", "letter")
        self.shows("START PROCESSING a?[2Jb?c\n")

    def test_one_that_is_stopped_stops_nothing(self):
        termios.tcflow(self.slave, termios.TCOOFF)
        for number in range(500):
            self.house.drop(f"in/{number}", "letter")
        until(lambda: len(files_in(self.house / "out")) == 500, 60)
        termios.tcflow(self.slave, termios.TCOON)
        self.shows("START PROCESSING ")
        self.house.drop("in/late", "letter")
        self.shows("lines were not shown)")
        self.shows("START PROCESSING late")

    def test_one_that_is_gone_stops_nothing(self):
        os.close(self.slave)
        os.close(self.master)
        self.house.drop("in/a", "letter")
        self.house.drop("in/b", "letter")
        until(lambda: len(files_in(self.house / "out")) == 2)
        self.assertIn("log.tty_lost", self.house.log())
        self.assertEqual(self.house.stop(), 0)

    def test_a_file_is_no_terminal(self):
        with open(self.house / "musher.yml") as file:
            text = file.read()
        text = text.replace(os.ttyname(self.slave), "./log.txt")
        with open(self.house / "musher.yml", "w") as file:
            file.write(text)
        until(lambda: "log.txt" in self.house.log() and "log.tty_lost" in self.house.log())
        self.house.drop("in/a", "letter")
        until(lambda: files_in(self.house / "out") == ["a"])
        self.assertFalse(os.path.exists(self.house / "log.txt"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
