"""The configuration is edited while musher runs: what is sound is taken over, what is not is told."""

import http.client
import os
import signal
import socket
import unittest

from house import GATE, House, files_in, until

COPY = """version: 1
source: { hotfolder: { path: {house}/in, settle: 0s } }
steps:
  - directory: { to: '{house}/OUT' }
"""


def pipeline(house, name):
    for row in house.get("status")["pipelines"]:
        if row["name"] == name:
            return row
    return None


class EditsTest(unittest.TestCase):
    def house(self, pipelines, extra=""):
        house = House(pipelines, extra)
        self.addCleanup(house.__exit__, None)
        for name in ("in", "in2", "out", "out2"):
            house.folder(name)
        return house.start()

    def await_revision(self, house, name, revision):
        until(lambda: (pipeline(house, name) or {}).get("revision") == revision, 10,
              lambda: str(house.get("status")))

    def test_steps_change_and_nothing_is_lost(self):
        house = self.house({"p": COPY.replace("OUT", "out")})
        house.drop("in/a", "1")
        until(lambda: files_in(house / "out") == ["a"])
        house.write_pipeline("p", COPY.replace("OUT", "out2"))
        self.await_revision(house, "p", 2)
        house.drop("in/b", "2")
        until(lambda: files_in(house / "out2") == ["b"])
        self.assertEqual(files_in(house / "out"), ["a"])
        self.assertEqual(sorted(os.listdir(house / "state/revisions/p")), ["0001.yml", "0002.yml"])
        self.assertEqual(house.stop(), 0)

    def test_an_attempt_ends_on_its_own_revision(self):
        with_gate = COPY.replace("steps:\n", "steps:\n" + GATE)
        house = self.house({"p": with_gate.replace("OUT", "out")})
        house.drop("in/a", "1")
        until(lambda: house.counts("p")["running"] == 1)
        house.write_pipeline("p", COPY.replace("OUT", "out2"))
        self.await_revision(house, "p", 2)
        house.open_gate()
        until(lambda: files_in(house / "out") == ["a"])
        self.assertEqual(house.stop(), 0)

    def test_a_bad_edit_keeps_the_last_good_one(self):
        house = self.house({"p": COPY.replace("OUT", "out")})
        house.write_pipeline("p", COPY.replace("directory", "dircetory"))
        until(lambda: pipeline(house, "p")["state"] == "broken")
        row = pipeline(house, "p")
        self.assertIn("pipelines/p.yml:4:5: ", row["problem"])
        self.assertEqual(row["revision"], 1)
        status, health = house.ask("/health")
        self.assertEqual(status, 503)
        self.assertIn("p.yml:4:5", health["reasons"][0])
        house.drop("in/a", "1")
        until(lambda: files_in(house / "out") == ["a"])
        with open(house / "pipelines/p.yml", "w"):
            pass
        until(lambda: "dircetory" not in pipeline(house, "p")["problem"])
        house.write_pipeline("p", COPY.replace("OUT", "out2"))
        until(lambda: pipeline(house, "p")["state"] == "running")
        self.assertEqual(house.ask("/health")[0], 200)
        self.assertEqual(pipeline(house, "p")["revision"], 2)
        self.assertEqual(house.stop(), 0)

    def test_another_folder_takes_over(self):
        with_gate = COPY.replace("steps:\n", "steps:\n" + GATE).replace("OUT", "out")
        house = self.house({"p": with_gate})
        house.drop("in/a", "1")
        until(lambda: house.counts("p")["running"] == 1)
        house.write_pipeline("p", with_gate.replace("house}/in,", "house}/in2,"))
        self.await_revision(house, "p", 2)
        house.drop("in/left", "2")
        house.drop("in2/b", "3")
        house.open_gate()
        until(lambda: files_in(house / "out") == ["a", "b"])
        # Each ends where it began; what was dropped after the edit waits for nobody.
        until(lambda: files_in(house / "in") == ["done/a", "left"])
        until(lambda: files_in(house / "in2") == ["done/b"])
        self.assertEqual(house.stop(), 0)

    def test_a_folder_that_cannot_be_watched_is_refused_until_it_can(self):
        house = self.house({"p": COPY.replace("OUT", "out")})
        house.write_pipeline("p", COPY.replace("OUT", "out").replace("house}/in,", "house}/later,"))
        until(lambda: pipeline(house, "p")["state"] == "broken")
        self.assertIn("later", pipeline(house, "p")["problem"])
        house.drop("in/a", "1")
        until(lambda: files_in(house / "out") == ["a"])
        house.folder("later")
        until(lambda: pipeline(house, "p")["revision"] == 2, 30)
        house.drop("later/b", "1")
        until(lambda: files_in(house / "out") == ["a", "b"])
        self.assertEqual(house.stop(), 0)

    def test_files_come_and_go(self):
        house = self.house({"p": COPY.replace("OUT", "out")})
        second = COPY.replace("OUT", "out2").replace("house}/in,", "house}/in2,")
        house.write_pipeline("q", second)
        house.drop("in2/x", "1")
        until(lambda: files_in(house / "out2") == ["x"])
        os.unlink(house / "pipelines/q.yml")
        until(lambda: (pipeline(house, "q") or {}).get("state") == "orphaned")
        house.drop("in2/y", "1")
        house.write_pipeline("q", second)
        until(lambda: files_in(house / "out2") == ["x", "y"])
        with open(house / "pipelines/new.yml", "w") as file:
            file.write("version: 1\nsource: {}\n")
        until(lambda: (pipeline(house, "new") or {}).get("state") == "broken")
        os.unlink(house / "pipelines/new.yml")
        until(lambda: pipeline(house, "new") is None)
        # The same folder twice: the one that runs goes on.
        house.write_pipeline("a", second)
        until(lambda: (pipeline(house, "a") or {}).get("state") == "broken")
        self.assertEqual(pipeline(house, "q")["state"], "running")
        self.assertEqual(house.stop(), 0)

    def test_editors_and_links(self):
        house = House({})
        self.addCleanup(house.__exit__, None)
        for name in ("in", "out", "out2", "releases/1", "releases/2"):
            house.folder(name)
        os.rmdir(house / "pipelines")
        text = COPY.replace("{house}", house.path)
        for number in ("1", "2"):
            with open(house / f"releases/{number}/p.yml", "w") as file:
                file.write(text.replace("OUT", "out" if number == "1" else "out2"))
        os.symlink("releases/1", house / "pipelines")
        house.start()
        # A deployment puts another link in its place.
        os.symlink("releases/2", house / "pipelines.new")
        os.rename(house / "pipelines.new", house / "pipelines")
        self.await_revision(house, "p", 2)
        # An editor writes beside it and renames, with a backup of the old one.
        with open(house / "releases/2/.p.yml.swp", "w") as file:
            file.write(text.replace("OUT", "out") + "# edited\n")
        os.rename(house / "releases/2/p.yml", house / "releases/2/p.yml~")
        os.rename(house / "releases/2/.p.yml.swp", house / "releases/2/p.yml")
        self.await_revision(house, "p", 3)
        # A file that is a link itself, as Kubernetes has them.
        for number, where in (("1", "out"), ("2", "out2")):
            os.makedirs(house / f"maps/{number}")
            with open(house / f"maps/{number}/p.yml", "w") as file:
                file.write(text.replace("OUT", where) + "# mapped\n")
        os.symlink("1", house / "maps/..data")
        os.symlink("../../maps/..data/p.yml", house / "releases/2/p.link")
        os.rename(house / "releases/2/p.link", house / "releases/2/p.yml")
        self.await_revision(house, "p", 4)
        os.symlink("2", house / "maps/..new")
        os.rename(house / "maps/..new", house / "maps/..data")
        self.await_revision(house, "p", 5)
        house.drop("in/a", "1")
        until(lambda: files_in(house / "out2") == ["a"])
        self.assertEqual(house.stop(), 0)

    def test_half_a_file_is_not_taken(self):
        house = self.house({"p": COPY.replace("OUT", "out")})
        whole = COPY.replace("OUT", "out2").replace("{house}", house.path)
        with open(house / "pipelines/p.yml", "w") as file:
            # So far it is sound, and would do nothing.
            file.write(whole[:whole.index("steps")] + "steps: []\n")
            file.flush()
            house.write_pipeline("other", COPY.replace("house}/in,", "house}/in2,"))
            house.drop("in/a", "1")
            until(lambda: files_in(house / "out") == ["a"])
            file.seek(0)
            file.truncate()
            file.write(whole)
        self.await_revision(house, "p", 2)
        house.drop("in/b", "1")
        until(lambda: files_in(house / "out2") == ["b"])
        self.assertEqual(files_in(house / "out"), ["a"])
        self.assertEqual(house.stop(), 0)

    def test_rollback(self):
        house = self.house({"p": COPY.replace("OUT", "out")})
        with open(house / "pipelines/p.yml") as file:
            first = file.read()
        house.write_pipeline("p", COPY.replace("OUT", "out2"))
        self.await_revision(house, "p", 2)
        house.write_pipeline("p", "version: 1\n")
        until(lambda: pipeline(house, "p")["state"] == "broken")
        told = house.run("rollback", "p")  # the one that runs
        self.assertEqual(told.returncode, 0, told.stderr)
        until(lambda: pipeline(house, "p")["state"] == "running")
        self.assertEqual(pipeline(house, "p")["revision"], 2)
        told = house.run("rollback", "p")
        self.assertEqual(told.stdout, f"{house.path}/pipelines/p.yml holds revision 1 again\n")
        self.await_revision(house, "p", 3)
        with open(house / "pipelines/p.yml") as file:
            self.assertEqual(file.read(), first)
        told = house.run("rollback", "p", "--to", "7")
        self.assertEqual(told.returncode, 3)
        self.assertIn("kept are 1 2 3", told.stderr)
        self.assertEqual(house.run("rollback", "nobody").returncode, 3)
        self.assertEqual(house.run("rollback", "p", "--to", "x").returncode, 2)
        self.assertEqual(house.stop(), 0)
        # Numbers go on over a restart.
        house.start()
        self.assertEqual(pipeline(house, "p")["revision"], 3)
        self.assertEqual(house.stop(), 0)

    def test_an_edit_that_names_a_pipe_is_refused(self):
        house = self.house({"p": COPY.replace("OUT", "out")})
        os.mkfifo(house / "key", 0o600)
        sealed = COPY.replace("steps:\n", "steps:\n  - seal: { key: !file ../key }\n")
        house.write_pipeline("p", sealed.replace("OUT", "out"))
        until(lambda: pipeline(house, "p")["state"] == "broken")
        self.assertIn("key is not a regular file", pipeline(house, "p")["problem"])
        self.assertIn("key is not a regular file", house.run("check").stderr)
        house.write_pipeline("p", COPY.replace("OUT", "out2"))
        self.await_revision(house, "p", 2)
        self.assertEqual(house.stop(), 0)

    def test_the_last_pipeline_goes_and_comes_back(self):
        house = self.house({"p": COPY.replace("OUT", "out")})
        os.rename(house / "pipelines/p.yml", house / "aside")
        until(lambda: pipeline(house, "p") is None)
        os.rename(house / "aside", house / "pipelines/p.yml")
        until(lambda: (pipeline(house, "p") or {}).get("state") == "running")
        house.drop("in/a", "1")
        until(lambda: files_in(house / "out") == ["a"])
        self.assertEqual(house.stop(), 0)

    def test_a_pipeline_that_ends_is_not_rolled_back(self):
        house = self.house({"p": COPY.replace("steps:\n", "steps:\n" + GATE).replace("OUT", "out")})
        house.drop("in/a", "1")
        until(lambda: house.counts("p")["running"] == 1)
        os.unlink(house / "pipelines/p.yml")
        until(lambda: "pipeline.removed" in house.log())
        told = house.run("rollback", "p")
        self.assertEqual(told.returncode, 3, told.stderr)
        self.assertIn("is gone", told.stderr)
        house.open_gate()
        until(lambda: files_in(house / "out") == ["a"])
        self.assertEqual(house.stop(), 0)

    def test_what_became_no_job_is_put_back(self):
        text = COPY.replace("steps:\n", "when: event.size > 5\nlimits: { waiting: 1, parallel: 1 }"
                            "\nsteps:\n" + GATE).replace("OUT", "out")
        house = self.house({"p": text})
        names = [f"f{i:03}" for i in range(60)]
        for name in names:
            house.drop(f"in/{name}", "short" if name > "f030" else "long enough")
        until(lambda: house.counts("p")["running"] == 1)
        os.unlink(house / "pipelines/p.yml")
        until(lambda: "pipeline.removed" in house.log())
        house.open_gate()
        until(lambda: "pipeline.ended" in house.log(), 40)
        # In the folder, done, or with a job that waits for the pipeline to come back.
        known = files_in(house / "in") + files_in(house / "out")
        waiting = (pipeline(house, "p") or {}).get("waiting", 0)
        work = [file for file in os.listdir(house / "in/.musher/work") if "." in file]
        self.assertEqual(len(work), waiting, (work, known))
        self.assertEqual(house.stop(), 0)

    def test_a_new_name_that_cannot_run_keeps_the_old_one(self):
        house = self.house({"p": COPY.replace("OUT", "out")})
        house.write_pipeline("p", "pipeline: q\n" + COPY.replace("house}/in,", "house}/nowhere,"))
        until(lambda: pipeline(house, "p")["state"] == "broken")
        self.assertIsNone(pipeline(house, "q"))
        house.drop("in/a", "1")
        until(lambda: files_in(house / "out") == ["a"])
        self.assertEqual(house.stop(), 0)

    def test_jobs_do_not_stay_behind_in_another_queue(self):
        text = COPY.replace("steps:\n", "steps:\n" + GATE).replace("OUT", "out")
        house = self.house({"p": text})
        house.drop("in/a", "1")
        until(lambda: house.counts("p")["running"] == 1)
        house.write_pipeline("p", text.replace("settle: 0s", "settle: 0s, shared: true"))
        until(lambda: pipeline(house, "p")["state"] == "broken")
        self.assertIn("stay behind", pipeline(house, "p")["problem"])
        house.open_gate()
        until(lambda: pipeline(house, "p")["revision"] == 2, 40)
        house.drop("in/b", "1")
        until(lambda: files_in(house / "out") == ["a", "b"])
        self.assertEqual(house.stop(), 0)

    def test_refused_pipelines_keep_what_they_name(self):
        house = self.house({"p": COPY.replace("OUT", "${vars.where}")}, "vars: { where: out }\n")
        with open(house / "musher.yml", "w") as file:
            file.write("version: 1\nstate: ./state\npipelines: ./pipelines\nvars: { to: out2 }\n")
        until(lambda: pipeline(house, "p")["state"] == "broken")
        house.drop("in/a", "1")
        until(lambda: files_in(house / "out") == ["a"])
        house.write_pipeline("p", COPY.replace("OUT", "${vars.to}"))
        until(lambda: pipeline(house, "p")["state"] == "running")
        house.drop("in/b", "1")
        until(lambda: files_in(house / "out2") == ["b"])
        self.assertEqual(house.stop(), 0)

    def test_http_moves(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        start = "version: 1\nstate: ./state\npipelines: ./pipelines\n"
        house = self.house({"p": COPY.replace("OUT", "out")},
                           f"http: {{ listen: '127.0.0.1:{port}' }}\n")

        def health(host):
            try:
                connection = http.client.HTTPConnection(host, port, timeout=5)
                connection.request("GET", "/health")
                return connection.getresponse().status
            except OSError:
                return 0
            finally:
                connection.close()
        self.assertEqual(health("127.0.0.1"), 200)
        with open(house / "musher.yml", "w") as file:
            file.write(start + f"http: {{ listen: 'localhost:{port}' }}\n")
        until(lambda: "http.moved" in house.log())
        self.assertEqual(health("127.0.0.1"), 200)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            with open(house / "musher.yml", "w") as file:
                file.write(start + f"http: {{ listen: '127.0.0.1:{taken.getsockname()[1]}' }}\n")
            until(lambda: "http.listen" in house.get("status")["restart_needed"])
            self.assertEqual(health("127.0.0.1"), 503, "it answers where it did, and says so")
        with open(house / "musher.yml", "w") as file:
            file.write(start)
        until(lambda: health("127.0.0.1") == 0)
        self.assertEqual(house.get("status")["restart_needed"], [])
        self.assertEqual(house.stop(), 0)

    def test_an_address_that_stays_keeps_its_guard(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        house = House({"p": COPY.replace("OUT", "out")},
                      f"http: {{ listen: '0.0.0.0:{port}', token: !file {{house}}/token }}\n")
        self.addCleanup(house.__exit__, None)
        house.folder("in")
        with open(house / "token", "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write("s3cret\n")
        house.start()

        def ask(path, method="GET", **headers):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                connection.request(method, path, headers=headers)
                return connection.getresponse().status
            except OSError:
                return 0
            finally:
                connection.close()

        def is_guarded():
            for name in ("localhost", "127.0.0.1", "musher.example"):
                for path in ("/api/v1/jobs", "/metrics"):
                    self.assertEqual(ask(path, Host=name), 403, (name, path))
                    self.assertEqual(ask(path, Host=name, Authorization="Bearer wrong1"), 403)
                    self.assertEqual(ask(path, Host=name, Authorization="Bearer s3cret"), 200)
                self.assertEqual(ask("/health", Host=name), 503, "it says what is wrong")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            to = f"127.0.0.1:{taken.getsockname()[1]}"
            house.edit_settings(f"0.0.0.0:{port}", to)
            until(lambda: "http.not_moved" in house.log())
            is_guarded()
            house.edit_settings(f", token: !file {house / 'token'}", "")
            until(lambda: house.log().count("http.not_moved") == 2)
            is_guarded()
        house.edit_settings(to, f"127.0.0.1:{port}")
        until(lambda: ask("/health", Host="localhost") == 200)
        self.assertEqual(ask("/metrics", Host="localhost"), 200)
        self.assertEqual(ask("/metrics", Host="musher.example"), 403)
        pause = "/api/v1/pipelines/p/pause"
        self.assertEqual(ask(pause, "POST", Authorization="Bearer s3cret"), 403, "it is gone now")
        self.assertEqual(house.stop(), 0)

    def test_musher_yml_and_sighup(self):
        house = self.house({"p": COPY.replace("OUT", "${vars.where}")}, "vars: { where: out }\n")

        def write(extra):
            with open(house / "musher.yml", "w") as file:
                file.write("version: 1\nstate: ./state\npipelines: ./pipelines\n" + extra)
        write("vars: { where: out2 }\n")
        until(lambda: "config.edited" in house.log())
        house.drop("in/a", "1")
        until(lambda: files_in(house / "out2") == ["a"])
        write("vars: { where: out2 }\nnode: other\n")
        until(lambda: house.get("status")["restart_needed"] == ["node"])
        self.assertIn("waits for a restart: node\n", house.run("status").stdout)
        write("vars: [\n")
        until(lambda: house.ask("/health")[0] == 503)
        self.assertIn("musher.yml:4", house.get("status")["problem"])
        house.drop("in/b", "1")
        until(lambda: files_in(house / "out2") == ["a", "b"])
        write("vars: { where: out }\nlog: { to: {house}/new.log }\n".replace("{house}", house.path))
        until(lambda: os.path.exists(house / "new.log"))
        os.rename(house / "new.log", house / "old.log")
        house.process.send_signal(signal.SIGHUP)
        until(lambda: os.path.exists(house / "new.log"))
        self.assertEqual(house.get("status")["restart_needed"], [])
        self.assertEqual(house.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
