"""A running site for all tests of this folder, and the published clients that talk to it."""

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clients.server import ROOT, Site, running_site
from tests.conftest import missing

HERE = ROOT / "tests" / "clients"
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
CLIENTS = ("segment", "segment-gzip", "rudder", "node")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One gunicorn with two workers."""
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="session")
def _keys(site: Site) -> list[str]:
    return site.issue_keys(20)  # one call, since each start of Django costs a second


@pytest.fixture
def key(_keys: list[str]) -> str:
    """A key whose source has no event yet."""
    return _keys.pop()


@pytest.fixture(scope="session")
def shared_key(_keys: list[str]) -> str:
    """A key for tests that don't mind each other's events."""
    return _keys.pop()


@pytest.fixture
def name() -> str:
    """A prefix of message ids that no other test uses."""
    return uuid.uuid4().hex[:12]


@dataclass
class Sent:
    """A client at work. `finish` waits for its end and gives the errors that it reported."""

    process: subprocess.Popen[bytes]

    def finish(self) -> list[str]:
        out, err = self.process.communicate(timeout=180)
        assert self.process.returncode == 0, err.decode()
        errors: list[str] = json.loads(out)["errors"]
        return errors


def installed(client: str) -> bool:
    """True when `make clients` could install it."""
    if client == "node":
        return shutil.which("node") is not None and (HERE / "node_modules" / "@segment" / "analytics-node").is_dir()
    return PYTHON.exists()


def send(client: str, host: str, key: str, **job: Any) -> Sent:
    """Start a published client; the job is described in send.py and send.mjs.

    Args:
        client: one of `CLIENTS`.
        host: where to send to.
        key: the write key.
        job: `prefix` of the message ids, `count` of events, `kinds` (one event of each type), `repeat` (a share of
            events that is queued a second time, with the same message id).
    """
    if not installed(client):
        missing(f"the client {client} (make clients)")
    command = ["node", str(HERE / "send.mjs")] if client == "node" else [str(PYTHON), str(HERE / "send.py")]
    given = json.dumps({"client": client, "host": host, "key": key, "prefix": "m", "count": 0, **job}).encode()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(given)
    process.stdin.close()
    process.stdin = None  # communicate() would flush it again
    return Sent(process)
