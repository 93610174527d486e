"""The published event libraries against the running site: nothing lost, nothing doubled, whatever it answers."""

import gzip
import json
import time
from typing import Any

import pytest

from tests.clients.conftest import CLIENTS, installed, send
from tests.clients.line import line_to
from tests.clients.server import Site, running_site, stored
from tests.events.conftest import file_uris

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
TRAITS = (
    "import json; from events.models import UnitTraits; print(json.dumps(UnitTraits.objects.get(user_id='u1').traits))"
)


def in_store(site: Site, settings: Any, prefix: str) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    """Events of the store by the rest of their message id, after a flush."""
    site.manage("flush_events")
    settings.EVENTS_URL = site.environment["EVENTS_URL"]
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for message_id, user_id, event, properties in stored(file_uris()):
        if message_id.startswith(prefix + "-"):
            properties.pop("context", None)
            found.setdefault(message_id.removeprefix(prefix + "-"), []).append((user_id, event, properties))
    return found


@pytest.mark.parametrize("client", CLIENTS)
def test_client__sending_every_type_and_250_events_twice__is_kept_once(
    client: str, site: Site, key: str, name: str, settings: Any
) -> None:
    before = site.ingested()
    first = send(client, site.url, key, prefix=name, kinds=True, count=250).finish()
    between = site.ingested()
    again = send(client, site.url, key, prefix=name, kinds=True, count=250).finish()
    after = site.ingested()

    assert (first, again) == ([], [])
    assert (between["accepted"] - before["accepted"], between["duplicate"] - before["duplicate"]) == (257, 0)
    assert (after["accepted"] - between["accepted"], after["duplicate"] - between["duplicate"]) == (0, 257)
    assert after["rejected"] == before["rejected"]
    assert in_store(site, settings, name) == {
        "identify": [("u1", "$identify", {"plan": name})],
        "track": [("u1", "invite", {"한글": "값", "n": 1})],
        "page": [("u1", "$page", {"name": "home", "category": "docs", "n": 2})],
        "screen": [("u1", "$screen", {"name": "lobby", "category": "game", "n": 3})],
        "group": [("u1", "$group", {"groupId": "g1", "size": 4})],
        "alias": [("u1", "$alias", {"previousId": "old"})],
        "anonymous": [("a1", "visit", {})],
        **{str(number): [(f"u{number % 97}", "play", {"n": number})] for number in range(250)},
    }
    assert site.run(TRAITS) == {"plan": name}


@pytest.mark.parametrize("client", CLIENTS)
def test_client__while_the_database_is_away__gets_503_and_sends_again(
    client: str, site: Site, key: str, name: str, settings: Any
) -> None:
    seen = len(site.statuses())

    with site.database_away():
        sent = send(client, site.url, key, prefix=name, count=20)
        deadline = time.monotonic() + 60
        while 503 not in site.statuses()[seen:] and time.monotonic() < deadline:
            time.sleep(0.1)
    errors = sent.finish()

    assert errors == []
    assert site.statuses()[seen:].count(503) >= 1
    assert {number: len(rows) for number, rows in in_store(site, settings, name).items()} == dict.fromkeys(
        map(str, range(20)), 1
    )


@pytest.mark.once
def test_clients__beyond_their_rate__get_429_and_resume(
    tmp_path_factory: pytest.TempPathFactory, name: str, settings: Any
) -> None:
    clients = [client for client in CLIENTS if installed(client)]
    with running_site(tmp_path_factory.mktemp("one"), WEB_CONCURRENCY="1") as site:  # each worker counts for itself
        keys = dict(zip(clients, site.issue_keys(len(clients), rate=2), strict=True))
        time.sleep((36 - time.time()) % 60)  # the minute ends soon, and so does the wait; all start before it does

        sent = {
            client: send(client, site.url, key, prefix=f"{name}-{client}", count=40 if client == "node" else 250)
            for client, key in keys.items()
        }  # three batches each
        errors = {client: process.finish() for client, process in sent.items()}

        kept = in_store(site, settings, name)
        wanted = [f"{client}-{number}" for client in clients for number in range(40 if client == "node" else 250)]
        assert errors == {client: [] for client in clients}
        assert {client for client, key in keys.items() if 429 in site.statuses(key)} == set(clients)
        assert {message_id: len(rows) for message_id, rows in kept.items()} == dict.fromkeys(wanted, 1)


def test_rudder__by_default__sends_gzip_with_basic_only_and_is_accepted(site: Site, key: str, name: str) -> None:
    with line_to(site.port) as (line, address):
        errors = send("rudder", address, key, prefix=name, count=3).finish()

    [request] = line.requests
    body = json.loads(gzip.decompress(request.body))
    assert (errors, request.status) == ([], 200)
    assert request.headers["Content-Encoding"] == "gzip"
    assert request.headers["Authorization"].startswith("Basic ")
    assert "writeKey" not in body
    assert len(body["batch"]) == 3
