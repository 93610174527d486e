"""One log counted in two zones: days of the calendar differ as they must, and nothing else does.

Seoul is nine hours ahead. Of the four who signed up, only b did so after midnight there, and a, d came back after it:

    user  signup          in Seoul        plays           in Seoul        hours between
    a     4th, 14:00      4th, 23:00      4th, 16:00      5th, 01:00      2
    b     4th, 15:30      5th, 00:30      5th, 14:30      5th, 23:30      23
    c     4th, 10:00      4th, 19:00      5th, 10:00      5th, 19:00      24
    d     4th, 13:00      4th, 22:00      4th, 15:00      5th, 00:00      2
"""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from aha.explore.answering import answer
from aha.explore.question import Question
from aha.moments.retention_now import retention_now
from events.catalogue import listing, refresh
from events.catalogue.listing import catalogue
from events.warehouse import explore_session
from events.warehouse.explore_session import Stop
from events.warehouse.session import questions
from runs.progress import silent
from runs.site_zone import choose_site_zone
from tests.aha.explore.small_logs import Rows, at

pytestmark = pytest.mark.django_db
AROUND_MIDNIGHT: Rows = [
    ("a", "signup", at(4, 14)),
    ("a", "play", at(4, 16)),
    ("b", "signup", at(4, 15, 30)),
    ("b", "play", at(5, 14, 30)),
    ("c", "signup", at(4, 10)),
    ("c", "play", at(5, 10)),
    ("d", "signup", at(4, 13)),
    ("d", "play", at(4, 15)),
    ("z", "play", at(12, 12)),  # never signed up; the data end here
]


@pytest.fixture
def midnight(put: Callable[..., None]) -> None:
    listing._read.clear()  # of another test's row with the same number
    put(AROUND_MIDNIGHT)


def ask(view: str, **more: Any) -> dict[str, Any]:
    return answer(Question(view, signup="signup", **more), stop=Stop(), progress=silent)


def came_back(day_mode: str) -> list[int]:
    """Users who are old enough, and how many of them were active on day 1."""
    found = ask("retention", retention="on_day:1", day_mode=day_mode)
    (curve,) = found["curves"].values()
    return list(curve[next(place for place, column in enumerate(found["columns"]) if column[3])])


def reached_play(day_mode: str) -> int:
    """Users who played within one day of their signup."""
    found = ask("funnel", steps=("signup", "play"), days=1, day_mode=day_mode)
    return int(found["rows"][0]["reached"][1])


@pytest.mark.parametrize(("zone", "expected"), [("UTC", [4, 2]), ("Asia/Seoul", [4, 3])])
@pytest.mark.usefixtures("midnight")
def test_retention__next_calendar_day__is_that_of_the_site(zone: str, expected: list[int]) -> None:
    choose_site_zone(zone)

    assert came_back("calendar") == expected  # UTC: b, c; Seoul: a, c, d


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
@pytest.mark.usefixtures("midnight")
def test_rolling_days__in_any_zone__give_the_same_answers(zone: str) -> None:
    choose_site_zone(zone)

    assert came_back("rolling") == [4, 1]  # only c, after 24 hours
    assert reached_play("rolling") == 3  # a, b, d
    counts = ask("times", behaviour="play", days=1)["counts"]
    assert {times: users for _, times, users, _ in counts} == {0: 1, 1: 3}
    with questions() as store:
        assert store.basis.data_end == at(12, 12)


@pytest.mark.parametrize(("zone", "expected"), [("UTC", 2), ("Asia/Seoul", 1)])
@pytest.mark.usefixtures("midnight")
def test_funnel__within_a_calendar_day__ends_at_the_sites_midnight(zone: str, expected: int) -> None:
    choose_site_zone(zone)

    assert reached_play("calendar") == expected  # UTC: a, d; Seoul: b


