"""Each rule on both sides of its threshold."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from insight_site.tidying import tidy_rules
from insight_site.tidying.tidy_rules import Dates

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TODAY = NOW.date()
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ONE = Dates(
    status="running",
    planned_end=TODAY,
    touched=NOW - 60 * DAY,
    started=NOW - 30 * DAY,
    ended=None,
    enrolment_open=True,
    last_new=NOW - 3 * DAY,
)


def changed(**fields: Any) -> Dates:
    return replace(ONE, **fields)


@pytest.mark.parametrize(
    ("status", "end", "found"),
    [
        ("running", TODAY - DAY, True),
        ("paused", TODAY - DAY, True),
        ("running", TODAY, False),  # its last day
        ("running", None, False),
        ("stopped", TODAY - DAY, False),
        ("draft", TODAY - DAY, False),
    ],
)
def test_past_end(status: str, end: date | None, found: bool) -> None:
    assert tidy_rules.past_end(changed(status=status, planned_end=end), TODAY) == (end if found else None)


@pytest.mark.parametrize(
    ("status", "calls", "days_after", "found"),
    [
        ("stopped", 100, 3, True),
        ("concluded", 40_000, 3, True),
        ("stopped", 99, 3, False),
        ("stopped", 100, 2, False),
        ("running", 100, 3, False),
    ],
)
def test_still_asked(status: str, calls: int, days_after: int, found: bool) -> None:
    ended = NOW.replace(hour=0)
    one = changed(status=status, ended=ended)
    assert tidy_rules.still_asked(one, TODAY + days_after * DAY, calls) == (ended if found else None)
    assert tidy_rules.still_asked(one, None, calls) is None
    assert tidy_rules.still_asked(changed(status=status, ended=None), TODAY, calls) is None


@pytest.mark.parametrize(
    ("fields", "since"),
    [
        ({}, NOW - 3 * DAY),
        ({"last_new": NOW - 3 * DAY + SECOND}, None),
        ({"last_new": None}, NOW - 30 * DAY),  # never one
        ({"last_new": None, "started": NOW - 3 * DAY}, NOW - 3 * DAY),
        ({"last_new": None, "started": NOW - 3 * DAY + SECOND}, None),
        ({"status": "paused"}, None),
        ({"enrolment_open": False}, None),
    ],
)
def test_no_exposures(fields: dict[str, Any], since: datetime | None) -> None:
    assert tidy_rules.no_exposures(changed(**fields), NOW) == since


def test_last_growth() -> None:
    assert tidy_rules.last_growth([]) is None
    assert tidy_rules.last_growth([(NOW, 0)]) is None
    assert tidy_rules.last_growth([(NOW, 5)]) == NOW
    assert tidy_rules.last_growth([(NOW, 5), (NOW - DAY, 5), (NOW - 2 * DAY, 4)]) == NOW - DAY


def test_untouched_draft() -> None:
    assert tidy_rules.untouched_draft(changed(status="draft"), NOW) == NOW - 60 * DAY
    assert tidy_rules.untouched_draft(changed(status="draft", touched=NOW - 60 * DAY + SECOND), NOW) is None
    assert tidy_rules.untouched_draft(changed(status="running"), NOW) is None


@pytest.mark.parametrize(
    ("age", "candidate", "tested", "found"),
    [
        (30 * DAY, True, False, True),
        (30 * DAY - SECOND, True, False, False),
        (30 * DAY, False, False, False),
        (30 * DAY, True, True, False),
    ],
)
def test_never_tested(age: timedelta, candidate: bool, tested: bool, found: bool) -> None:
    made = NOW - age
    assert tidy_rules.never_tested(made, candidate=candidate, tested=tested, now=NOW) == (made if found else None)


def test_drifted() -> None:
    from segments.published.drift import Drift, drift_code

    assert tidy_rules.DRIFTED == drift_code(0.25) == Drift.REFIT
    assert tidy_rules.drifted(drift_code(0.25), NOW) == NOW
    assert tidy_rules.drifted(drift_code(0.2499), NOW) is None
    assert tidy_rules.drifted("", None) is None


def test_unused_segment() -> None:
    assert tidy_rules.unused_segment(NOW - 30 * DAY, used=False, now=NOW) == NOW - 30 * DAY
    assert tidy_rules.unused_segment(NOW - 30 * DAY + SECOND, used=False, now=NOW) is None
    assert tidy_rules.unused_segment(NOW - 30 * DAY, used=True, now=NOW) is None


def test_study_failed() -> None:
    assert tidy_rules.study_failed(NOW - DAY, failed=True, now=NOW) == NOW - DAY
    assert tidy_rules.study_failed(NOW - DAY + SECOND, failed=True, now=NOW) is None
    assert tidy_rules.study_failed(NOW - DAY, failed=False, now=NOW) is None
    assert tidy_rules.study_failed(None, failed=True, now=NOW) is None


def test_duplicate_study() -> None:
    assert tidy_rules.duplicate_study(NOW - 7 * DAY + SECOND, NOW) == NOW
    assert tidy_rules.duplicate_study(NOW - 7 * DAY, NOW) is None  # a week later it is about other users


def test_unused_key() -> None:
    old = NOW - 200 * DAY
    assert tidy_rules.unused_key(old, NOW - 90 * DAY, NOW) == NOW - 90 * DAY
    assert tidy_rules.unused_key(old, NOW - 90 * DAY + SECOND, NOW) is None
    assert tidy_rules.unused_key(old, None, NOW) == old
    assert tidy_rules.unused_key(NOW - 90 * DAY + SECOND, None, NOW) is None


def test_owner_gone() -> None:
    assert tidy_rules.owner_gone(active=True, since=NOW, made=NOW) is None
    assert tidy_rules.owner_gone(active=False, since=NOW - DAY, made=NOW - 9 * DAY) == NOW - DAY
    assert tidy_rules.owner_gone(active=False, since=None, made=NOW - 9 * DAY) == NOW - 9 * DAY
