"""The process that holds event streams, as services and operators meet it."""

import asyncio
import json
import time
from typing import Any

import pytest

from insight_site.access.keys import FRESH_SECONDS
from tests.clients.flags import arms, ask, create, issue
from tests.clients.rollout.test_kill_switch import post
from tests.clients.streams.conftest import Reader, Streams, change
from tests.loops import in_a_loop

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
WITHIN = 2.0
BULK = "/ofrep/v1/evaluate/flags"
PATH = "/ofrep/v1/streams/"
MANY = 500


def told(reader: Reader) -> tuple[float, dict[str, Any]]:
    """When the next event came, and its data."""
    block = reader.event()
    assert block["event"] == "message"
    return time.time(), json.loads(block["data"])


def listening(streams: Streams, key: str) -> Reader:
    """A stream that has nothing to tell: one that is opened soon after a change hears of that first."""
    reader = Reader(streams.port, PATH + key)
    if "id" not in (reader.block() or {}):
        reader.event()
    return reader


def test_bulk_answer__names_a_stream__of_the_public_key_or_of_a_token(streams: Streams, keys: tuple[str, str]) -> None:
    bodies = [ask(streams.site, key, BULK, {"context": {"targetingKey": "u"}}) for key in keys]

    (client,), (server,) = (body["eventStreams"] for _, _, body in bodies)
    assert client == {"type": "sse", "url": f"{streams.url}{PATH}{keys[0]}", "inactivityDelaySec": 120}
    assert server["url"].startswith(f"{streams.url}{PATH}st_")
    assert keys[1] not in json.dumps(bodies[1][2])
    again = ask(
        streams.site, keys[1], BULK, {"context": {"targetingKey": "u"}}, **{"If-None-Match": bodies[1][1]["ETag"]}
    )
    assert again[0] == 304
    reader = Reader(streams.port, server["url"].removeprefix(streams.url))
    assert (reader.status, reader.answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    reader.close()


def test_stream__without_a_right_to_it__is_refused_as_at_the_polling_door(
    streams: Streams, keys: tuple[str, str]
) -> None:
    site = streams.site
    (listed,) = issue(site, ("client", 1_000_000, ["https://shop.example"]))
    url = ask(site, keys[1], BULK, {"context": {"targetingKey": "u"}})[2]["eventStreams"][0]["url"]
    token = url.rsplit("/", 1)[1]
    forged = token.replace("st_", "st_9", 1)

    unknown, secret, wrong = (Reader(streams.port, PATH + key) for key in ("pk_" + "x" * 43, keys[1], forged))
    away = Reader(streams.port, PATH + listed, {"Origin": "https://other.example"})
    here = Reader(streams.port, PATH + listed, {"Origin": "https://shop.example"})

    assert [one.status for one in (unknown, secret, wrong, away, here)] == [401, 401, 401, 403, 200]
    assert set(unknown.body) == {"errorCode", "errorDetails"}
    assert unknown.answer.headers["Access-Control-Allow-Origin"] == "*"
    assert here.answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "access.secret_key_in_path" in streams.log.read_text()
    assert not any(key in streams.log.read_text() for key in (*keys, token, listed))
    assert ask(site, keys[0], PATH + keys[0])[0] == 404  # a web process holds none
    here.close()


def test_change__reaches_a_stream_within_two_seconds__and_the_answers_are_new_then(
    streams: Streams, keys: tuple[str, str], admin: str
) -> None:
    site = streams.site
    create(site, {"key": "burns", "variants": arms(1, 9_999)})
    time.sleep(WITHIN)
    reader = listening(streams, keys[0])
    asked = {"context": {"targetingKey": "u1"}}
    before = ask(site, keys[0], BULK, asked)

    began = int(time.time()) - 1
    post(site, admin, "burns/kill", {"why": "it burns"})
    pressed = time.time()
    at, data = told(reader)
    status, _, body = ask(
        site, keys[0], f"{BULK}?flagConfigEtag={data['etag']}", asked, **{"If-None-Match": before[1]["ETag"]}
    )

    print(f"told after {at - pressed:.2f} s")
    assert at - pressed < WITHIN
    assert (data["type"], status) == ("refetchEvaluation", 200)
    assert body["flags"][0]["reason"] == "DISABLED"
    assert data["lastModified"] > began
    reader.close()


def test_step__of_a_rollout__reaches_a_stream_at_its_date(streams: Streams, keys: tuple[str, str], admin: str) -> None:
    site = streams.site
    create(site, {"key": "by-date", "variants": arms(9_999, 1)})
    post(site, admin, "by-date/stop", {})
    at = int(time.time()) + 6
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    rows = [{"steps": [{"share": 1}, {"share": 10_000, "at": moment}]}]
    post(site, admin, "by-date/rollout", {"arm": "arm1", "rows": rows, "why": "it is liked"})
    time.sleep(WITHIN)
    reader = listening(streams, keys[0])

    data: dict[str, Any] = {}
    while data.get("lastModified") != at:
        when, data = told(reader)

    assert 0 <= when - at < WITHIN
    flags = ask(site, keys[0], BULK, {"context": {"targetingKey": "u1"}})[2]["flags"]
    assert next(flag["value"] for flag in flags if flag["key"] == "by-date") == "arm1"
    reader.close()


def test_client__that_comes_back__hears_what_it_missed_and_nothing_else(
    streams: Streams, keys: tuple[str, str]
) -> None:
    change(streams.site)
    time.sleep(WITHIN)  # the process has seen it then, however late it looked
    first = Reader(streams.port, PATH + keys[0])  # without a tag: it hears of what changed in the last minute
    tag = first.event()["id"]
    first.close()

    same = Reader(streams.port, PATH + keys[0], {"Last-Event-ID": tag})
    opening = same.block()
    missed = Reader(streams.port, PATH + keys[0], {"Last-Event-ID": "1-1"})
    missing = missed.event()["id"]
    change(streams.site)

    assert opening is not None
    assert opening["id"] == tag
    assert "data" not in opening
    assert 2_000 <= int(opening["retry"]) <= 5_000
    assert missing == tag
    assert same.event()["id"] != tag
    for reader in (same, missed):
        reader.close()


def test_key__that_is_revoked__ends_its_streams(streams: Streams, keys: tuple[str, str]) -> None:
    (key,) = issue(streams.site, ("client", 1_000_000, []))
    mine, others = Reader(streams.port, PATH + key), Reader(streams.port, PATH + keys[0])
    mine.block()

    streams.site.run(
        "from insight_site.models import ApiKey; from insight_site.access.keys import revoke_key\n"
        f"revoke_key(row=ApiKey.objects.get(prefix={key[:8]!r}))\nprint('null')"
    )
    began = time.monotonic()
    while mine.block() is not None:
        assert time.monotonic() - began < 5

    assert others.block() is not None
    time.sleep(FRESH_SECONDS)  # so long a process may remember the key
    assert Reader(streams.port, PATH + key).status == 401
    others.close()


async def _hold(port: int, path: str, tag: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nLast-Event-ID: {tag}\r\n\r\n".encode())
    await reader.readuntil(b"retry: ")
    return reader, writer


async def _hear_all(streams: Streams, key: str) -> list[float]:
    """Seconds until each of many streams was told of a change."""
    held, first = [], Reader(streams.port, PATH + key, {"Last-Event-ID": "none"})
    tag = first.event()["id"]
    for _ in range(0, MANY, 50):
        held += await asyncio.gather(*(_hold(streams.port, PATH + key, tag) for _ in range(50)))
    assert streams.metric("insight_event_streams_open") >= MANY
    await asyncio.sleep(WITHIN)
    for reader, _ in held:  # nothing but the opening lines so far
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readuntil(b"data: "), 0.001)

    done = await asyncio.to_thread(change, streams.site)

    async def hear(reader: asyncio.StreamReader) -> float:
        await asyncio.wait_for(reader.readuntil(b"refetchEvaluation"), 20)
        return time.time() - done

    heard = await asyncio.gather(*(hear(reader) for reader, _ in held))
    for _, writer in held:
        writer.close()
    first.close()
    return heard


def test_many_streams__hold__and_all_hear_of_a_change_within_two_seconds(
    streams: Streams, keys: tuple[str, str]
) -> None:
    before = streams.metric("insight_event_streams_open")
    heard = in_a_loop(lambda: _hear_all(streams, keys[0]))
    deadline = time.monotonic() + 10
    while (left := streams.metric("insight_event_streams_open") - before) > 0 and time.monotonic() < deadline:
        time.sleep(0.1)

    print(f"{MANY} streams: first {min(heard):.2f} s, last {max(heard):.2f} s")
    assert len(heard) == MANY
    assert max(heard) < WITHIN
    assert left <= 0


def test_process__with_limits_and_an_end__refuses_the_next_and_says_when_to_come_back(
    streams: Streams, keys: tuple[str, str]
) -> None:
    held = Streams(streams.site, streams.port + 2, EVENT_STREAMS="5", EVENT_STREAMS_KEY="4", EVENT_STREAMS_VISITOR="3")
    held.start()
    (other, third) = issue(streams.site, ("client", 1_000_000, []), ("client", 1_000_000, []))
    three = [Reader(held.port, PATH + keys[0]) for _ in range(3)]
    visitor = Reader(held.port, PATH + keys[0])
    two = [Reader(held.port, PATH + other) for _ in range(2)]
    full = Reader(held.port, PATH + third)
    refused = held.metric("insight_event_streams_refused_total")
    for reader in (*three, *two):
        reader.block()

    began = time.monotonic()
    code = held.stop()
    hints = [reader.block() for reader in (*three, *two)]

    assert [visitor.status, full.status] == [429, 429]
    assert "this address" in visitor.body["errorDetails"]
    assert "this process" in full.body["errorDetails"]
    assert visitor.answer.headers["Retry-After"] == "30"
    assert refused == 2
    assert (code, time.monotonic() - began < 5) == (0, True)
    pauses = [int(hint["retry"]) for hint in hints if hint]
    assert len(set(pauses)) > 1
    assert all(1_000 <= pause <= 10_000 for pause in pauses)
    assert len(pauses) == 5
