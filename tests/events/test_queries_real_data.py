"""The figures of public logs, reproduced through `import_events` and the queries."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.core.management import call_command
from django.test import override_settings

from events.metrics import parse_behaviour, parse_metric, parse_retention
from events.warehouse import engine, queries
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, Window, data_end

# What `import_events` is told of each file.
LOGS = {
    "messages": [
        "CollegeMsg.txt --separator ' ' --user source --time weight --time-format unix_s --event-name message "
        "--properties target"
    ],
    "365": [
        "365_student_info.csv --user student_id --time date_registered --event-name register",
        "365_student_engagement.csv --user student_id --time date_watched --event-name watch",
    ],
    "cdnow": [
        "CDNOW_master.txt --separator whitespace --user customer_id --time date --time-format %Y%m%d --event-name buy "
        "--properties number_of_cds dollar_value"
    ],
}


@pytest.fixture(scope="module")
def stores(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The store of a log, imported once for all tests that ask it: importing is most of their time."""

    @cache
    def store(name: str) -> str:
        place = str(tmp_path_factory.mktemp(name) / "store")
        with override_settings(EVENTS_URL=place):
            for file, *options in map(shlex.split, LOGS[name]):
                call_command("import_events", str(real_data / "events" / file), *options, verbosity=0)
        return place

    return store


def ground(house: Any, clock: Clock) -> Basis:
    span = house.run(queries.span(house.events, clock)).iloc[0]
    end = data_end(span.newest.to_pydatetime(), clock, day_grain=bool(span.day_grain))
    return Basis(clock, end, dialect=house.dialect)


CURVES = {
    DayMode.ROLLING: {1: (1348, 537), 7: (1344, 321), 14: (1339, 269), 30: (1328, 140), 60: (1309, 40), 90: (1284, 42)},
    DayMode.CALENDAR: {1: (1348, 590), 7: (1344, 354), 14: (1339, 260), 30: (1329, 144)},
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(DayMode))
def test_college_messages__day_n_of_both_clocks__equal_the_known_table(
    stores: Callable[[str], str], settings: Any, mode: DayMode
) -> None:
    settings.EVENTS_URL = stores("messages")

    with engine.connect() as house:
        b = ground(house, Clock(mode))
        users = queries.cohort(house.events, "message", b)
        curve = house.run(queries.retention_curve(house.events, users, b, list(CURVES[mode])))

    assert {row.day: (row.eligible, row.active) for row in curve.itertuples()} == CURVES[mode]


@pytest.mark.slow
def test_college_messages__aha_table__equals_the_known_counts(stores: Callable[[str], str], settings: Any) -> None:
    settings.EVENTS_URL = stores("messages")
    definitions: Any = {
        "r": parse_retention("window:14-34"),
        "people": parse_metric("count:message#target:0-6"),
        "sent": parse_metric("count:message:0-6"),
        "days": parse_metric("active_days:0-6"),
    }

    with engine.connect() as house:
        b = ground(house, Clock())
        users = queries.cohort(house.events, "message", b)
        frame = house.run(queries.outcomes(house.events, users, b, definitions))
        people = parse_behaviour("message#target")
        counts = house.run(queries.counts(house.events, users, b, days=7, behaviours=[people]))

    mature = frame.dropna()
    assert (len(mature), mature.r.sum()) == (1324, 727)
    for column, times, did, stayed in [("people", 4, 631, 484), ("people", 2, 983, 639), ("sent", 5, 741, 543)]:
        doers = mature[mature[column] >= times]
        assert (len(doers), doers.r.sum()) == (did, stayed), column
    assert ((mature.days >= 3).sum(), mature.r[mature.days >= 3].sum()) == (634, 483)
    long = counts.groupby("user_id").n.sum()
    assert (long.reindex(mature.user_id).fillna(0) == mature.set_index("user_id").people).all()


