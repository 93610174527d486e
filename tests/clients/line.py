"""A bad line between client and site: it forwards requests, remembers them, and may lose a request or its answer."""

import http.client
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Request(NamedTuple):
    """What a client sent, and the status of the answer; 0 when the site gave none."""

    headers: dict[str, str]
    body: bytes
    status: int


class Line:
    """Forwards to `port`. `lose` is the share of requests that are lost, half of them after the site has answered."""

    def __init__(self, port: int, lose: float = 0.0, seed: int = 1) -> None:
        self.port, self.lose, self.chance = port, lose, random.Random(seed)
        self.requests: list[Request] = []
        self.lost = {"request": 0, "answer": 0}
        self.arrived = 0
        self.lock = threading.Lock()

    def forward(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = dict(handler.headers.items())
        with self.lock:
            self.arrived += 1
            draw = self.chance.random()
        handler.close_connection = True
        if draw < self.lose / 2:
            self.lost["request"] += 1
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", handler.path, body, {**headers, "Host": "127.0.0.1"})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):  # the site is down, or went down in the middle
            self.requests.append(Request(headers, body, 0))
            return
        finally:
            connection.close()
        self.requests.append(Request(headers, body, answer.status))
        if draw < self.lose:
            self.lost["answer"] += 1
            return
        handler.send_response(answer.status)
        for name in ("Content-Type", "Retry-After"):
            if name in answer.headers:
                handler.send_header(name, answer.headers[name])
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@contextmanager
def line_to(port: int, *, lose: float = 0.0, seed: int = 1) -> Iterator[tuple[Line, str]]:
    """A line that is up inside, and its address."""
    line = Line(port, lose, seed)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            line.forward(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield line, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
