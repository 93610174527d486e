"""Weeks from the log: those of the visits, with daily tables and without; and both sides of the span's borders."""

from datetime import date
from typing import Any

import pytest

from events.simulation.growth_worlds import FIRST
from events.warehouse import daily_tables
from events.warehouse.session import questions
from launches.growth.gather import MOST_WEEKS, Gathered, gather, span
from launches.models import GrowthForecast
from launches.price import price_of_growth
from runs.prices import metered
from tests.launches.growth.conftest import WEEKS
from tests.stats.growth_logs import weeks_from

pytestmark = pytest.mark.django_db


def gathered() -> Gathered:
    with questions() as store:
        return gather(store)


@pytest.mark.parametrize("kept", [False, True], ids=["log", "daily tables"])
@pytest.mark.usefixtures("growth_store")
def test_gather__of_a_world__is_what_its_visits_say(visits: Any, kept: bool) -> None:
    if kept:
        assert daily_tables.refresh().days
    found = gathered()
    user, day = visits
    # The first date may be cut short, so the weeks that end with the last whole date begin a week later.
    expected = weeks_from(user[day >= 7], day[day >= 7] - 7)
    assert (found.first - FIRST).days == 7
    assert len(found.weeks) == WEEKS - 1
    assert (found.weeks.states == expected.states).all()
    assert (found.weeks.n == expected.n).all()
    assert (found.weeks.back == expected.back).all()


@pytest.mark.parametrize("copies", [10])  # files of a few hundred rows are little but their footers
@pytest.mark.usefixtures("growth_store")
def test_price__told__is_within_20_percent_of_what_is_read() -> None:
    told = price_of_growth(GrowthForecast())
    with metered() as meter:
        gathered()
    assert told.known
    assert told.bytes == pytest.approx(meter.bytes, rel=0.2)


@pytest.mark.parametrize(
    ("oldest", "first", "weeks"),
    [
        (date(2026, 1, 1), date(2026, 1, 4), 4),
        (date(2026, 1, 3), date(2026, 1, 4), 4),
        (date(2026, 1, 4), date(2026, 1, 11), 3),
        (date(2026, 1, 28), date(2026, 2, 1), 0),
        (date(2015, 1, 1), date(2021, 2, 7), MOST_WEEKS),
    ],
)
def test_span__ends_with_the_last_whole_date_and_begins_after_the_first(oldest: date, first: date, weeks: int) -> None:
    assert span(oldest, date(2026, 2, 1)) == (first, weeks)