@pytest.mark.slow
def test_365__registrations_and_lectures__equal_the_known_shares(stores: Callable[[str], str], settings: Any) -> None:
    settings.EVENTS_URL = stores("365")
    days = {0: 13172, 1: 3266, 7: 1014, 14: 683, 30: 398}
    windows: Any = {"a": "window:1-7", "b": "window:8-30", "c": "window:31-60", "d": "active_days:0-6"}

    with engine.connect() as house:
        plain = ground(house, Clock())
        b = Basis(plain.clock, plain.data_end, activity=("watch",))
        users = queries.cohort(house.events, "register", b)
        old = users.filter(queries.mature(users, Window(31, 60)))
        curve = house.run(queries.retention_curve(house.events, old, b, list(days)))
        asked = {name: parse_metric(text) for name, text in windows.items()}
        frame = house.run(queries.outcomes(house.events, old, b, asked))  # type: ignore[arg-type]

    assert {row.day: (row.eligible, row.active) for row in curve.itertuples()} == {
        day: (33452, n) for day, n in days.items()
    }
    assert (frame.a.sum(), frame.b.sum(), frame.c.sum()) == (5531, 3037, 1849)
    assert ((frame.d >= 3).sum(), frame.b[frame.d >= 3].sum()) == (1935, 1095)


@pytest.mark.slow
def test_cdnow__repeat_purchases__equal_the_known_counts_and_ids_keep_their_zeros(
    stores: Callable[[str], str], settings: Any
) -> None:
    settings.EVENTS_URL = stores("cdnow")
    texts: Any = {"a": "window:1-30", "b": "window:31-60", "c": "window:61-90", "d": "window:91-180"}
    texts |= {"cds": "sum:buy:number_of_cds:0-0", "all": "count:buy:0-0"}

    with engine.connect() as house:
        b = ground(house, Clock())
        users = queries.cohort(house.events, "buy", b)
        asked = {name: parse_metric(text) for name, text in texts.items()}
        frame = house.run(house.named(queries.outcomes(house.events, users, b, asked)))  # type: ignore[arg-type]
        events = house.run(queries.event_names(house.events)).iloc[0]

    assert (events.events, events.users) == (69659, 23570)
    assert [int(frame[name].sum()) for name in "abcd"] == [4115, 3057, 2350, 4644]
    assert frame.user_id.str.len().eq(5).all()


@pytest.mark.slow
def test_365__monthly_cohorts__equal_the_known_shares(stores: Callable[[str], str], settings: Any) -> None:
    settings.EVENTS_URL = stores("365")
    known = {date(2021, 12, 1): (632, 3582), date(2022, 3, 1): (719, 3711), date(2022, 6, 1): (681, 4237)}
    known[date(2022, 8, 1)] = (1209, 5588)

    with engine.connect() as house:
        plain = ground(house, Clock())
        b = Basis(plain.clock, plain.data_end, activity=("watch",))
        for first, (retained, units) in known.items():
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
            users = queries.cohort(house.events, "register", replace(b, first=first, last=last))
            values = queries.outcomes(house.events, users, b, {"r": parse_retention("window:1-30")})
            found = house.run(values).r
            assert (found.sum(), found.count(), len(found)) == (retained, units, units), first


@pytest.mark.slow
def test_cdnow__cohorts_by_month_of_first_purchase__equal_the_known_sizes_and_repeats(
    stores: Callable[[str], str], settings: Any
) -> None:
    settings.EVENTS_URL = stores("cdnow")
    known = {1: (7846, [1157, 964, 810]), 2: (8476, [1312, 980, 783]), 3: (7248, [1032, 752, 756])}

    with engine.connect() as house:
        b = ground(house, Clock(DayMode.CALENDAR))
        for month, (size, active) in known.items():
            first, after = date(1997, month, 1), date(1997, month + 1, 1)
            users = queries.cohort(house.events, "buy", replace(b, first=first, last=after - timedelta(days=1)))
            days = queries.activity_days(house.events, users, b, Window(0, 180)).join(users, "user_id")
            frame = house.run(days.select("user_id", "day", "anchor_date"))
            when = pd.to_datetime(frame.anchor_date) + pd.to_timedelta(frame.day, unit="D")
            later = (when.dt.year - 1997) * 12 + when.dt.month - month
            assert house.run(users.count().as_table()).iloc[0, 0] == size
            assert [frame.user_id[later == k].nunique() for k in (1, 2, 3)] == active
