"""etc/doc/openapi.yaml and the server say the same: paths, methods, the shape of every answer."""

import json
import os
import re
import unittest

import jsonschema
import yaml

from house import GATE, ROOT, House, UnixConnection, files_in, until

PIPELINE = """version: 1
source: { hotfolder: { path: {house}/in, settle: 50ms } }
limits: { attempts: 2, backoff: 1h..1h, parallel: 8 }
steps:
  - exec: { argv: ["/usr/bin/test", "${event.name}", "!=", "later"] }
  - exec: { argv: ["/bin/false"] }
    id: never
    when: event.name == 'bad'
  - directory: { to: {house}/out }
on_failure: [ { log: oh } ]
"""
DEAD = PIPELINE.replace("attempts: 2", "attempts: 1").replace("/in", "/once")
GATED = ("version: 1\nsource: { hotfolder: { path: {house}/slow, settle: 50ms } }\n"
         "limits: { parallel: 1 }\nsteps:\n" + GATE)


class OpenApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(ROOT, "etc/doc/openapi.yaml")) as file:
            cls.document = yaml.safe_load(file)
        cls.operations = {
            (method.upper(), path): operation
            for path, item in cls.document["paths"].items()
            for method, operation in item.items() if method != "parameters"}

    def setUp(self):
        self.house = House({"p": PIPELINE, "once": DEAD, "slow": GATED})
        self.addCleanup(self.house.__exit__, None)
        for name in ("in", "once", "slow"):
            self.house.folder(name)

    def resolve(self, node):
        while "$ref" in node:
            found = self.document
            for name in node["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            node = found
        return node

    def check(self, schema, value):
        resolver = jsonschema.RefResolver("", self.document)
        jsonschema.Draft202012Validator(schema, resolver=resolver).validate(value)

    def call(self, method, path, query="", body=None, **holes):
        """Asks and holds the answer against the document; (status, body)."""
        operation = self.operations[method, path]
        asked = re.sub(r"\{(\w+)\}", lambda m: holes[m[1]], path) + query
        connection = UnixConnection(self.house / "state/control.sock")
        try:
            if body is not None:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                self.check(schema, body)
            connection.request(method, asked, json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            told = self.resolve(operation["responses"][str(answer.status)])
            (kind, content), = told["content"].items()
            self.assertEqual(answer.getheader("Content-Type").split(";")[0], kind, asked)
            if kind == "text/event-stream":
                return answer.status, self.read_events(answer, content["schema"])
            text = answer.read().decode()
            value = json.loads(text) if kind == "application/json" else text
            self.check(content["schema"], value)
            self.seen.add((method, path, answer.status))
            return answer.status, value
        finally:
            connection.close()

    def read_events(self, answer, schema):
        """Until an event of each type has come."""
        self.house.ask("/api/v1/pipelines/p/pause", "POST")
        self.house.ask("/api/v1/pipelines/p/emit", "POST", {"set": {"name": "x"}})
        self.house.ask("/api/v1/pipelines/p/resume", "POST")
        self.house.write_pipeline("slow", GATED + "description: edited\n")
        types = set()
        while types != {"job", "pipeline", "edit"}:
            line = answer.readline().decode()
            if line.startswith("data: "):
                event = json.loads(line[6:])
                self.check(schema, event)
                types.add(event["type"])
        self.seen.add(("GET", "/api/v1/events", answer.status))

    def test_the_document(self):
        self.assertEqual(self.document["openapi"], "3.1.0")
        version = self.house.run("--version").stdout.split()[1]
        self.assertEqual(self.document["info"]["version"], version)
        names = [operation["operationId"] for operation in self.operations.values()]
        self.assertEqual(len(names), len(set(names)))
        for schema in self.document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)

        def walk(node):
            if isinstance(node, dict):
                if "$ref" in node:
                    self.resolve(node)
                for value in node.values():
                    walk(value)
            elif isinstance(node, list):
                for value in node:
                    walk(value)
        walk(self.document)
        for path, item in self.document["paths"].items():
            declared = {self.resolve(one)["name"] for one in item.get("parameters", [])
                        if self.resolve(one)["in"] == "path"}
            self.assertEqual(declared, set(re.findall(r"\{(\w+)\}", path)), path)

    def test_the_server_has_what_the_document_has(self):
        self.house.start()
        routes = {(one["method"], one["path"]) for one in self.house.ask("/api/v1")[1]["paths"]}
        self.assertEqual(routes, set(self.operations))
        for method, path in routes:
            wrong = "POST" if method == "GET" else "GET"
            asked = path.replace("{pipeline}", "p").replace("{id}", "x")
            status, body = self.house.ask(asked, wrong)
            if (wrong, path) not in routes:
                self.assertEqual(status, 405, asked)
                self.check(self.document["components"]["schemas"]["Error"], body["error"])
        self.assertEqual(self.house.stop(), 0)

    def jobs(self, state, pipeline):
        return self.house.get(f"jobs?state={state}&pipeline={pipeline}")["items"]

    def test_every_answer_has_its_shape(self):
        self.seen = set()
        house = self.house.start()
        for name in ("fine", "later"):
            house.drop(f"in/{name}", "1")
        house.drop("once/bad", "1")
        for i in range(2):
            house.drop(f"slow/{i}", "1")
        until(lambda: self.jobs("dead", "once") and self.jobs("delayed", "p"))
        until(lambda: house.counts("p")["done"] == 1 and house.counts("slow")["waiting"] == 1)
        until(lambda: "bad.report.json" in files_in(house / "once/failed"))
        dead, later = self.jobs("dead", "once")[0]["id"], self.jobs("delayed", "p")[0]["id"]
        running = self.jobs("running", "slow")[0]["id"]
        root = "/api/v1/pipelines/{pipeline}"

        for path in ("/health", "/metrics", "/api/v1", "/api/v1/status", "/api/v1/tasks",
                     "/api/v1/jobs"):
            self.assertEqual(self.call("GET", path)[0], 200)
        self.assertEqual(self.call("GET", "/api/v1/events")[0], 200)
        self.assertEqual(self.call("GET", "/api/v1/events", "?state=ded")[0], 400)
        self.assertEqual(self.call("GET", "/api/v1/events", "?pipeline=x")[0], 404)
        self.assertEqual(self.call("GET", "/api/v1/why", f"?path={house.path}/in/fine")[0], 200)
        self.assertEqual(self.call("GET", "/api/v1/why", "?path=/none")[0], 200)
        self.assertEqual(self.call("GET", "/api/v1/why")[0], 400)
        for query, code in (("?limit=1", 200), ("?limit=0", 400), ("?pipeline=x", 404)):
            self.assertEqual(self.call("GET", "/api/v1/jobs", query)[0], code)
        for id in (dead, later, running):
            self.assertEqual(self.call("GET", "/api/v1/jobs/{id}", id=id)[0], 200)
        self.assertEqual(self.call("GET", "/api/v1/jobs/{id}", id="x")[0], 404)

        for verb in ("cancel", "replay", "retry"):
            self.assertEqual(self.call("POST", "/api/v1/jobs/{id}/" + verb, id="x")[0], 404)
        self.assertEqual(self.call("POST", "/api/v1/jobs/{id}/retry", id=later)[0], 200)
        self.assertEqual(self.call("POST", "/api/v1/jobs/{id}/retry", id=dead)[0], 409)
        self.assertEqual(self.call("POST", "/api/v1/jobs/{id}/replay", id=running)[0], 409)
        self.assertEqual(self.call("POST", "/api/v1/jobs/{id}/replay", id=dead)[0], 200)
        self.assertEqual(self.call("POST", "/api/v1/jobs/{id}/cancel", id=running)[0], 200)

        self.assertEqual(self.call("GET", root, pipeline="p")[0], 200)
        self.assertEqual(self.call("GET", root, pipeline="x")[0], 404)
        self.assertEqual(self.call("POST", root + "/release", pipeline="p")[0], 409)
        self.assertEqual(self.call("POST", root + "/pause", pipeline="p")[0], 200)
        self.assertEqual(self.call("POST", root + "/release", pipeline="p")[0], 200)
        self.assertEqual(self.call("POST", root + "/resume", pipeline="p")[0], 200)
        for body, code in (({"dry_run": True, "set": {"name": "a"}}, 200),
                           ({"set": {"name": "a"}}, 200)):
            self.assertEqual(self.call("POST", root + "/emit", body=body, pipeline="p")[0], code)
        for body, code in (({"state": "done"}, 200), (None, 200)):
            self.assertEqual(self.call("POST", root + "/purge", body=body, pipeline="p")[0], code)
        for verb in ("pause", "resume", "rollback", "release", "purge", "emit"):
            self.assertEqual(self.call("POST", root + "/" + verb, pipeline="x")[0], 404, verb)
        house.write_pipeline("p", PIPELINE + "description: two\n")
        until(lambda: house.counts("p")["revision"] == 2)
        self.assertEqual(self.call("POST", root + "/rollback", body={"revision": 1},
                                   pipeline="p")[0], 200)

        self.assertEqual({(m, p) for m, p, code in self.seen if code == 200}, set(self.operations),
                         "some path was never asked")
        house.write_pipeline("p", "nonsense: 1\n")
        until(lambda: house.ask("/health")[0] == 503)
        self.assertEqual(self.call("GET", "/health")[0], 503)
        self.assertEqual(self.call("GET", "/api/v1/status")[0], 200)
        self.assertEqual(house.stop(), 0)


if __name__ == "__main__":
    unittest.main()
