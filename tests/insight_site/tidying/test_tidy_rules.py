"""Each rule on both sides of its threshold."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from insight_site.tidying import untidy
from insight_site.tidying.untidy import Dates

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)
ONE = Dates(status="running", planned_end=TODAY, ended=None)


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
    assert untidy.past_end(changed(status=status, planned_end=end), TODAY) == (end if found else None)


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
    assert untidy.still_asked(one, TODAY + days_after * DAY, calls) == (ended if found else None)
    assert untidy.still_asked(one, None, calls) is None
    assert untidy.still_asked(changed(status=status, ended=None), TODAY, calls) is None
