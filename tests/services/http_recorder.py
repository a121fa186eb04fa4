#!/usr/bin/python3
"""An HTTP server for tests: answers by path, records what it got, prints its port when ready.

usage: http_recorder.py RECORD_FILE PORT|SOCKET_PATH [CERTIFICATE KEY]
Paths: /STATUS[?retry_after=…&say=…], /echo, /large?bytes=N, /hang, /drip, /events,
/redirect[?to=URL&page=BYTES], /reset, /cut?[status=N&head=1],
/cut_chunks, /who, /banner,
/gzip?[bytes=N&keep=N&damage=1&twice=1&as=CODING&status=N], /quote
"""
import gzip, hashlib, http.server, json, select, socket, socketserver, ssl, sys, threading
from urllib.parse import parse_qs, urlparse

lock = threading.Lock()


def record(**line):
    with lock, open(sys.argv[1], "a") as out:
        out.write(json.dumps(line) + "\n")


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def give(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def until_hangup(self, path):
        select.select([self.connection], [], [])
        record(hangup=path)
        self.close_connection = True

    def answer(self):
        url = urlparse(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        record(method=self.command, path=self.path, client=str(self.client_address),
               headers={k.lower(): v for k, v in self.headers.items()}, size=len(body),
               sha256=hashlib.sha256(body).hexdigest(), body=body[:65536].decode("utf-8", "replace"))
        name = url.path[1:]
        if name.isdigit():
            extra = {"Retry_After": query["retry_after"]} if "retry_after" in query else {}
            said = query.get("say", "answer " + name)
            self.give(int(name), said.encode(), **extra)
        elif name == "echo":
            self.give(200, body)
        elif name == "large":
            self.give(200, b"x" * int(query["bytes"]))
        elif name == "redirect":
            page = b"x" * int(query.get("page", 0))
            self.give(302, page, Location=query.get("to", "/200"))
        elif name == "gzip":  # a sound transfer, whatever becomes of the stream in it
            packed = gzip.compress(b"x" * int(query.get("bytes", 100)))
            packed *= 2 if "twice" in query else 1
            packed = packed[:int(query.get("keep", len(packed)))]
            if "damage" in query:
                packed = packed[:-8] + b"damaged!"
            self.give(int(query.get("status", 200)), packed,
                      Content_Encoding=query.get("as", "gzip"))
        elif name == "quote":  # the secrets that it was told
            told = dict(self.headers.items(), path=self.path, body=body.decode())
            self.give(200, json.dumps(told).encode())
        elif name == "who":  # quotes the token
            self.give(400, self.headers.get("Authorization", "").split()[-1].encode())
        elif name == "banner":
            self.wfile.write(b"220 this is no web server\r\n")
            self.close_connection = True
        elif name == "hang":
            self.until_hangup(name)
        elif name in ("drip", "events"):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for number in (b"1", b"2", b"3"):
                self.wfile.write(b"data: " + number + b"\n\n")
                self.wfile.flush()
            if name == "drip":
                self.until_hangup(name)
            self.close_connection = True
        elif name == "cut":
            rest = b"" if "head" in query else b"\r\nten bytes."  # head: broken off within it
            self.wfile.write(b"HTTP/1.1 " + query.get("status", "200").encode() +
                             b" OK\r\nContent-Length: 100\r\n" + rest)
            self.close_connection = True
        elif name == "cut_chunks":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                             b"a\r\nten bytes.\r\n")
            self.close_connection = True
        else:  # reset
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = answer

    def do_CONNECT(self):
        """A proxy whose other side hangs up."""
        self.send_response(200)
        self.end_headers()
        self.close_connection = True

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 128
    if not sys.argv[2].isdigit():
        address_family = socket.AF_UNIX

    def handle_error(self, request, address):
        pass


server = Server(("127.0.0.1", int(sys.argv[2])) if sys.argv[2].isdigit() else sys.argv[2], Answer)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1] if sys.argv[2].isdigit() else 0, flush=True)
server.serve_forever()
