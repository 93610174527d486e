"""The agents' server as it runs for real: a process of its own on a loopback port, over a database of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.clients.server import ROOT, START_SECONDS, Site, migrated_file
from tests.loops import in_a_loop

KEYS = """
import json
from events.models import Source
from insight_site.access.keys import issue_key
source = Source.objects.create(name="agents")
READ = ["reports:read"]
WANTED = {"reader": READ, "drafter": [*READ, "plans:draft", "studies:start"], "peeker": [*READ, "outcomes:peek"],
          "stranger": ["events:write"]}
print(json.dumps({name: issue_key(name=f"agent {name}", source=source, kind="server", scopes=scopes, rate=100_000)[1]
                  for name, scopes in WANTED.items()}))
"""


class AgentSite(Site):
    """One site whose only process is the agents' server; `keys` by what they may."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, f"sqlite:///{folder / 'own.sqlite3'}")
        shutil.copyfile(migrated_file(), folder / "own.sqlite3")
        self.keys: dict[str, str] = self.run(KEYS)
        self.mcp = f"{self.url}/mcp"

    def start(self, wait_for: str = "/healthz") -> None:
        """Serve, and come back when the server answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "mcp", "--http", f"127.0.0.1:{self.port}"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(self.url + wait_for, timeout=5)
                return
            except OSError:
                time.sleep(0.05)
        self.end()
        raise RuntimeError("the server did not start:\n" + self.log.read_text()[-4000:])

    def end(self) -> None:
        """End the server as an operator does; returns when it has ended."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=20)

    def post(self, body: bytes | Iterator[bytes], *, key: str | None = "reader", **headers: str) -> httpx2.Response:
        """A bare POST to the door, as no client would send it."""
        given = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **headers}
        if key is not None:
            given.setdefault("Authorization", f"Bearer {self.keys.get(key, key)}")
        return httpx2.post(self.mcp, content=body, headers=given, timeout=30)


@contextmanager
def served(folder: Path) -> Iterator[AgentSite]:
    """A site that serves agents until the block ends."""
    site = AgentSite(folder)
    site.start()
    try:
        yield site
    finally:
        site.end()


@asynccontextmanager
async def client_of(site: AgentSite, key: str, mode: str = "auto") -> Any:
    """The official client over HTTP, with a key."""
    headers = {"Authorization": f"Bearer {site.keys.get(key, key)}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(site.mcp, http_client=http), mode=mode) as client,
    ):
        yield client


def with_client(site: AgentSite, key: str, ask: Any, mode: str = "auto") -> Any:
    """What `ask(client)` returns, a coroutine function, with the official client."""

    async def run() -> Any:
        async with client_of(site, key, mode) as client:
            return await ask(client)

    return in_a_loop(run)


def call(site: AgentSite, who: str, tool: str, /, **arguments: Any) -> dict[str, Any]:
    """The JSON of a tool's answer, a refusal included."""

    async def ask(client: Client) -> Any:
        return await client.call_tool(tool, arguments)

    found: dict[str, Any] = with_client(site, who, ask).structured_content
    return found
