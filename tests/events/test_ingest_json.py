"""The quick reading of a body beside the rigorous one: the same events, the same refusals."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import schema

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def batch(properties: bytes) -> bytes:
    return b'{"batch":[{"type":"track","userId":"u","event":"e","properties":' + properties + b"}]}"


def outcome(read: schema.Body) -> tuple[Any, Any]:
    """What is kept and what is refused, with the kept properties as values: a float may be written in two ways."""
    kept, refused = schema.read_batch(read.data["batch"], received_at=NOW, plain=read.plain)
    return [(row._replace(properties=""), json.loads(row.properties)) for row in kept], refused


@pytest.mark.parametrize(
    "properties",
    [
        b'{"id":1234567890123456789}',
        b'{"id":"8234567890123456789"}',
        b'{"n":[-0,-0.0,1.0E5,0.1,1e-7,1e22],"t":"\\ud83d\\ude00\\n\\"\\\\","u":"\xea\xb8\xb8\\u001f\x7f"}',
        b'{"a":1,"a":2}',
    ],
)
def test_body__of_plain_values__is_read_quickly_and_alike(properties: bytes) -> None:
    read = schema.read_body(schema.BOM + batch(properties))

    assert read.plain
    assert repr(read.data) == repr(schema.load_json(batch(properties)))
    assert outcome(read) == outcome(schema.Body(read.data, plain=False))


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        (b'{"n":9223372036854775808}', "bad_number"),
        (b'{"n":-9223372036854775809}', "bad_number"),
        (b'{"n":18446744073709551616}', "bad_number"),
        (b'{"n":' + b"9" * 5_000 + b"}", "bad_number"),
        (b'{"n":NaN}', "bad_number"),
        (b'{"n":1e999}', "bad_number"),
        (b'{"n":"\\u0000"}', "bad_text"),
        (b'{"n":"\\ud800"}', "bad_text"),
    ],
)
def test_body__with_a_value_that_orjson_changes_or_refuses__is_read_slowly(properties: bytes, code: str) -> None:
    read = schema.read_body(batch(properties))

    assert not read.plain
    assert [refusal.code for refusal in outcome(read)[1]] == [code]


@pytest.mark.parametrize(("levels", "kept"), [(62, 1), (63, 0), (200, 0), (500, 0)])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")])
def test_body__nested_deeply__is_refused_at_the_same_level(
    levels: int, kept: int, brackets: tuple[bytes, bytes]
) -> None:
    body = batch(b'{"d":' + brackets[0] * levels + b"1" + brackets[1] * levels + b"}")
    read = schema.read_body(body)

    assert read.plain
    assert len(outcome(read)[0]) == kept
    assert outcome(read) == outcome(schema.Body(schema.load_json(body), plain=False))


@pytest.mark.parametrize("size", [schema.EVENT_BYTES, schema.EVENT_BYTES + 1])
def test_body__of_an_event_at_32_kib_and_beyond__is_measured_alike(size: int) -> None:
    event = {"type": "track", "userId": "u", "event": "길드", "properties": {"t": ""}}
    event["properties"] = {"t": "x" * (size - len(schema.dumps(event).encode()))}
    body = json.dumps({"batch": [event]}, indent=1).encode()  # longer as sent than as measured
    read = schema.read_body(body)

    assert read.plain
    assert len(outcome(read)[0]) == (size == schema.EVENT_BYTES)
    assert outcome(read) == outcome(schema.Body(schema.load_json(body), plain=False))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify", "page"]), "userId": JSON, "event": st.text(), "properties": JSON},
    optional={"messageId": JSON, "timestamp": JSON, "context": JSON, "traits": JSON},
)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=300)
@given(st.lists(EVENTS, max_size=3), st.booleans())
def test_body__of_any_json__gives_the_events_of_the_rigorous_reading(events: list[Any], ascii_only: bool) -> None:
    text = json.dumps({"batch": events}, ensure_ascii=ascii_only)
    body = text.encode(errors="surrogatepass")
    try:
        slow = schema.load_json(body)
    except ValueError:
        with pytest.raises(ValueError):
            schema.read_body(body)
        return

    read = schema.read_body(body)

    assert outcome(read) == outcome(schema.Body(slow, plain=False))
    if read.plain:
        assert not any(isinstance(value, float) and not math.isfinite(value) for value in _values(read.data))


def _values(value: Any) -> list[Any]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [found for one in inner for found in _values(one)]
    return [value]
