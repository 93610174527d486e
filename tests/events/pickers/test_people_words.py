"""Retention in people's own words, and definitions taken apart into a form's gaps and put together again. Pure."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.metrics import parse_metric
from events.pickers.definition_parts import (
    Parts,
    definition_of,
    parts_of,
    read_definition,
    read_retention,
    specification,
)
from runs.refusals import Refused

days = st.integers(0, 300)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("D7", "on_day:7"),
        ("d-7", "on_day:7"),
        ("D+7", "on_day:7"),
        ("day 14", "on_day:14"),
        ("Day 7 retention", "on_day:7"),
        ("14일차", "on_day:14"),
        ("7일 잔존율", "on_day:7"),
        ("가입 후 7일", "on_day:7"),
        ("D1 리텐션", "on_day:1"),
        ("D14-20", "window:14-20"),
        ("days 14 to 20", "window:14-20"),
        ("14~20일 잔존", "window:14-20"),
        ("14-20", "window:14-20"),
        ("week 2", "week:2"),
        ("W2", "week:2"),
        ("2주차 잔존", "week:2"),
        ("D7+", "unbounded:7"),
        ("7일 이후", "unbounded:7"),
        ("일주일", None),
        ("day", None),
        ("", None),
        ("window", None),
        ("D12345", None),
    ],
)
def test_words__of_people__are_understood(said: str, meant: str | None) -> None:
    assert specification(said) == meant


def test_retention__not_understood__says_how_it_is_written() -> None:
    with pytest.raises(Refused, match=r"I don't know 'soon'. Write it as D7, day 14-20 or week 2"):
        read_retention("soon")


def test_retention__somebody_knows_specifications__keeps_the_exact_refusal() -> None:
    with pytest.raises(Refused, match="needs a window of days such as 14-20, not '14'"):
        read_retention("window:14")


def test_retention__runs_backwards__is_refused() -> None:
    with pytest.raises(Refused, match="20-14 runs backwards"):
        read_retention("day 20-14")


@pytest.mark.parametrize(
    "line",
    [
        "on_day:7",
        "window:14-20",
        "min_days:14-20:2",
        r"min_events:a\:b:14-20:3",
        "unbounded:14",
        "survival:7",
        "count:battle[mode=pvp]:0-6",
        "sum:buy:price:0-6",
        "active_days:0-6",
        "capped:99.9%:sum:buy:price:0-6",
    ],
)
def test_parts__of_a_line__make_the_same_line_again(line: str) -> None:
    assert str(definition_of(parts_of(parse_metric(line)))) == line


@pytest.mark.parametrize("line", ["capped:5:active_days:0-6", "capped:5:active_days:0-6 / count:battle:0-6"])
def test_parts__of_what_has_no_words__leave_it_to_the_line(line: str) -> None:
    assert parts_of(read_definition(line)).kind == "line"


def test_parts__of_a_week__show_its_days() -> None:
    assert parts_of(parse_metric("week:2")) == Parts("active", 8, 14)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a machine under load draws slowly
@given(first=days, length=st.integers(0, 60), least=st.integers(1, 60))
def test_parts__of_active_days__round_trip_or_are_refused(first: int, length: int, least: int) -> None:
    parts = Parts("active", first, first + length, least)
    if least > length + 1:
        with pytest.raises(Refused, match="different days in a window"):
            definition_of(parts)
    else:
        assert parts_of(definition_of(parts)) == parts


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "event"}, "Choose the event that counts."),
        ({"kind": "count"}, "Choose the behaviour that is counted."),
        ({"kind": "sum", "event": "buy"}, "Choose the event and the property"),
        ({"kind": "churn", "gap": 0}, "at least one day"),
        ({"first": 9, "last": 3}, "9-3 runs backwards"),
    ],
)
def test_parts__with_a_gap__are_refused_in_a_sentence(change: dict[str, object], said: str) -> None:
    with pytest.raises(Refused, match=said):
        definition_of(replace(Parts(), **change))  # type: ignore[arg-type]
