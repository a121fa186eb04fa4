"""The command line and the control API of a running musher: outputs, exit codes, refusals."""

import http.client
import json
import os
import socket
import subprocess
import unittest

from house import MUSHER, House, files_in, until

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
limits: { attempts: 1 }
steps:
  - exec: { argv: ["/usr/bin/test", "${event.name}", "!=", "bad"] }
  - directory: { to: {house}/out }
"""


def musher(*arguments, cwd="/", **more):
    return subprocess.run([MUSHER, *arguments], capture_output=True, text=True, cwd=cwd,
                          stdin=subprocess.DEVNULL, timeout=60, **more)


class WithoutMusherTest(unittest.TestCase):
    def test_version_and_help(self):
        self.assertRegex(musher("--version").stdout, r"^musher \d+\.\d+\.\d+ \(\w+\)\n$")
        help_text = musher("--help").stdout
        for verb in ("run", "check", "explain", "describe", "completion", "status", "top", "tap",
                     "why", "jobs", "emit"):
            self.assertIn(f"\n  {verb} ", help_text)
            words = [verb] if verb != "jobs" else [verb, "list"]
            shown = musher(*words, "--help")
            self.assertEqual(shown.returncode, 0)
            self.assertIn("Examples:\n", shown.stdout)

    def test_wrong_usage(self):
        self.assertEqual(musher().returncode, 2)
        self.assertIn("Usage", musher().stdout)
        for words, who, message, hint in (
                (["statis"], "", "unknown verb 'statis'", "did you mean 'status'?"),
                (["frob", "x"], "", "unknown verb 'frob'", "see musher --help"),
                (["--frob", "status"], "", "unknown option '--frob'", "see musher --help"),
                (["jobs"], " jobs", "no verb is given", "see musher jobs --help"),
                (["jobs", "lst"], " jobs", "unknown verb 'lst'", "did you mean 'list'?"),
                (["jobs", "list", "--limt", "3"], " jobs list", "unknown option '--limt'",
                 "did you mean '--limit'?"),
                (["jobs", "list", "--limit"], " jobs list", "--limit: 1 required N missing",
                 "see musher jobs list --help"),
                (["status", "now"], " status", "one word too many: 'now'",
                 "see musher status --help"),
                (["why"], " why", "PATH is required", "see musher why --help"),
                (["completion", "tcsh"], " completion", "unknown shell 'tcsh'",
                 "bash, zsh and fish are known")):
            with self.subTest(words):
                told = musher(*words)
                self.assertEqual((told.returncode, told.stdout, told.stderr),
                                 (2, "", f"musher{who}: error: {message}\nhint: {hint}\n"))
                if words[-1] == "--limit":
                    words = ["jobs", "list", "--json", "--limit"]
                told = musher(*words, *(["--json"] if "--json" not in words else []))
                self.assertEqual((told.returncode, told.stderr), (2, ""))
                answer = json.loads(told.stdout)
                self.assertIs(answer["ok"], False)
                self.assertEqual(answer["error"]["code"], "usage")
                self.assertEqual((answer["error"]["message"], answer["error"]["hint"]),
                                 (message, hint))

    def test_documents_of_verbs_that_print_text(self):
        self.assertEqual(json.loads(musher("completion", "bash", "--json").stdout),
                         {"shell": "bash", "script": musher("completion", "bash").stdout})
        with House({"p": PIPELINE.replace("settle", "setle")}) as house:
            for words in (["run"], ["explain", "p"]):
                told = house.run(*words, "--json")
                self.assertEqual((told.returncode, told.stderr), (2, ""), words)
                self.assertIn("setle", json.loads(told.stdout)["problems"][0]["message"])
            told = house.run("run", "--json", "-c", "nosuch")
            self.assertEqual(told.returncode, 3)
            self.assertFalse(json.loads(told.stdout)["ok"])

    def complete(self, house, line):
        """What bash offers at the end of a line."""
        script = ('eval "$("$0" completion bash)"; COMP_WORDS=("$0" "$@"); COMP_CWORD=$#; '
                  '_musher "$0"; printf "%s\\n" "${COMPREPLY[@]}"')
        told = subprocess.run(["bash", "-c", script, MUSHER, *line], capture_output=True, text=True,
                              cwd=house.path, timeout=60, check=True)
        return told.stdout.split()

    def test_completion_in_bash(self):
        with House({"invoices": PIPELINE, "images": PIPELINE.replace("/in,", "/in2,")}) as house:
            for line, expected in (
                    (["jobs", "re"], ["release", "replay", "resume", "retry"]),
                    (["j"], ["jobs"]),
                    (["jobs", "list", "--state", "d"], ["dead", "delayed", "done"]),
                    (["jobs", "list", "--state", "=", "ca"], ["cancelled"]),
                    (["jobs", "purge", "invoices", "--state", ""], ["cancelled", "dead", "done"]),
                    (["jobs", "list", "--st"], ["--state"]),
                    (["jobs", "list", "--pipeline", ""], ["images", "invoices"]),
                    (["jobs", "pause", "i"], ["images", "invoices"]),
                    (["emit", "--set", "a=b", "inv"], ["invoices"]),
                    (["explain", "-c", house / "musher.yml", "im"], ["images"]),
                    (["describe", "sink", "dir"], ["directory"]),
                    (["describe", "si"], ["sink"]),
                    (["describe", "hot"], ["hotfolder"]),
                    (["completion", ""], ["bash", "fish", "zsh"]),
                    (["emit", "--file", "m"], []), (["why", ""], []), (["nosuch", ""], [])):
                with self.subTest(line):
                    self.assertEqual(self.complete(house, line), expected)

    def test_explain_looks_into_no_file_that_is_called_like_a_pipeline(self):
        with House({"p": PIPELINE}) as house:
            os.makedirs(house / "p")
            house.drop("token", "hunter2: secret")
            shown = house.run("explain", "p")
            self.assertEqual(shown.returncode, 0, shown.stderr)
            self.assertIn("pipeline: p", shown.stdout)
            for name in ("token", "./p"):
                told = house.run("explain", name)
                self.assertEqual((told.returncode, told.stdout), (3, ""), name)
                self.assertIn(f"no pipeline and no file is named '{name}'", told.stderr)
                self.assertNotIn("hunter2", told.stderr)
            for path in (house / "pipelines/p.yml", "pipelines/p.yml"):
                self.assertEqual(house.run("explain", path).stdout, shown.stdout)

    def test_a_secret_that_others_may_read_is_denied(self):
        for key in ("key_file: {house}/key", "key: !file ../key"):
            sealing = PIPELINE.replace("steps:\n", "steps:\n  - seal: { " + key + " }\n")
            with self.subTest(key), House({"p": sealing}) as house:
                house.drop("key", "0" * 64)
                os.chmod(house / "key", 0o644)
                for words in (["check"], ["run"], ["explain", "p"]):
                    told = house.run(*words)
                    self.assertEqual(told.returncode, 6, told.stderr)
                    self.assertRegex(told.stderr, r"p\.yml:5:\d+: error: .*others \(mode 0644\)")
                house.write_pipeline("p", sealing + "nosuch: 1\n")
                self.assertEqual(house.run("check").returncode, 2, "more is wrong than that")
                house.write_pipeline("p", sealing)
                os.chmod(house / "key", 0o600)
                self.assertEqual(house.run("check").returncode, 0)

    def test_explain_tells_defaults_that_can_be_written_down(self):
        more = "when: event.size > 0\nkey: \"${event.stem}\"\npriority: 7\n"
        with House({"p": PIPELINE + more}) as house:
            shown = house.run("explain", "p").stdout
            for line in ('match: "*"  # default', "collision: number  # default",
                         'when: "event.size > 0"  # line 7', 'key: "${event.stem}"  # line 8',
                         "priority: 7", "via: queue"):
                self.assertIn(line, shown)
            house.write_pipeline("p", "\n".join(
                line for line in shown.splitlines() if not line.startswith("pipeline:")) +
                "\nversion: 1\n")
            again = house.run("check")
            self.assertEqual((again.returncode, again.stderr), (0, ""), "its text is a pipeline")

    def test_explain_tells_steps_in_steps(self):
        steps = '''steps:
  - switch:
      cases:
        - { when: event.size > 5, steps: [ log: large, checksum ] }
        - { when: event.size > 3, steps: [] }
      default:
        - parallel: { branches: [ [ log: a ], [], [ { log: b, id: last } ] ] }
  - for_each:
      in: "{1, 2}"
      steps:
        - try: { steps: [ log: "${item}" ], rescue: [] }
          timeout: 5s
  - wait_for: { until: "true" }
'''
        head = "version: 1\nsource: { hotfolder: { path: {house}/in } }\n"
        with House({"p": head + steps}) as house:
            shown = house.run("explain", "p").stdout
            for line in ("        - when: event.size > 5", "          steps: []", "          - []",
                         "as: item  # default", "interval: 5s  # default", "id last", "timeout: 5s"):
                self.assertIn(line.replace("event.size > 5", '"event.size > 5"'), shown)
            house.write_pipeline("p", shown + "\nversion: 1\n")
            again = house.run("check")
            self.assertEqual((again.returncode, again.stderr), (0, ""), "its text is a pipeline")
            self.assertEqual(house.run("explain", "p").stdout.count(", id "), shown.count(", id "))

    def test_no_musher_runs(self):
        with House({"p": PIPELINE}) as house:
            result = house.run("status")
            self.assertEqual(result.returncode, 5)
            self.assertRegex(result.stderr, r"^musher status: error: .*control.sock.*\nhint: ")
            result = house.run("status", "--json")
            self.assertEqual(json.loads(result.stdout)["error"]["code"], "unavailable")
            self.assertEqual(result.stderr, "")

    def test_check(self):
        with House({"p": PIPELINE}) as house:
            result = house.run("check")
            self.assertEqual((result.returncode, result.stdout), (0, "ok: 1 pipelines\n"))
            house.write_pipeline("q", PIPELINE.replace("settle", "setle"))
            result = house.run("check")
            self.assertEqual(result.returncode, 2)
            self.assertRegex(result.stderr, r"q\.yml:2:\d+: error: .*setle")
            self.assertIn("hint: ", result.stderr)
            answer = json.loads(house.run("check", "--json").stdout)
            self.assertFalse(answer["ok"])
            self.assertEqual(answer["problems"][0]["line"], 2)
            self.assertEqual(house.run("run").returncode, 2)
            self.assertFalse(os.path.exists(house / "state"), "an untouched world")
            self.assertFalse(os.path.exists(house / "in"))

    def test_check_of_what_is_not_there(self):
        with House({"p": PIPELINE}) as house:
            pipeline = house / "pipelines/p.yml"
            for words in (["nosuch"], [pipeline, "nosuch"], ["-c", "nosuch"],
                          [pipeline, "-c", "nosuch"]):
                result = musher("check", *words)
                self.assertEqual(result.returncode, 3, words)
                self.assertIn("nosuch: error: ", result.stderr)
            for verb in (["status"], ["jobs", "list"], ["why", "/x"], ["run"]):
                result = musher(*verb, "-c", "nosuch")
                self.assertEqual(result.returncode, 3, verb)
            os.symlink("nowhere", house / "dangling.yml")
            self.assertEqual(musher("check", house / "dangling.yml").returncode, 3)
            house.write_pipeline("q", PIPELINE.replace("{house}/in", '"${vars.nosuch}"'))
            alone = musher("check", house / "pipelines/q.yml")
            self.assertEqual(alone.returncode, 0, alone.stderr)
            judged = musher("check", house / "pipelines/q.yml", "-c", house / "musher.yml")
            self.assertEqual(judged.returncode, 2)
            self.assertIn("vars.nosuch", judged.stderr)

    def test_describe_json(self):
        [sink] = json.loads(musher("describe", "sink", "directory", "--json").stdout)
        self.assertEqual((sink["kind"], sink["name"], sink["repeats"], sink["scalar"]),
                         ("sink", "directory", "idempotent", "to"))
        options = {option["name"]: option for option in sink["options"]}
        self.assertEqual(options["to"]["type"], "path")
        self.assertTrue(options["to"]["required"] and options["to"]["templated"])
        self.assertEqual(options["collision"]["choices"], ["number", "replace", "fail"])
        self.assertEqual(options["collision"]["default"], "number")
        [post] = json.loads(musher("describe", "sink", "http_post", "--json").stdout)
        self.assertEqual(post["repeats"], "after-crash")
        self.assertEqual([field["name"] for field in post["fields"]], ["status", "response"])
        [step] = json.loads(musher("describe", "step", "exec", "--json").stdout)
        [limits] = [option for option in step["options"] if option["name"] == "limits"]
        self.assertIn("memory", [option["name"] for option in limits["options"]])
        [source] = json.loads(musher("describe", "source", "hotfolder", "--json").stdout)
        self.assertIn("stem", [field["name"] for field in source["fields"]])

    def test_explain_describe_completion(self):
        with House({"p": PIPELINE}) as house:
            shown = house.run("explain", "p")
            self.assertEqual(shown.returncode, 0, shown.stderr)
            self.assertIn("settle", shown.stdout)
        self.assertIn("`settle`", musher("describe", "source", "hotfolder").stdout)
        self.assertIn("# Reference", musher("describe", "--reference").stdout)
        schema = json.loads(musher("describe", "--schema").stdout)
        self.assertIn('"hotfolder"', json.dumps(schema["properties"]["source"]))
        self.assertEqual(musher("describe", "hotfoldr").returncode, 3)
        for words in (["--schema", "foo"], ["--manual", "foo"], ["--schema", "musher.yml", "foo"],
                      ["--reference", "musher.yml"]):
            result = musher("describe", *words)
            self.assertEqual((result.returncode, result.stdout), (3, ""), words)
            self.assertIn("hint: --schema", result.stderr)
        self.assertEqual(musher("describe", "--manual", "musher.yml").returncode, 0)
        for shell in ("bash", "zsh", "fish"):
            script = musher("completion", shell)
            self.assertEqual(script.returncode, 0, shell)
            self.assertIn("musher", script.stdout)


class OpenTest(unittest.TestCase):
    """An address that other hosts can reach, under names that nobody knows beforehand."""

    def ask(self, host, port, path, method="GET", **headers):
        connection = http.client.HTTPConnection(host, port, timeout=30)
        self.addCleanup(connection.close)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def test_all_but_health_wants_the_token(self):
        for listen, host in (("0.0.0.0", "127.0.0.1"), ("[::]", "::1")):
            with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host
                                      else socket.AF_INET) as probe:
                port = probe.getsockname()[1]
            house = House({"p": PIPELINE}, extra=f"http: {{ listen: '{listen}:{port}', "
                                                 "token: !file {house}/token }\n")
            self.addCleanup(house.__exit__, None)
            with open(house / "token", "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
                file.write("s3cret\n")
            house.folder("in")
            house.start()
            for name in (f"{host}:{port}", "musher.example"):
                self.assertEqual(self.ask(host, port, "/health", Host=name)[0], 200)
                for path in ("/metrics", "/api/v1", "/api/v1/status", "/api/v1/jobs",
                             "/api/v1/events", "/api/v1/why?path=/etc"):
                    for token in ("", "Bearer wrong1"):
                        status, text = self.ask(host, port, path, Host=name, Authorization=token)
                        self.assertEqual(status, 403, path)
                        self.assertIn("the token is missing or wrong", text)
                self.assertEqual(self.ask(host, port, "/metrics", "HEAD", Host=name)[0], 403)
                self.assertEqual(self.ask(host, port, "/nothing", Host=name)[0], 404)
                for path in ("/metrics", "/api/v1/status"):
                    self.assertEqual(self.ask(host, port, path, Host=name,
                                              Authorization="Bearer s3cret")[0], 200, path)
            self.assertEqual(house.get("status")["pipelines"][0]["name"], "p")  # over the socket
            self.assertEqual(house.stop(), 0)


class BehindProxyTest(unittest.TestCase):
    """A reverse proxy leaves http.path_prefix in front; the control socket knows nothing of it."""

    def test_a_prefix_that_the_paths_of_the_api_begin_with(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        house = House({"p": PIPELINE}, f"http: {{ listen: '127.0.0.1:{port}', path_prefix: /x }}\n")
        self.addCleanup(house.__exit__, None)
        house.folder("in")
        house.start()

        def ask(path):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            self.addCleanup(connection.close)
            connection.request("GET", path)
            return connection.getresponse().status
        before = "/x"
        for prefix in ("/api", "/a", "/api/v1", "/m", "/h", "/musher"):
            house.edit_settings(f"path_prefix: {before} ", f"path_prefix: {prefix} ")
            until(lambda: ask(prefix + "/health") == 200)
            for path in ("/metrics", "/api/v1", "/api/v1/status"):
                self.assertEqual(ask(prefix + path), 200, (prefix, path))
            for path in ("/metrics", "/health"):
                self.assertEqual(ask(path), 200, (prefix, path))
            self.assertEqual(ask(prefix), 404, prefix)
            told = house.run("status")
            self.assertEqual(told.returncode, 0, (prefix, told.stderr))
            before = prefix
        self.assertEqual(ask("/api/v1/status"), 200, "asked without the proxy")
        self.assertEqual(house.stop(), 0)


class RunningTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            cls.port = probe.getsockname()[1]
        cls.house = House({"p": PIPELINE}, extra=f"http: {{ listen: '127.0.0.1:{cls.port}', "
                                                 "token: !file {house}/token }\n")
        cls.addClassCleanup(cls.house.__exit__, None)
        with open(cls.house / "token", "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write("s3cret\n")
        cls.house.folder("in")
        cls.house.start()

    def exchange(self, method, path, body=None, **headers):
        """(status, headers, body as bytes) over TCP."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, answer.headers, text

    def tcp(self, *question, **headers):
        status, _, text = self.exchange(*question, **headers)
        return status, json.loads(text)

    def refused(self, path, body=None):
        """The error of a question that is wrong in itself."""
        method = "GET" if body is None else "POST"
        status, answer = self.tcp(method, "/api/v1/" + path, body, Authorization="Bearer s3cret")
        self.assertEqual((status, answer["error"]["code"]), (400, "usage"), path)
        return answer["error"]

    def test_status_and_jobs(self):
        house = self.house
        house.drop("in/good", "1")
        house.drop("in/bad", "2")
        until(lambda: "good" in files_in(house / "in/done") and
              "bad" in files_in(house / "in/failed"))
        status = house.run("status")
        self.assertEqual(status.returncode, 0)
        self.assertRegex(status.stdout, r"(?m)^p\s+running\s")
        tasks = house.run("status", "--tasks")
        self.assertIn("musher/main", tasks.stdout)
        listed = json.loads(house.run("jobs", "list", "--state", "dead", "--json").stdout)
        job = listed["items"][0]
        self.assertEqual(job["state"], "dead")
        self.assertEqual(job["event"]["facts"]["name"], "bad")
        shown = house.run("jobs", "show", job["id"])
        self.assertIn("exited with 1", shown.stdout)
        with open(house / "in/failed/bad.report.json") as file:
            report = json.load(file)
        self.assertEqual(report["job"]["id"], job["id"])
        self.assertTrue(report["story"])
        self.assertEqual(house.run("jobs", "show", "00000000-0000-7000-8000-000000000000")
                         .returncode, 3)
        self.assertEqual(house.run("jobs", "retry", job["id"]).returncode, 4)
        purged = house.run("jobs", "purge", "p", "--state", "dead")
        self.assertEqual(purged.stdout, "1 jobs forgotten\n")
        self.assertEqual(house.run("jobs", "show", job["id"]).returncode, 3)

    def test_emit(self):
        house = self.house
        house.drop("by-hand", "content")
        dry = house.run("emit", "p", "--file", house / "by-hand", "--dry-run", "--json")
        self.assertTrue(json.loads(dry.stdout)["when"])
        self.assertEqual(house.run("emit", "p", "--file", house / "by-hand").returncode, 0)
        until(lambda: "by-hand" in files_in(house / "out"))
        self.assertTrue(os.path.exists(house / "by-hand"), "it stays where it is")
        self.assertEqual(house.run("emit", "nobody").returncode, 3)
        self.assertEqual(house.run("emit", "p", "--file", house / "none").returncode, 3)
        self.assertEqual(house.run("emit", "p", "--set", "nonsense").returncode, 2)
        self.assertEqual(house.run("emit", "p", "--set", "size=A4").returncode, 2)
        self.assertEqual(house.run("emit", "p", "--set", "name=5").returncode, 2)
        for body in ('{"file": 5}', '{"set": [1]}', '{"dry_run": "yes"}', '{"set": {"size": -1}}'):
            self.assertEqual(self.tcp("POST", "/api/v1/pipelines/p/emit", body,
                                      Authorization="Bearer s3cret")[0], 400, body)
        self.assertEqual(self.tcp("GET", "/health")[0], 200, "and it lives")

    def test_a_dry_run_says_what_it_could_not_render(self):
        house = self.house
        house.write_pipeline("sums", "version: 1\nsource: { timer: { every: 366d } }\nsteps:\n"
                             "  - log: \"${tonumber(event.due .. 'x') + 1}\"\n")
        ask = ("emit", "sums", "--set", "due=1", "--dry-run")
        until(lambda: house.run(*ask).returncode == 0)
        step = json.loads(house.run(*ask, "--json").stdout)["steps"][0]
        self.assertIn("arithmetic on a nil value", step["unrendered"])
        self.assertIn("unrendered", house.run(*ask).stdout)

    def test_a_file_that_is_named_twice_is_checked_once(self):
        for words in (["check", "musher.yml", "pipelines/p.yml"], ["check", "musher.yml", "./musher.yml"],
                      ["check", "pipelines", "pipelines"], ["test", "pipelines", "pipelines"]):
            told = self.house.run(*words)
            self.assertNotIn("same files", told.stdout + told.stderr, words)
            self.assertNotEqual(told.returncode, 2, told.stderr)

    def test_why_says_that_a_name_is_escaped(self):
        for name, escaped in ((b"a\xff.txt", True), (b"a%FF.txt", False)):
            told = json.loads(self.house.run("why", os.fsdecode(os.fsencode(self.house / "in/") + name),
                                             "--json").stdout)
            self.assertEqual(told.get("name_escaped", False), escaped, told)

    def test_emit_sets_nothing_that_every_event_has(self):
        for name in ("id", "source", "key", "time", "date"):
            for more in ([], ["--dry-run"]):
                result = self.house.run("emit", "p", "--set", name + "=x", *more)
                self.assertEqual(result.returncode, 2, result.stdout)
                self.assertIn(f"`{name}`", result.stderr)
                self.assertIn("hint: choose another name", result.stderr)

    def test_odd_paths_streams_and_names(self):
        house = self.house
        self.assertEqual(house.run("why", "").returncode, 2)
        self.assertEqual(house.run("emit", "p", "--file", "").returncode, 2)
        closed = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *house.command("status")],
                                capture_output=True, cwd=house.path, check=False)
        self.assertEqual(closed.returncode, 0, closed.stderr)
        house.drop("in/steer\x1b[31m\nme", "content")
        until(lambda: "steer\x1b[31m\nme" in files_in(house / "out"))
        listed = house.run("jobs", "list").stdout
        self.assertIn("steer\\x1b[31m\\x0ame", listed)
        self.assertNotIn("\x1b", listed)

    def test_tcp_wants_a_token_for_changes_and_the_right_host(self):
        self.assertEqual(self.tcp("GET", "/health")[0], 200)
        self.assertEqual(self.tcp("GET", "/api/v1/status")[0], 200)
        pause = "/api/v1/pipelines/p/pause"
        self.assertEqual(self.tcp("POST", pause)[0], 403)
        self.assertEqual(self.tcp("POST", pause, Authorization="Bearer wrong1")[0], 403)
        self.assertEqual(self.tcp("POST", pause, Authorization="Bearer s3cret")[0], 200)
        self.assertEqual(self.tcp("POST", "/api/v1/pipelines/p/resume",
                                  Authorization="Bearer s3cret")[0], 200)
        self.assertEqual(self.tcp("GET", "/api/v1/status", Host="evil.example")[0], 403)
        self.assertEqual(self.tcp("GET", "/api/v1/nothing")[0], 404)
        self.assertEqual(self.tcp("POST", "/api/v1/pipelines/p/emit", "{nonsense",
                                  Authorization="Bearer s3cret")[0], 422)
        big = b"x" * (2 << 20)
        self.assertEqual(self.tcp("POST", "/api/v1/pipelines/p/emit", big,
                                  Authorization="Bearer s3cret")[0], 413)
        self.assertNotIn("s3cret", self.house.log())

    def test_listing_arguments(self):
        for name, wrong in (("limit", ("-1", "0", "many", "5x", "1001", "99999999999999999999")),
                            ("after", ("foo", "p", "p:foo", "nobody:ready.0.00", "p:shelf.0.00",
                                       "p:ready.nan.00", "p:ready.0.0"))):
            for value in wrong:
                with self.subTest(name, value=value):
                    error = self.refused(f"jobs?{name}={value}")
                    self.assertIn("limit wants" if name == "limit" else "not a place",
                                  error["message"])
                    self.assertTrue(error["hint"])
                    verb = self.house.run("jobs", "list", f"--{name}={value}")
                    self.assertEqual((verb.returncode, verb.stdout), (2, ""))
                    self.assertIn(error["message"], verb.stderr)
        self.assertEqual(self.refused("jobs?limt=3")["hint"], "did you mean `limit`?")
        self.assertEqual(self.tcp("GET", "/api/v1/jobs?pipeline=&state=&after=&limit=")[0], 200)
        waiting = "jobs?state=done&after=p:ready.0.00"
        self.assertIn("not a place", self.refused(waiting)["message"])

    def test_methods(self):
        status, headers, text = self.exchange("GET", "/health")
        self.assertEqual(status, 200)
        for path in ("/health", "/api/v1/status", "/api/v1/nothing"):
            expected = self.exchange("GET", path)
            status, headers, text = self.exchange("HEAD", path)
            self.assertEqual((status, text), (expected[0], b""), path)
            self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(self.exchange("HEAD", "/health")[1]["Content-Length"],
                         self.exchange("GET", "/health")[1]["Content-Length"])
        for method, path, allow in (("PUT", "/health", "GET, HEAD"),
                                    ("POST", "/api/v1/status", "GET, HEAD"),
                                    ("OPTIONS", "/api/v1/jobs/some-id", "GET, HEAD"),
                                    ("GET", "/api/v1/pipelines/p/pause", "POST"),
                                    ("HEAD", "/api/v1/pipelines/p/pause", "POST"),
                                    ("PUT", "/api/v1/pipelines/p/pause", "POST"),
                                    ("DELETE", "/api/v1/jobs/some-id/cancel", "POST")):
            status, headers, _ = self.exchange(method, path, Authorization="Bearer s3cret")
            self.assertEqual((status, headers["Allow"]), (405, allow), (method, path))
        self.assertEqual(self.house.counts("p")["state"], "running", "no PUT paused it")

    def test_what_a_request_says(self):
        for path in ("why", "why?path=", "why?path=in/file"):
            self.assertIn("absolute path", self.refused(path)["message"])
        for verb, body, name in (("emit", '{"fil": "/x"}', "fil"), ("purge", '{"stat": 1}', "stat"),
                                 ("release", '{"x": 1}', "x"), ("emit", '{"Set": {}}', "Set")):
            self.assertIn(f"`{name}`", self.refused(f"pipelines/p/{verb}", body)["message"])
        self.assertEqual(self.refused("pipelines/p/emit", '{"fil": 1}')["hint"],
                         "did you mean `file`?")
        for host in ("LOCALHOST", "LocalHost:80", f"127.0.0.1:{self.port}"):
            self.assertEqual(self.tcp("GET", "/api/v1/status", Host=host)[0], 200, host)
        resume = "/api/v1/pipelines/p/resume"
        for scheme in ("bearer ", "BEARER ", "Bearer   "):
            self.assertEqual(self.tcp("POST", resume, Authorization=scheme + "s3cret")[0], 200)
        for wrong in ("s3cret", "Basic s3cret", "Bearer", "Bearer ", "bearer s3cret2", "bearers3cret"):
            self.assertEqual(self.tcp("POST", resume, Authorization=wrong)[0], 403, wrong)

    def test_a_second_musher_is_refused(self):
        result = self.house.run("run")
        self.assertEqual(result.returncode, 4)
        self.assertIn("hint: ", result.stderr)
        self.assertEqual(self.house.run("status").returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
