"""A site whose PostgreSQL is really away: nobody listens on its port, or nobody answers there."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from insight_site.operate.request_lines import EVERY
from tests.clients.server import Site, free_port

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
KEY = "sk_" + "x" * 43


@pytest.fixture(scope="module", params=["nobody listens", "nobody answers"])
def lonely_site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Site]:
    """It starts without its database, as after a power cut in the whole house."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", free_port()))
        if request.param == "nobody answers":  # the system takes the connection, and then nothing is ever said
            mute.listen(16)
        site = Site(tmp_path_factory.mktemp("away"), f"postgres://nobody@127.0.0.1:{mute.getsockname()[1]}/insight")
        try:
            site.start("/healthz")
            yield site
        finally:
            site.stop()


def ask(url: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@pytest.mark.parametrize("place", ["header", "body"])
def test_events__with_the_database_away__get_503_and_never_401(lonely_site: Site, place: str) -> None:
    event = {"type": "track", "userId": "u", "event": "e"}
    body = json.dumps({"batch": [event], **({"writeKey": KEY} if place == "body" else {})}).encode()
    headers = {"Authorization": f"Bearer {KEY}"} if place == "header" else {}

    began = time.monotonic()
    status, got, content = ask(lonely_site.url + "/v1/batch", body, **headers)

    assert (status, got["Retry-After"], json.loads(content)["code"]) == (503, "5", "unavailable")
    assert time.monotonic() - began < 9  # the most impatient library waits 10 s


def test_probes__with_the_database_away__tell_alive_from_ready(lonely_site: Site) -> None:
    began = time.monotonic()
    status, _, content = ask(lonely_site.url + "/readyz")

    assert time.monotonic() - began < 4
    assert ask(lonely_site.url + "/healthz")[0] == 200
    said = json.loads(content)
    assert (status, said["status"]) == (503, "not ready")
    assert said["database"].startswith("failed: ")
    assert said["migrations"] == "failed: not asked, the database is away"


def test_metrics__with_the_database_away__still_count_requests(lonely_site: Site) -> None:
    ask(lonely_site.url + "/v1/batch", b"{}", Authorization=f"Bearer {KEY}")

    counted = b'insight_requests_total{door="ingest",status="503"}'
    deadline = time.monotonic() + 20 * EVERY  # the other worker may answer: it can't write what the first still holds
    while True:
        status, _, content = ask(lonely_site.url + "/metrics")
        if counted in content or time.monotonic() > deadline:
            break

    assert status == 200
    assert counted in content
