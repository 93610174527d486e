"""What goes over one connection, said by the real response to a client that is a pair of functions."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from events.schema import Caller
from insight_site.machine import open_streams
from insight_site.machine.config_watch import Change
from insight_site.machine.open_streams import EventResponse, OpenStream, OpenStreams, event_of
from tests.loops import in_a_loop

CALLER = Caller("pk_12345", "client", 1, frozenset({"assign:read"}), key_id=7)
BEGIN = Change("1-1000", datetime(2026, 11, 27, tzinfo=UTC))
NEXT = Change("2-2000", datetime(2026, 11, 27, 1, tzinfo=UTC))


class Client:
    """Collects what is sent; it leaves when told to, and takes nothing more while it is stuck."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        self.stuck = False

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        self.sent.append(dict(message))

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


def held(play: Callable[[OpenStreams, OpenStream, Client], Awaitable[None]], knows: str | None = None) -> Any:
    """Hold one stream while `play` goes on; the client and the stream afterwards."""

    async def run() -> tuple[Client, OpenStream, OpenStreams]:
        streams, client = OpenStreams(), Client()
        streams.tell(BEGIN)
        stream = OpenStream(CALLER, "", "127.0.0.1", knows)
        response = EventResponse(stream, streams, [(b"content-type", b"text/event-stream")])
        holding = asyncio.create_task(response({}, client.receive, client.send))
        await asyncio.sleep(0.01)
        await play(streams, stream, client)
        if not stream.why:
            client.left.set()
        await asyncio.wait_for(holding, 5)
        return client, stream, streams

    return in_a_loop(run)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_streams, "SPREAD_SECONDS", 0.0)
    monkeypatch.setattr(open_streams, "SEND_SECONDS", 0.1)


def test_event__of_a_change__is_the_protocols() -> None:
    lines = event_of(NEXT).decode().split("\n")

    assert lines[:2] == ["id: 2-2000", "event: message"]
    assert json.loads(lines[2].removeprefix("data: ")) == {
        "type": "refetchEvaluation",
        "etag": '"2-2000"',
        "lastModified": int(NEXT.at.timestamp()),
    }
    assert lines[3:] == ["", ""]


@pytest.mark.parametrize(("knows", "events"), [(None, 0), ("1-1000", 0), ("0-5", 1)])
def test_stream__opened__tells_what_the_client_missed(knows: str | None, events: int) -> None:
    async def nothing(_streams: OpenStreams, _stream: OpenStream, _client: Client) -> None:
        await asyncio.sleep(0.05)

    client, stream, _ = held(nothing, knows)

    assert client.text.count("refetchEvaluation") == events
    assert client.text.startswith("retry: ")
    assert (stream.why, client.sent[0]["status"]) == ("left", 200)


def test_stream__opened_soon_after_a_change__tells_it_to_one_that_knows_nothing() -> None:
    async def second(streams: OpenStreams, _stream: OpenStream, _client: Client) -> None:
        streams.tell(NEXT)
        later = OpenStream(CALLER, "", "127.0.0.1", None)
        streams.add(later)
        assert later.knows == ""
        streams.remove(later)

    held(second)


def test_stream__with_several_changes__is_told_of_the_last() -> None:
    async def two(streams: OpenStreams, _stream: OpenStream, _client: Client) -> None:
        streams.tell(Change("2-1", NEXT.at))
        streams.tell(NEXT)
        await asyncio.sleep(0.05)

    client, _, _ = held(two)

    assert client.text.count("refetchEvaluation") == 1
    assert "id: 2-2000" in client.text


def test_stream__without_a_change__gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_streams, "BEAT_SECONDS", 0.02)

    async def wait(_streams: OpenStreams, _stream: OpenStream, _client: Client) -> None:
        await asyncio.sleep(0.2)

    client, _, _ = held(wait)

    assert client.text.count(": \n\n") >= 3


def test_client__that_takes_nothing__is_dropped() -> None:
    async def stick(streams: OpenStreams, _stream: OpenStream, client: Client) -> None:
        client.stuck = True
        streams.tell(NEXT)
        await asyncio.sleep(0.3)

    _, stream, streams = held(stick)

    assert stream.why == "slow"
    assert streams.key_ids() == []


def test_process__that_ends__says_when_to_come_back_and_ends_the_answer() -> None:
    async def end(streams: OpenStreams, _stream: OpenStream, _client: Client) -> None:
        streams.end_all()

    client, stream, streams = held(end)

    assert stream.why == "end"
    assert client.sent[-1]["more_body"] is False
    assert client.sent[-1]["body"].startswith(b"retry: ")
    late = OpenStream(CALLER, "", "127.0.0.1", None)
    streams.add(late)
    assert late.why == "end"
