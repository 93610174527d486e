"""The record: what is refused and why, the sender's clock, the latest traits."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import schema
from events.outbox import accept

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
GOOD = {"type": "track", "userId": "u1", "event": "invite"}


def read_one(raw: Any, **options: Any) -> schema.EventRecord | schema.Rejection:
    accepted, rejected = schema.read_batch([raw], received_at=NOW, **options)
    assert len(accepted) + len(rejected) == 1
    return accepted[0] if accepted else rejected[0]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ([], "not_an_object"),
        (None, "not_an_object"),
        ({**GOOD, "type": "buy"}, "unknown_type"),
        ({"userId": "u", "event": "e"}, "unknown_type"),
        ({**GOOD, "type": ["track"]}, "unknown_type"),
        ({**GOOD, "userId": None}, "missing_identity"),
        ({**GOOD, "userId": "", "anonymousId": None}, "missing_identity"),
        ({**GOOD, "userId": True}, "missing_identity"),
        ({**GOOD, "event": "  "}, "missing_event_name"),
        ({**GOOD, "event": 7}, "missing_event_name"),
        ({**GOOD, "event": "x" * 257}, "bad_text"),
        ({**GOOD, "userId": "x" * 257}, "bad_text"),
        ({**GOOD, "event": "$user"}, "reserved_name"),
        ({**GOOD, "event": "$joined"}, "reserved_name"),
        ({**GOOD, "messageId": "x" * 100}, "bad_message_id"),
        ({**GOOD, "messageId": 7}, "bad_message_id"),
        ({**GOOD, "timestamp": "yesterday"}, "bad_timestamp"),
        ({**GOOD, "timestamp": 1700000000}, "bad_timestamp"),
        ({**GOOD, "timestamp": "1969-12-31T23:59:59Z"}, "bad_timestamp"),
        ({**GOOD, "timestamp": "0001-01-01T00:00:00+09:00"}, "bad_timestamp"),
        ({**GOOD, "properties": {"a": [math.nan]}}, "bad_number"),
        ({**GOOD, "properties": {"a": math.inf}}, "bad_number"),
        ({**GOOD, "properties": {"a": "x\0y"}}, "bad_text"),
        ({**GOOD, "properties": {"a\0": 1}}, "bad_text"),
        ({**GOOD, "properties": {"a": "\ud800"}}, "bad_text"),
        ({**GOOD, "properties": {"a": nested(200)}}, "event_too_large"),
        ({**GOOD, "properties": {"a": nested(5_000)}}, "event_too_large"),
        ({**GOOD, "type": "alias"}, "missing_field"),
        ({**GOOD, "type": "group"}, "missing_field"),
        ({**GOOD, "event": "Experiment Viewed", "properties": {"experiment_id": "e"}}, "bad_exposure"),
        ({**GOOD, "event": "experiment_viewed", "properties": {"experimentId": "", "variationId": 1}}, "bad_exposure"),
    ],
)
def test_event__with_one_fault__is_refused_with_its_code(raw: Any, code: str) -> None:
    result = read_one(raw)

    assert isinstance(result, schema.Rejection)
    assert result.code == code
    assert result.message == schema.ERRORS[code].english
    result.payload.encode("ascii")


@pytest.mark.parametrize("size", [schema.EVENT_BYTES, schema.EVENT_BYTES + 1])
def test_event__at_32_kib_and_one_byte_more__only_the_larger_is_refused(size: int) -> None:
    raw = {**GOOD, "properties": {"t": ""}}
    raw["properties"] = {"t": "x" * (size - len(json.dumps(raw, separators=(",", ":"))))}

    result = read_one(raw)

    assert isinstance(result, schema.EventRecord) == (size == schema.EVENT_BYTES)


def test_event__with_hangul_of_three_bytes__is_measured_in_bytes() -> None:
    result = read_one({**GOOD, "properties": {"t": "한" * 11_000}})

    assert isinstance(result, schema.Rejection)
    assert result.code == "event_too_large"


def test_message_id__with_99_characters__is_kept() -> None:
    result = read_one({**GOOD, "messageId": "x" * 99})

    assert isinstance(result, schema.EventRecord)
    assert result.message_id == "x" * 99


def test_event__with_both_ids_and_context__keeps_the_user_and_remembers_the_rest() -> None:
    raw = {"type": "track", "userId": 7, "anonymousId": "a", "event": "invite", "properties": {"n": 1}}

    result = read_one(raw, context={"library": {"name": "x"}})

    assert isinstance(result, schema.EventRecord)
    assert (result.user_id, result.event, result.time) == ("7", "invite", NOW)
    assert json.loads(result.properties) == {"n": 1, "context": {"library": {"name": "x"}, "anonymousId": "a"}}


def test_exposure__under_its_alias__gets_one_name_and_text_ids() -> None:
    raw = {**GOOD, "event": "experiment_viewed", "properties": {"experimentId": "guild", "variationId": 0}}

    result = read_one(raw)

    assert isinstance(result, schema.EventRecord)
    assert result.event == "Experiment Viewed"
    kept = json.loads(result.properties)
    assert (kept["experiment_id"], kept["variation_id"]) == ("guild", "0")


@pytest.mark.parametrize("context", [{"a": "\0"}, {"a": "x" * 9_000}, "text", {"a": math.nan}])
def test_batch_context__that_can_not_be_kept__is_left_out_and_the_event_stays(context: Any) -> None:
    result = read_one(GOOD, context=context)

    assert isinstance(result, schema.EventRecord)
    assert result.properties == "{}"


@pytest.mark.parametrize(
    ("skew", "corrected"),
    [
        (timedelta(seconds=5), False),
        (timedelta(seconds=5, microseconds=1), True),
        (timedelta(hours=-3), True),
        (timedelta(days=1) - timedelta(microseconds=1), True),
        (timedelta(days=1), False),
    ],
)
def test_clock__off_by_a_skew__is_corrected_between_5_seconds_and_a_day(skew: timedelta, corrected: bool) -> None:
    true_time = NOW - timedelta(minutes=10)  # ten minutes before it was sent, by any clock
    said = true_time + skew

    result = schema.correct_time(said, sent_at=NOW + skew, received_at=NOW)

    assert result == (true_time if corrected else said)


@pytest.mark.parametrize(("age", "corrected"), [(timedelta(hours=48), True), (timedelta(hours=48, seconds=1), False)])
def test_clock__for_an_old_event__is_corrected_up_to_48_hours(age: timedelta, corrected: bool) -> None:
    sent_at = NOW + timedelta(hours=1)

    result = schema.correct_time(sent_at - age, sent_at=sent_at, received_at=NOW)

    assert (result == NOW - age) == corrected


def test_time__in_the_future__is_set_to_the_arrival_and_marked() -> None:
    result = read_one({**GOOD, "timestamp": "2026-11-25T00:00:00+09:00"})  # 15:00 UTC, three hours ahead

    assert isinstance(result, schema.EventRecord)
    assert (result.time, result.clamped) == (NOW, True)
    assert json.loads(result.properties)["context"]["originalTimestamp"] == "2026-11-24T15:00:00+00:00"


def test_import__with_a_wrong_clock__keeps_its_time() -> None:
    raw = {**GOOD, "timestamp": "2026-11-24T10:00:00"}

    result = read_one(raw, sent_at="2026-11-24T14:00:00Z", historical=True)

    assert isinstance(result, schema.EventRecord)
    assert result.time == datetime(2026, 11, 24, 10, tzinfo=UTC)


@given(st.permutations([(0, {"plan": "free"}), (1, {"plan": "pro", "age": 1}), (2, {"age": None})]))
def test_traits__in_any_order_of_arrival__end_as_the_latest_said(order: list[tuple[int, dict[str, Any]]]) -> None:
    values: dict[str, Any] = {}
    times: dict[str, str] = {}

    for hour, new in order:
        values, times = accept.merge_traits(values, times, new, NOW + timedelta(hours=hour))

    assert values == {"plan": "pro", "age": None}


def test_latest_traits__more_than_fit__are_the_last_ones_that_do() -> None:
    values: dict[str, Any] = {}
    times: dict[str, str] = {}

    for call in range(20):
        values, times = accept.merge_traits(values, times, {f"t{call:02}": "x" * 8_000}, NOW + timedelta(hours=call))

    assert sorted(values) == sorted(times) == [f"t{call:02}" for call in range(12, 20)]  # 64 KiB hold eight


@pytest.mark.parametrize(("body", "number"), [(b"9223372036854775807", 2**63 - 1), (b"-9223372036854775808", -(2**63))])
def test_json__with_the_largest_integers__keeps_them(body: bytes, number: int) -> None:
    assert schema.load_json(body) == number


@pytest.mark.parametrize("body", [b"9223372036854775808", b"-9223372036854775809", b"1" * 9_000, b"NaN", b"-Infinity"])
def test_json__with_a_number_that_does_not_fit__is_readable_but_not_finite(body: bytes) -> None:
    assert not math.isfinite(schema.load_json(body))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 90_000])
def test_json__that_can_not_be_read__raises_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        schema.load_json(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["type", "userId", "event", "messageId", "timestamp", "properties", "traits", "context", "sentAt"]
)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(FIELDS, JSON | st.sampled_from(["track", "identify"]), max_size=9))
def test_event__of_any_shape__is_kept_as_clean_text_or_refused(raw: dict[str, Any]) -> None:
    result = read_one(raw)

    if isinstance(result, schema.EventRecord):
        result.properties.encode()
        json.loads(result.properties, parse_constant=lambda name: pytest.fail(name))
        assert "\0" not in json.dumps(result.properties)
        assert 1 <= len(result.user_id) <= 256
        assert result.time <= NOW
    else:
        result.payload.encode("ascii")


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ({"type": "identify", "traits": {"a": 1}, "context": {"traits": {"a": 2}}}, {"a": 1}),
        ({"type": "identify", "traits": {}, "context": {"traits": {"a": 2}}}, {}),
        ({"type": "identify", "context": {"traits": {"a": 2}}}, {"a": 2}),
        ({"type": "identify", "context": {"traits": 7}}, {}),
        (
            {"type": "page", "name": "home", "category": "docs", "properties": {"n": 1}},
            {"n": 1, "name": "home", "category": "docs"},
        ),
        ({"type": "screen", "name": "home", "category": 7, "properties": {"name": "own"}}, {"name": "own"}),
    ],
)
def test_fields__outside_of_the_properties__are_kept_with_them(raw: dict[str, Any], kept: dict[str, Any]) -> None:
    record = read_one({"userId": "u1", **raw})

    assert isinstance(record, schema.EventRecord)
    properties = json.loads(record.properties)
    properties.pop("context", None)
    assert properties == kept
    assert record.traits == (kept if raw["type"] == "identify" else None)