@pytest.mark.parametrize(
    ("zone", "plays", "signups"),
    [
        ("UTC", {"2024-03-04": 2, "2024-03-05": 2}, {"2024-03-04": 4}),
        ("Asia/Seoul", {"2024-03-05": 4}, {"2024-03-04": 3, "2024-03-05": 1}),
    ],
)
@pytest.mark.parametrize("day_mode", ["rolling", "calendar"])
@pytest.mark.usefixtures("midnight")
def test_trend__of_users_by_date__has_the_dates_of_the_site_whatever_days_are(
    zone: str, plays: dict[str, int], signups: dict[str, int], day_mode: str
) -> None:
    choose_site_zone(zone)

    rows = ask("activity", behaviour="play", days=7, day_mode=day_mode)["rows"]

    assert {row["at"]: row["users"] for row in rows if row["users"]} == plays
    assert {row["at"]: row["signups"] for row in rows if row["signups"]} == signups
    # Everybody was active on the day of the signup, and where they played.
    active = {"UTC": {"2024-03-04": 4, "2024-03-05": 2}, "Asia/Seoul": {"2024-03-04": 3, "2024-03-05": 4}}
    assert {row["at"]: row["active"] for row in rows if row["active"]} == active[zone]
    assert sum(row["did"] for row in rows) == 4


@pytest.mark.parametrize(
    ("zone", "days"), [("UTC", {date(2024, 3, 4): 2, date(2024, 3, 5): 2}), ("Asia/Seoul", {date(2024, 3, 5): 4})]
)
@pytest.mark.usefixtures("midnight")
def test_event__day_by_day__is_counted_in_the_zone_of_the_site(zone: str, days: dict[date, int]) -> None:
    choose_site_zone(zone)
    assert refresh.make_catalogue()

    trend = {row.day: row.events for row in refresh.daily("play") if row.events}

    assert trend == days | {date(2024, 3, 12): 1}
    assert catalogue().last_day == date(2024, 3, 12)
    assert not refresh.refresh_if_due()
    choose_site_zone("America/New_York" if zone == "UTC" else "UTC")
    assert refresh.refresh_if_due(), "a list whose weeks are those of another zone is made anew"


@pytest.mark.parametrize(("zone", "expected"), [("UTC", (4, 2)), ("Asia/Seoul", (4, 3))])
@pytest.mark.usefixtures("midnight")
def test_tile__of_retention__counts_calendar_days_of_the_site(zone: str, expected: tuple[int, int]) -> None:
    choose_site_zone(zone)

    ((week,),) = retention_now("signup", days=(1,)).weeks

    assert (week.week, (week.eligible, week.active)) == (date(2024, 3, 4), expected)


def test_new_york__days_of_23_and_of_25_hours__are_one_day_each(put: Callable[..., None]) -> None:
    # On March 10, 2024 the clocks skip an hour, on November 3 they show one twice.
    spring, autumn = 10, 31 + 30 + 31 + 30 + 31 + 31 + 30 + 31 + 3  # days from March 1
    put([
        ("s", "signup", at(spring, 5, 30)),  # 00:30
        ("s", "play", at(spring + 1, 4, 10)),  # the next day at 00:10, after 22 hours and 40 minutes
        ("u", "signup", at(spring, 5, 30)),
        ("u", "play", at(spring + 1, 4, 10)),
        ("t", "signup", at(spring, 5, 30)),
        ("t", "play", at(spring + 1, 3, 30)),  # 23:30 of the same day
        ("f", "signup", at(autumn, 4, 10)),  # 00:10
        ("f", "play", at(autumn + 1, 4, 50)),  # 23:50 of the same day, after 24 hours and 40 minutes
        ("g", "signup", at(autumn, 4, 10)),
        ("g", "play", at(autumn + 1, 5, 10)),  # the next day at 00:10
        ("z", "play", at(autumn + 9, 12)),
    ])  # fmt: skip
    choose_site_zone("America/New_York")

    assert came_back("calendar") == [5, 3]  # s, u, g
    assert came_back("rolling") == [5, 2]  # f, g
    rows = ask("activity", behaviour="play", days=7)["rows"]
    played = {row["at"]: row["users"] for row in rows if row["users"]}
    assert played == {"2024-11-03": 1, "2024-11-04": 1}  # March is more than the dates that are shown


@pytest.mark.usefixtures("midnight")
def test_kept_files__of_the_zone_before__are_left_first_and_removed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    came_back("calendar")
    before = explore_session.folder()
    choose_site_zone("Asia/Seoul")

    came_back("calendar")

    assert explore_session.folder() != before
    assert set(explore_session.folders()) == {before, explore_session.folder()}  # who erases a user finds both
    monkeypatch.setattr(explore_session, "KEEP_SECONDS", -1)
    (kept,) = explore_session.folder().glob("kept-*")
    explore_session._sweep(kept)
    assert explore_session.folders() == [explore_session.folder()]
