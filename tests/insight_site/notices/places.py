"""Where notices arrive: a mail server and a webhook receiver that keep what they are given, on sockets of their own."""

import email
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as Django asks for. It says no to recipients in `refused`."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.refused: set[str] = set()
        super().__init__(("127.0.0.1", 0), _Talk)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Talk(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line[:4].upper()
            if word == "QUIT":
                self._say("221 bye")
                return
            if word == "RCPT" and any(f"<{one}>" in line for one in self.server.refused):
                self._say("550 nobody of that name")
            elif word == "DATA":
                self._say("354 go on")
                self.server.letters.append(email.message_from_bytes(self._data(), policy=policy.default))
                self._say("250 kept")
            else:
                self._say("250 well")

    def _data(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(settings: Any) -> Iterator[MailServer]:
    """A server that Django sends to."""
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        options = {"host": "127.0.0.1", "port": server.port, "timeout": 5}
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
        yield server
        server.shutdown()


class Receiver(ThreadingHTTPServer):
    """Keeps the JSON that is posted, and answers with `status`; with `leads_to`, that it lies elsewhere."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.status, self.leads_to = 200, ""
        super().__init__(("127.0.0.1", 0), _Kept)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/hook-5ecret"


class _Kept(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(302 if self.server.leads_to else self.server.status)
        if self.server.leads_to:
            self.send_header("Location", self.server.leads_to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.asked.append("GET " + self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def parts(letter: EmailMessage) -> tuple[str, str]:
    """Text and HTML of a letter."""
    plain, page = letter.get_body(("plain",)), letter.get_body(("html",))
    if plain is None or page is None:
        raise AssertionError("a letter has two forms")
    return str(plain.get_content()), str(page.get_content())
