"""A study of two dates reads the events of its own days alone: with all others unreadable it gives the same answers."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aha.study.gather import gather
from aha.study.population import Restriction
from aha.study.question import Inputs
from events.store import event_table
from events.warehouse.daily_tables import refresh
from events.warehouse.session import questions
from runs.site_zone import choose_site_zone
from tests.events.conftest import event_store as event_store
from tests.events.conftest import wipe_dates

pytestmark = pytest.mark.django_db
DATES, FIRST = 500, datetime(2025, 6, 1, 3, tzinfo=UTC)
COHORT = date(2025, 9, 10), date(2025, 9, 11)
INPUTS = Inputs("signup", (1, 3), "window:3-5", max_times=3, first_date=str(COHORT[0]), last_date=str(COHORT[1]))
MOST = 9


def answers(mode: str) -> dict[str, Any]:
    with questions(day_mode=mode) as asked:
        found = vars(gather(asked, replace(INPUTS, day_mode=mode), Restriction(), seed=1))
    rows = zip(*(part.tolist() for part in found["rows"]), strict=True)
    inner = {name: vars(found[name]) for name in ("attributes", "unit_days", "windows")}
    return found | inner | {"rows": sorted(rows)}


# The first date that is read; Seoul's begin on the one before of UTC.
@pytest.mark.slow
@pytest.mark.parametrize(("mode", "zone", "since"), [("rolling", "UTC", 0), ("calendar", "Asia/Seoul", -1)])
def test_study__of_two_dates_in_a_store_of_500__reads_nine(event_store: Path, mode: str, zone: str, since: int) -> None:
    choose_site_zone(zone)
    rows = []
    for day in range(DATES):
        for user in range(6 if abs(day - 101) < 5 else 1):
            at = FIRST + timedelta(days=day, hours=3 * user)
            rows.append((f"u{day}-{user}", "signup", at))
            rows += [
                (f"u{day}-{user}", name, at + timedelta(hours=hours * (1 + user % 3)))
                for hours, name in enumerate(("open", "play", "play", "add", "play", "open", "add"), 3)
            ]
            rows += [(f"u{day}-{user}", "open", at + timedelta(days=4))] * (user % 2)
    rows = [row for row in rows if row[2] < FIRST + timedelta(days=DATES)]
    times = pa.array([at for _, _, at in rows], pa.timestamp("us", tz="UTC"))
    table = {"user_id": [row[0] for row in rows], "event": [row[1] for row in rows], "time": times}
    table |= {"properties": pa.nulls(len(rows), pa.string()), "message_id": [f"m{at}" for at in range(len(rows))]}
    event_table.append(pa.table(table | {"received_at": times}), app_id="test", version=1)
    refresh()
    whole = answers(mode)
    # Its own, and of its month the first, where late events lie; opening the store reads how far the data reach.
    own = [COHORT[0] + timedelta(days=day) for day in range(since, since + MOST - 1)]
    newest = max(times.to_pylist()).date()
    read = {COHORT[0].replace(day=1), *own, newest.replace(day=1), newest}

    assert wipe_dates(event_store, lambda day: day not in read) >= DATES - len(read)

    found = answers(mode)
    assert 0 < whole["retained"].sum() < whole["unit_ids"].size == 12
    np.testing.assert_equal(found, whole)
