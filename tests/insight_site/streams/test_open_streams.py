"""How many streams there may be, and whose keys keep them open."""

from dataclasses import replace
from typing import Any

import pytest

from events.schema import Caller
from insight_site.machine.open_streams import OpenStream, OpenStreams

ONE = Caller("pk_11111", "client", 1, frozenset({"assign:read"}), key_id=1)
TWO = replace(ONE, key_prefix="pk_22222", key_id=2)


def opened(streams: OpenStreams, caller: Caller, visitor: str, origin: str = "") -> OpenStream:
    stream = OpenStream(caller, origin, visitor, None)
    streams.add(stream)
    return stream


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.EVENT_STREAMS, settings.EVENT_STREAMS_KEY, settings.EVENT_STREAMS_VISITOR = 4, 3, 2


def test_limits__at_each_of_them__name_the_one_that_is_reached() -> None:
    streams = OpenStreams()
    first = opened(streams, ONE, "a")
    assert streams.full_for(ONE, "a") == ""

    opened(streams, ONE, "a")
    assert (streams.full_for(ONE, "a"), streams.full_for(ONE, "b"), streams.full_for(TWO, "a")) == ("visitor", "", "")

    opened(streams, ONE, "b")
    assert (streams.full_for(ONE, "c"), streams.full_for(TWO, "c")) == ("key", "")

    opened(streams, TWO, "c")
    assert streams.full_for(TWO, "d") == "all"

    streams.remove(first)
    assert streams.full_for(TWO, "d") == ""
    assert streams.full_for(ONE, "a") == ""


def test_keys__that_ended_or_lost_a_right__end_their_streams_alone() -> None:
    streams = OpenStreams()
    ended, weaker, moved, new = (
        opened(streams, replace(ONE, key_id=n), "a", "https://a.example") for n in (1, 2, 3, 4)
    )
    goes_on = opened(streams, replace(ONE, key_id=5), "a")
    live = {
        2: replace(ONE, scopes=frozenset({"config:read"})),
        3: replace(ONE, allowed_origins=("https://b.example",)),
        5: replace(ONE, allowed_origins=("https://b.example",)),  # no browser opened this one
    }

    streams.end_unless(live, [1, 2, 3, 5])

    assert [one.why for one in (ended, weaker, moved, new, goes_on)] == ["key", "key", "key", "", ""]
    assert sorted(streams.key_ids()) == [1, 2, 3, 4, 5]
