"""An order given in one process reaches the musher that runs the queue at once."""

import unittest

from house import GATE, House, Redis, files_in, until

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms, shared: true } }
steps:
""" + GATE
SOON = 5  # seconds; unasked, musher looks after 10 (at its leases) and 15 (at the rest)


class OrdersTest(unittest.TestCase):
    def setUp(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        self.desk = self.house(redis).start()
        self.assertEqual(self.desk.stop(), 0)  # its verbs now work on the queue by themselves
        self.press = self.house(redis).start()

    def house(self, redis):
        house = House({"p": PIPELINE}, f"queue: {{ redis: 'unix:{redis.socket}' }}\n")
        self.addCleanup(house.__exit__, None)
        house.folder("in")
        return house

    def order(self, *words):
        result = self.desk.run("jobs", *words)
        self.assertEqual(result.returncode, 0, result.stderr)

    def why(self, name):
        return self.press.get("why?path=" + self.press / f"in/{name}")

    def test_pause_and_resume(self):
        with open(self.press / "in/a", "w"):  # nobody takes it before it is closed
            self.order("pause", "p")
            until(lambda: self.why("a")["reason"] == "paused", SOON, lambda: str(self.why("a")))
        self.order("resume", "p")
        self.press.open_gate()
        until(lambda: files_in(self.press / "in/done") == ["a"], SOON)

    def test_cancel_of_a_job_that_runs(self):
        self.press.drop("in/a", "1")
        until(lambda: self.press.counts("p")["running"] == 1)
        self.order("cancel", self.why("a")["job"])
        until(lambda: "a" in files_in(self.press / "in/failed"), SOON)


if __name__ == "__main__":
    unittest.main(verbosity=2)
