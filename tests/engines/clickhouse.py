"""ClickHouse's HTTP interface, as `clickhouse-connect` needs it, over chdb: ClickHouse as a library, without a server.

Ibis speaks to ClickHouse by that client alone, so the product runs as it would against a server. A process of its own
(``python -m tests.engines.clickhouse``) says its port and answers until its input is closed.

As on a server, a session by its id keeps its temporary tables and what `SET` set; settings of the address hold for one
query; external tables come as the files of a form, and are gone after the query; an error has its code in a header.
Answers aren't compressed, and Native blocks have the layout for clients that name no version of the protocol, which a
server also gives to those.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# What the transport of a server reads itself; everything else in the address is a setting or part of an external table.
TRANSPORT = {
    "buffer_size",
    "client_protocol_version",
    "compress",
    "database",
    "decompress",
    "enable_http_compression",
    "http_headers_progress_interval_ms",
    "query",
    "query_id",
    "quota_key",
    "role",
    "send_progress_in_http_headers",
    "session_check",
    "session_id",
    "session_timeout",
    "wait_end_of_query",
}
PARTS = ("_format", "_structure", "_types")
# A server's own limits, in bytes: http_max_uri_size, http_max_field_value_size.
MOST_OF_ADDRESS = 2**20
MOST_OF_FIELD = 2**17


@dataclass(frozen=True)
class Asked:
    """One request: the query, the session's id, settings of this query, and external tables by their names."""

    query: str
    session: str
    settings: Mapping[str, str]
    tables: Mapping[str, "External"]


@dataclass(frozen=True)
class External:
    """A table that comes with a query."""

    structure: str
    format: str
    data: bytes


def read(address: str, kind: str, body: bytes) -> Asked:
    """A request as a server understands it.

    Args:
        address: path and query string.
        kind: the body's content type.
        body: the end of the query, or a form with external tables.
    """
    fields = dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
    if any(len(value.encode()) > MOST_OF_FIELD for value in fields.values()):
        raise ValueError("Code: 1000. Field value too long")
    files: dict[str, bytes] = {}
    query = fields.get("query", "")
    if kind.startswith("multipart/form-data"):
        form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        for part in form.walk():
            if part.is_multipart():
                continue
            name = str(part.get_param("name", header="content-disposition"))
            files[name] = bytes(part.get_payload(decode=True))
        query += files.pop("query", b"").decode()
    else:
        query += body.decode()
    tables = {
        name: External(fields[f"{name}_structure"], fields.get(f"{name}_format", "TabSeparated"), data)
        for name, data in files.items()
    }
    parts = {name + part for name in tables for part in PARTS}
    settings = {name: value for name, value in fields.items() if name not in TRANSPORT | parts}
    return Asked(query, fields.get("session_id", ""), settings, tables)


class Engine:
    """The sessions of one embedded ClickHouse, by their ids. Queries run one after the other."""

    def __init__(self) -> None:
        from chdb.session import Session

        self._lock = Lock()
        self._place = TemporaryDirectory(prefix="insight-clickhouse-")
        self._open: Callable[[str], Any] = Session
        self._sessions: dict[str, Any] = {}

    def answer(self, asked: Asked) -> tuple[bytes, str]:
        """The answer in the format that the query names, and the session's time zone while it ran.

        Raises:
            RuntimeError: with ClickHouse's message.
        """
        with self._lock:
            if asked.session not in self._sessions:
                self._sessions[asked.session] = self._open(self._place.name)
            session = self._sessions[asked.session]
            with _set(session, asked.settings), _external(session, asked.tables):
                body = bytes(session.query(asked.query, "TabSeparated").bytes() or b"")
                zone = bytes(session.query("SELECT timezone()", "TabSeparated").bytes()).decode().strip()
        return body, zone


@contextmanager
def _set(session: Any, settings: Mapping[str, str]) -> Iterator[None]:
    """These settings inside the block."""
    if settings:
        session.query("SET " + ", ".join(f"{name} = {_text(value)}" for name, value in settings.items()))
    try:
        yield
    finally:
        if settings:
            session.query("SET " + ", ".join(f"{name} = DEFAULT" for name in settings))


@contextmanager
def _external(session: Any, tables: Mapping[str, External]) -> Iterator[None]:
    """These tables inside the block."""
    made: list[str] = []
    try:
        with TemporaryDirectory(prefix="insight-external-") as folder:
            for name, table in tables.items():
                path = Path(folder) / "data"
                path.write_bytes(table.data)
                session.query(f"CREATE TEMPORARY TABLE `{name}` ({table.structure}) ENGINE = Memory")
                made.append(name)
                session.query(f"INSERT INTO `{name}` FROM INFILE {_text(str(path))} FORMAT {table.format}")
        yield
    finally:
        for name in made:
            session.query(f"DROP TEMPORARY TABLE `{name}`")


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    engine: Engine
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        """As the base class does it, which takes addresses of 64 KiB only."""
        self.raw_requestline = self.rfile.readline(MOST_OF_ADDRESS + 1)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            asked = read(self.path, self.headers.get("Content-Type") or "", body)
            answer, zone = self.engine.answer(asked)
        except Exception as error:  # whatever chdb raises: the client must hear of it
            code = re.search(r"Code: (\d+)", str(error))
            self._say(500, str(error).encode(), {"X-ClickHouse-Exception-Code": code.group(1) if code else "1002"})
            return
        named = re.search(r"\bFORMAT\s+(\w+)\s*;?\s*$", asked.query, re.IGNORECASE)
        shape = {"X-ClickHouse-Format": named.group(1) if named else "TabSeparated"} if answer else {}
        self._say(200, answer, shape | {"X-ClickHouse-Timezone": zone})

    def _say(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: a test's output is its own."""


@contextmanager
def server() -> Iterator[str]:
    """Its address, as WAREHOUSE_URL has it, inside the block; its machine is in Seoul, which must not matter."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.engines.clickhouse"],
        env=os.environ | {"TZ": "Asia/Seoul"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"clickhouse://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def main() -> None:
    """Say the port, then answer until standard input ends."""
    Handler.engine = Engine()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
