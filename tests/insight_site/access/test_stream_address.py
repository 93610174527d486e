"""What a bulk answer says of streams, and the tokens that stand for keys that must not stand in an address."""

import json
import time
from typing import Any

import pytest
from django.test import Client

from events.models import Source
from insight_site.access import keys
from tests.experiments.make import running

pytestmark = pytest.mark.django_db
BULK = "/ofrep/v1/evaluate/flags"


def issued(kind: str, **given: Any) -> tuple[Any, str]:
    source, _ = Source.objects.get_or_create(name="flags")
    return keys.issue_key(name="t", source=source, kind=kind, scopes=["assign:read"], **given)


def bulk(key: str, **headers: str) -> Any:
    body = json.dumps({"context": {"targetingKey": "u1"}})
    return Client().post(BULK, body, "application/json", headers={"X-API-Key": key, **headers})


@pytest.fixture(autouse=True)
def _forget() -> None:
    keys.forget_cached_keys()  # rows of other tests had the same numbers


@pytest.fixture
def served(settings: Any) -> Any:
    settings.EVENT_STREAMS_URL = "https://insight.example"
    running()
    return settings


def test_bulk__without_the_setting__says_nothing_of_streams_and_keeps_its_tag(served: Any) -> None:
    _, key = issued("client")
    served.EVENT_STREAMS_URL = ""
    before = bulk(key)
    served.EVENT_STREAMS_URL = "https://insight.example"
    with_streams = bulk(key)

    assert set(before.json()) == {"flags", "metadata"}
    assert with_streams.json()["eventStreams"] == [
        {"type": "sse", "url": f"https://insight.example/ofrep/v1/streams/{key}", "inactivityDelaySec": 120}
    ]
    assert before["ETag"] != with_streams["ETag"]  # else a client that knows the old answer never hears of streams
    assert bulk(key, **{"If-None-Match": with_streams["ETag"]}).status_code == 304


@pytest.mark.parametrize("kind", ["server", "admin"])
def test_bulk__with_a_secret_key__names_a_token_and_not_the_key(kind: str, served: Any) -> None:
    row, key = issued(kind)
    url = bulk(key).json()["eventStreams"][0]["url"]
    token = url.rsplit("/", 1)[1]

    found = keys.caller_of_token(token)

    assert key not in url
    assert found is not None
    assert (found.key_id, found.kind) == (row.pk, kind)
    assert bulk(key).json()["eventStreams"][0]["url"] == url


def test_token__changed_too_old_or_of_a_revoked_key__opens_nothing(
    monkeypatch: pytest.MonkeyPatch, served: Any
) -> None:
    row, key = issued("server")
    caller = keys.find_caller(key)
    assert caller is not None
    token = keys.token_of(caller)
    other = keys.token_of(keys.find_caller(issued("server")[1]))  # type: ignore[arg-type]
    crossed = other.rsplit(".", 1)[0] + "." + token.rsplit(".", 1)[1]

    assert keys.caller_of_token(token) == caller
    assert [keys.caller_of_token(bad) for bad in (crossed, token[:-1], "st_", "st_1.9999999999.x")] == [None] * 4
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now + 2 * keys.PERIOD + 1)
        assert keys.caller_of_token(token) is None
    keys.revoke_key(row=row)
    assert keys.caller_of_token(token) is None


def test_web_process__asked_for_a_stream__says_that_another_holds_it(served: Any) -> None:
    _, key = issued("client")
    _, secret = issued("server")

    assert Client().get(f"/ofrep/v1/streams/{key}").status_code == 404
    assert Client().get(f"/ofrep/v1/streams/{secret}").status_code == 401
    assert Client().post(f"/ofrep/v1/streams/{key}").status_code == 405
