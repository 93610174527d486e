"""The daily curve from a real store: cohorts and calendar days counted by hand, traits, who took part, the lock."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pytest_django import Settings

from events.models import UnitTraits
from events.store import event_table
from events.warehouse.session import questions
from launches.answers import Answers, Curve, Meets
from launches.gather import gather
from launches.judge import OUTCOME, Daily, Gap, Gathered
from runs.progress import silent
from runs.refusals import Refused
from runs.site_zone import choose_site_zone
from tests.launches.make import answers

pytestmark = pytest.mark.django_db
type Line = tuple[str, str, datetime]
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
LAUNCH = date(2026, 3, 11)


@pytest.fixture
def write(tmp_path: Any, settings: Settings) -> Callable[[list[Line]], None]:
    settings.EVENTS_URL = str(tmp_path / "events")

    def append(lines: list[Line]) -> None:
        times = pa.array([line[2] for line in lines], pa.timestamp("us", tz="UTC"))
        columns: dict[str, Any] = {
            "user_id": [line[0] for line in lines],
            "event": [line[1] for line in lines],
            "time": times,
            "properties": ["{}"] * len(lines),
            "message_id": [f"m{place}" for place in range(len(lines))],
            "received_at": times,
        }
        assert event_table.append(pa.table(columns), app_id="test", version=1)

    return append


def at(day: float) -> datetime:
    return FIRST + timedelta(days=day)


def asked(given: Answers) -> Gathered:
    with questions() as store:
        return gather(store, given, silent)


def two_a_day(days: int = 40) -> list[Line]:
    """Two signups on each day: `a` comes back a day later, `b` on every second day only; an event of another kind."""
    lines: list[Line] = []
    for day in range(days):
        lines += [(f"a{day}", "signup", at(day + 0.5)), (f"b{day}", "signup", at(day + 0.6))]
        lines += [(f"a{day}", "play", at(day + 1.7))]
        if day % 2:
            lines += [(f"b{day}", "play", at(day + 1.9)), (f"b{day}", "join", at(day + 0.9))]
    return lines


def of(**given: Any) -> Answers:
    return answers(**{"began": LAUNCH, "outcome": "window:1-1", **given})


def test_curve__of_new_users__is_the_share_of_each_day_that_came_back(write: Callable[[list[Line]], None]) -> None:
    write(two_a_day())
    found = asked(of()).curves[OUTCOME]
    # The first whole day of the log is March 2; days 0 to 23 of the log end with the last day after, March 24.
    assert (found[0].day, found[-1].day) == (date(2026, 3, 2), date(2026, 3, 24))
    assert all(row.n == 2 for row in found)
    assert [row.value for row in found] == [1.0 if (row.day - date(2026, 3, 1)).days % 2 else 0.5 for row in found]


def test_curve__of_the_sites_days__follows_its_time_zone(write: Callable[[list[Line]], None]) -> None:
    # In Seoul `a` signs up at 22:00 and `b` at 00:24 of the next date: so b is of another day than in UTC.
    write([(user, event, moment + timedelta(hours=1)) for user, event, moment in two_a_day()])
    utc = {row.day: row.value for row in asked(of()).curves[OUTCOME]}
    choose_site_zone("Asia/Seoul")
    seoul = {row.day: row.value for row in asked(of()).curves[OUTCOME]}
    day = date(2026, 3, 10)
    assert (utc[day], utc[day + timedelta(days=1)]) == (1.0, 0.5)
    assert (seoul[day], seoul[day + timedelta(days=1)]) == (0.5, 1.0)


def test_curves__of_those_who_could_and_couldnt_meet_it__are_told_by_a_trait(
    write: Callable[[list[Line]], None],
) -> None:
    write(two_a_day())
    for day in range(40):
        UnitTraits.objects.create(user_id=f"a{day}", traits={"platform": "android"})
        UnitTraits.objects.create(user_id=f"b{day}", traits={"platform": "ios"})
    found = asked(of(trait="platform", reached=("android",), spared=("ios",)))
    assert {row.value for row in found.curves[OUTCOME]} == {1.0}
    assert [row.value for row in found.spared["ios"][:4]] == [1.0, 0.0, 1.0, 0.0]
    assert {row.n for row in found.spared["ios"]} == {1}
    with pytest.raises(Refused, match="windows"):
        asked(of(trait="platform", reached=("android",), spared=("windows",)))


def test_gap__of_those_who_took_part__is_of_the_days_after(write: Callable[[list[Line]], None]) -> None:
    write(two_a_day())
    # March 11 to 24: 14 days, 7 of which b joins and comes back; the 21 others are a's, and b's who never come.
    assert asked(of(took_part="join")).gap == Gap(7, 1.0, 21, 14 / 21)


def test_curve__of_active_users__counts_each_once_a_day(write: Callable[[list[Line]], None]) -> None:
    write(two_a_day())
    found = asked(of(curve=Curve.ACTIVE_USERS, outcome="", signup_event="", meets=Meets.EVERYBODY)).curves[OUTCOME]
    by_day = {row.day: row for row in found}
    # March 4, the log's day 3: a3 and b3 sign up, a2 plays; b2 doesn't. March 5: a4, b4, a3, b3.
    assert by_day[date(2026, 3, 4)] == Daily(date(2026, 3, 4), 3, 3.0)
    assert by_day[date(2026, 3, 5)] == Daily(date(2026, 3, 5), 4, 4.0)


def test_curve__of_an_act__is_how_often_an_active_user_did_it(write: Callable[[list[Line]], None]) -> None:
    write([*two_a_day(), ("a3", "play", at(4.8))])
    given = of(curve=Curve.PER_ACTIVE_USER, outcome="play", signup_event="", meets=Meets.EVERYBODY)
    by_day = {row.day: row for row in asked(given).curves[OUTCOME]}
    assert by_day[date(2026, 3, 4)] == Daily(date(2026, 3, 4), 3, 1 / 3)
    assert by_day[date(2026, 3, 5)] == Daily(date(2026, 3, 5), 4, 3 / 4)


@pytest.mark.parametrize(("days", "ready"), [(27, True), (26, False)])
def test_days_after__that_arent_over__are_refused(
    write: Callable[[list[Line]], None], *, days: int, ready: bool
) -> None:
    # The last day after is March 24, whose users' day 1 ends on the 26th: the data must reach the 27th.
    write([*two_a_day(10), ("z", "play", datetime(2026, 3, days, tzinfo=UTC) + timedelta(seconds=1))])
    if ready:
        assert asked(of()).curves[OUTCOME]
    else:
        with pytest.raises(Refused, match="aren't over"):
            asked(of())


def test_event__that_the_log_lacks__is_refused_by_name(write: Callable[[list[Line]], None]) -> None:
    write(two_a_day())
    with pytest.raises(Refused) as refusal:
        asked(of(signup_event="registered"))
    assert refusal.value.at == "signup-event"
    assert "registered" in refusal.value.sentence
