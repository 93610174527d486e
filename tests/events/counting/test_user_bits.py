"""The table of people, made from active days of several parts, says of random logs what a plain count of them says."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import Any

import ibis
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.schema import EXPOSURE_EVENTS
from events.warehouse import queries
from events.warehouse.activity_bits import active_days, date_words, day_words, first_monday, people
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, data_end

CLOCKS = [
    Clock(),
    Clock(time_zone="Asia/Seoul"),
    Clock(DayMode.CALENDAR, "America/New_York"),
    Clock(DayMode.CALENDAR, "Asia/Seoul"),
    Clock(DayMode.CALENDAR, "Asia/Kathmandu"),
]
SCHEMA = {"user_id": "int32", "event": "string", "time": "timestamp"}
START = datetime(2024, 2, 26, tzinfo=UTC)  # New York's clocks are put forward on the 10th of March
Row = tuple[int, str, datetime]

# Moments lie on few seconds of the day, so that events meet anchors, midnights and each other; some lie a year later.
times = st.builds(
    lambda day, hour, extra: START + timedelta(days=day, hours=hour, microseconds=extra),
    st.one_of(st.integers(0, 40), st.just(370)),
    st.sampled_from([0, 5, 15, 18.25, 23.5]),
    st.sampled_from([-1, 0, 0, 1]),
)
rows = st.tuples(st.integers(1, 4), st.sampled_from(["signup", "play", "play", "shop", *EXPOSURE_EVENTS[:1]]), times)
logs = st.lists(st.lists(rows, min_size=1, max_size=25), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    yield backend
    backend.disconnect()


def table(engine: Any, found: list[Row], name: str) -> Any:
    naive = [(user, event, time.replace(tzinfo=None)) for user, event, time in found]
    frame = pd.DataFrame(naive, columns=list(SCHEMA)).astype({"user_id": "int32", "time": "datetime64[us]"})
    return engine.create_table(name, frame, schema=ibis.schema(SCHEMA), temp=True, overwrite=True)


@pytest.mark.slow
@pytest.mark.parametrize("clock", CLOCKS, ids=str)
@pytest.mark.parametrize("signup", ["signup", "*"])
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=logs)
def test_people__of_any_parts__are_those_of_a_plain_count(
    engine: Any, clock: Clock, signup: str, parts: list[list[Row]]
) -> None:
    whole = [row for part in parts for row in part]
    grain = all(time == midnight_of(time, clock) for *_, time in whole)
    end = data_end(max(time for *_, time in whole), clock, day_grain=grain)
    basis = Basis(clock, end)
    tables = [table(engine, part, f"part_{number}") for number, part in enumerate(parts)]
    active = reduce(ibis.union, [days_of(part, rows, clock) for part, rows in zip(tables, parts, strict=True)])
    log = reduce(ibis.union, tables)
    dates = [on_the_site(time, clock) for *_, time in whole]
    monday = first_monday(max(dates), min(dates))
    words = {"words": day_words((max(dates) - min(dates)).days + 2), "weeks_words": date_words(monday, max(dates))}

    made = people(queries.cohort(log, signup, basis), active, basis, monday=monday, **words)

    assert {row["user_id"]: said(row, monday) for row in engine.to_pyarrow(made).to_pylist()} == counted(
        whole, signup, clock, end
    )


def on_the_site(time: datetime, clock: Clock) -> date:
    """The date in the zone, also where the days are rolling."""
    return Clock(DayMode.CALENDAR, clock.time_zone).local_date(time)


def midnight_of(time: datetime, clock: Clock) -> datetime:
    zone = Clock(DayMode.CALENDAR, clock.time_zone)
    return zone.midnight(zone.local_date(time))


def days_of(part: Any, rows: list[Row], clock: Clock) -> Any:
    moments = [time.replace(tzinfo=None) for *_, time in rows]
    return active_days(part, clock.time_zone, oldest=min(moments), newest=max(moments))


Said = tuple[datetime, int, int | None, frozenset[int], frozenset[date]]


def said(row: dict[str, Any], monday: date) -> Said:
    """What a row of people says: anchor, complete days, last day, active days, active dates."""
    days = places(row, "days_", 31)
    dates = {monday + timedelta(days=place) for place in places(row, "dates_", 28)}
    return row["anchor"], row["complete_days"], row["last_day"], days, frozenset(dates)


def places(row: dict[str, Any], prefix: str, size: int) -> frozenset[int]:
    words = [row[name] for name in row if name.startswith(prefix)]
    return frozenset(size * word + bit for word, bits in enumerate(words) for bit in range(size) if bits >> bit & 1)


def counted(whole: list[Row], signup: str, clock: Clock, end: datetime) -> dict[int, Said]:
    """The same, event by event."""
    anchors: dict[int, datetime] = {}
    for user, event, time in sorted(whole, key=lambda row: row[2]):
        if signup in ("*", event):
            anchors.setdefault(user, time)
    found = {}
    for user, anchor in anchors.items():
        mine = [time for who, event, time in whole if who == user and event not in EXPOSURE_EVENTS]
        mine = [time for time in mine if anchor <= time < end]
        days = frozenset(clock.day_of(time, anchor) for time in mine)
        dates = frozenset(on_the_site(time, clock) for time in mine)
        complete = clock.complete_days(anchor, end)
        found[user] = (anchor.replace(tzinfo=None), complete, max(days, default=None), days, dates)
    return found
