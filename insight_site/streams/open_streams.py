"""The open streams of a process: their limits, and notifications to all of them."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from django.conf import settings
from prometheus_client import Counter as Count
from prometheus_client import Gauge, Histogram

from events.schema import Caller
from insight_site.streams.config_watch import Change

# A client that evaluates before a change and opens its stream after the notification would otherwise miss it.
RECENT_SECONDS = 60.0
OPEN = Gauge("insight_event_streams_open", "Event streams that are open.", multiprocess_mode="livesum")
ENDED = Count("insight_event_streams_ended", "Event streams that ended, by why.", ["why"])
REFUSED = Count("insight_event_streams_refused", "Event streams that were refused for their number.", ["limit"])
TOLD = Count("insight_event_streams_told", "Changes that were written to event streams.")
DELAY = Histogram(
    "insight_event_streams_delay_seconds",
    "From the moment of a change until it was written to a stream.",
    buckets=(0.5, 1.0, 1.25, 1.5, 1.75, 2.0, 3.0, 5.0, 10.0),
)


@dataclass(eq=False)
class OpenStream:
    """An open connection.

    Attributes:
        caller: caller of the key that opened it.
        origin: of the page; "" for a client that is no browser.
        visitor: the address, as limits count it.
        knows: the tag that the client has; None without one.
        why: reason to end it; "" while it stays open.
        wake: set for a notification, or to end it.
        since: when it was opened, in monotonic seconds.
    """

    caller: Caller
    origin: str
    visitor: str
    knows: str | None
    why: str = ""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    since: float = field(default_factory=time.monotonic)

    def end(self, why: str) -> None:
        """End it soon; the first reason is kept."""
        self.why = self.why or why
        self.wake.set()


class OpenStreams:
    """All open connections.

    Attributes:
        told: the last announced change, or the state at the start.
        told_at: when it was announced, in monotonic seconds.
        ending: the process is shutting down.
    """

    def __init__(self) -> None:
        self.told: Change | None = None
        self.ending = False
        self.told_at = float("-inf")
        self._open: set[OpenStream] = set()
        self._by_key: Counter[int] = Counter()
        self._by_visitor: Counter[tuple[int, str]] = Counter()

    def full_for(self, caller: Caller, visitor: str) -> str:
        """The limit that another stream would exceed: `all`, `key` or `visitor`; "" for none."""
        limits = (
            ("all", len(self._open), settings.EVENT_STREAMS),
            ("key", self._by_key[caller.key_id], settings.EVENT_STREAMS_KEY),
            ("visitor", self._by_visitor[caller.key_id, visitor], settings.EVENT_STREAMS_VISITOR),
        )
        found = next((name for name, number, most in limits if number >= most), "")
        if found:
            REFUSED.labels(found).inc()
        return found

    def add(self, stream: OpenStream) -> None:
        """Add a stream. With a tag, it is notified if another is served; without, of a recent change."""
        self._open.add(stream)
        self._count(stream, 1)
        if self.told is not None and stream.knows is None:
            recent = time.monotonic() - self.told_at < RECENT_SECONDS
            stream.knows = "" if recent else self.told.tag
        if self.ending:
            stream.end("end")

    def remove(self, stream: OpenStream) -> None:
        """Remove a closed stream."""
        self._open.discard(stream)
        self._count(stream, -1)
        ENDED.labels(stream.why or "left").inc()

    def tell(self, change: Change) -> None:
        """Notify all streams, at spread times, since clients then evaluate at once."""
        if self.told is not None:  # the first state of a process is no change
            self.told_at = time.monotonic()
        self.told = change
        for stream in self._open:
            stream.wake.set()

    def end_all(self) -> None:
        """End all streams, with a reconnection delay."""
        self.ending = True
        for stream in list(self._open):
            stream.end("end")

    def key_ids(self) -> list[int]:
        """Ids of the keys of open streams."""
        return list(self._by_key)

    def end_unless(self, live: dict[int, Caller], asked: Collection[int]) -> None:
        """End streams whose key isn't live, lacks the scope, or doesn't allow their origin any more.

        Args:
            live: callers of live keys, by key id.
            asked: ids of the keys that were checked; streams of other keys opened meanwhile and stay.
        """
        for stream in [one for one in self._open if one.caller.key_id in asked]:
            caller = live.get(stream.caller.key_id)
            origins = caller.allowed_origins if caller else ()
            wrong_origin = stream.origin and origins and stream.origin not in origins
            if caller is None or not caller.may("assign:read") or wrong_origin:
                stream.end("key")

    def _count(self, stream: OpenStream, change: int) -> None:
        key = stream.caller.key_id
        _add(self._by_key, key, change)
        _add(self._by_visitor, (key, stream.visitor), change)
        OPEN.set(len(self._open))


def _add[T](counts: Counter[T], name: T, change: int) -> None:
    counts[name] += change
    if not counts[name]:  # don't keep names of closed streams
        del counts[name]


def somewhere(low: float, high: float) -> float:
    """A random number of seconds within bounds, to spread clients over time. Not secret."""
    return random.uniform(low, high)  # noqa: S311
