"""Explore asked about two dates reads their events alone, and answers the same with and without daily tables."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aha.explore.answering import answer
from aha.explore.question import Question
from events.store import event_table
from events.warehouse import explore_session
from events.warehouse.daily_tables import refresh
from events.warehouse.explore_session import Stop, prepared
from runs.progress import silent
from runs.site_zone import choose_site_zone
from tests.events.conftest import event_store as event_store
from tests.events.conftest import wipe_dates
from tests.segments.levels import publish_levels

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
# The clocks of New York go back on 3 November 2024: that date has 25 hours.
DATES, FIRST = 120, datetime(2024, 8, 20, 3, tzinfo=UTC)
NEWEST = FIRST + timedelta(days=DATES, minutes=-1)
COHORT = date(2024, 11, 2), date(2024, 11, 3)
MOST = 9
ASKED: tuple[dict[str, Any], ...] = (
    {"view": "retention", "retention": "window:3-5"},
    {"view": "retention", "retention": "survival:3"},
    {"view": "activity", "behaviour": "play", "days": 3},
    {"view": "activity", "behaviour": "play#song", "days": 3},
    {"view": "times", "behaviour": "play", "days": 3, "retention": "window:3-5"},
    {"view": "times", "behaviour": "play[song=b]", "days": 3},
    {"view": "lifecycle"},
    {"view": "levels", "levels": "loyal"},
    {"view": "funnel", "steps": ("signup", "open", "play"), "days": 3},
)
WITHIN = tuple(one for one in ASKED if "#" not in one.get("behaviour", ""))  # its values may have come at any time


@pytest.fixture(autouse=True)
def _store(event_store: Path, settings: Any, tmp_path: Path) -> None:
    settings.EXPLORE_DIR = str(tmp_path / "explore")
    publish_levels()
    rows = []
    for day in range(DATES):
        for user in range(6):
            at = FIRST + timedelta(days=day, hours=3 * user)
            name = f"u{day}-{user}"
            rows.append((name, "signup", at, "a"))
            rows += [
                (name, event, at + timedelta(hours=hours * (1 + user % 3), minutes=7 * user - 20), "abc"[hours % 3])
                for hours, event in enumerate(("open", "play", "play", "add", "play", "open", "play"), 1)
            ]
            rows += [(name, "open", at + timedelta(days=4), "a")] * (user % 2)
            rows += [(name, "play", at + timedelta(hours=24 * back + 25), "b") for back in range(user)]
    rows = [row for row in rows if row[2] < NEWEST]
    # On the date of 25 hours somebody acts on three of their own days, and at the newest moment on a day of its own.
    three = ((3, 4, 10), (3, 12, 0), (4, 4, 40))
    rows += [("long", "open", datetime(2024, 11, day, hour, at, tzinfo=UTC), "a") for day, hour, at in three]
    rows += [("long", "signup", datetime(2024, 11, 2, 4, 30, tzinfo=UTC), "a")]
    rows += [("late", "signup", NEWEST - timedelta(hours=25), "a")]
    rows += [("late", "open", NEWEST - timedelta(hours=hours), "a") for hours in (2, 0)]
    times = pa.array([at for _, _, at, _ in rows], pa.timestamp("us", tz="UTC"))
    table = {"user_id": [row[0] for row in rows], "event": [row[1] for row in rows], "time": times}
    table |= {"properties": [f'{{"song": "{row[3]}"}}' for row in rows]}
    table |= {"message_id": [f"m{at}" for at in range(len(rows))], "received_at": times}
    event_table.append(pa.table(table), app_id="test", version=1)


def everybody(mode: str) -> list[dict[str, Any]]:
    explore_session.forget()
    with prepared(day_mode=mode, stop=Stop(), progress=silent) as asked:
        return asked.rows(asked.people("signup").order_by("user_id"))


def answers(mode: str, asked: tuple[dict[str, Any], ...], **dates: date) -> list[dict[str, Any]]:
    explore_session.forget()
    found = []
    for one in asked:
        question = Question(**{"signup": "signup", "day_mode": mode, **one, **dates})
        found.append(answer(question, stop=Stop(), progress=silent))
    return [{name: value for name, value in one.items() if name != "counted_at"} for one in found]


@pytest.mark.parametrize("mode", ["rolling", "calendar"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
def test_answers__with_daily_tables_and_from_the_log__are_the_same(zone: str, mode: str) -> None:
    choose_site_zone(zone)
    anybody = tuple(one | {"signup": "*"} for one in ASKED[:1])
    whole, people = answers(mode, ASKED + anybody), everybody(mode)
    refresh()

    assert answers(mode, ASKED + anybody) == whole
    assert everybody(mode) == people
    assert all(one["users"] for one in whole)


@pytest.mark.parametrize(("mode", "zone", "since"), [("rolling", "UTC", 0), ("calendar", "Asia/Seoul", -1)])
def test_two_dates__all_other_events_unreadable__are_answered_alike(
    event_store: Path, mode: str, zone: str, since: int
) -> None:
    choose_site_zone(zone)
    refresh()
    dates = {"first": COHORT[0], "last": COHORT[1]}
    whole = answers(mode, WITHIN, **dates)
    # Its own, and of their month the first, where late events lie; how far the data reach is read with the newest.
    newest = NEWEST.date()
    own = [COHORT[0] + timedelta(days=day) for day in range(since, since + MOST - 3)]
    read = {COHORT[0].replace(day=1), *own, newest.replace(day=1), newest, newest + timedelta(days=since)}

    assert len(read) <= MOST
    assert wipe_dates(event_store, lambda day: day not in read) >= DATES - len(read)

    found = answers(mode, WITHIN, **dates)
    assert found == whole
    assert whole[0]["users"] == 13
