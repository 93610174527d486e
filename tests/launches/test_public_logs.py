"""The method on three public logs: how often it errs on their past, and nothing claimed where one is too short."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from launches.answers import DAY, Curve, LeftOut, Meets, Suggestion
from launches.judge import OUTCOME, Daily, Gathered, LaunchReport, Why, judge
from tests.launches.make import answers


def _active(pairs: Iterable[tuple[date, str]]) -> tuple[Daily, ...]:
    users: dict[date, set[str]] = defaultdict(set)
    for day, user in pairs:
        users[day].add(user)
    days = [min(users) + timedelta(days=at) for at in range((max(users) - min(users)).days + 1)]
    return tuple(Daily(day, len(users[day]), float(len(users[day]))) for day in days)


def _read(curve: tuple[Daily, ...], days_after: int = 14) -> LaunchReport:
    """A launch supposed at the last days of a log, of which nothing is known."""
    began = curve[-1].day - (days_after - 1) * DAY
    asked = answers(
        began=began, curve=Curve.ACTIVE_USERS, outcome="", signup_event="", meets=Meets.EVERYBODY, days_after=days_after
    )
    gathered = Gathered({OUTCOME: curve}, {}, curve[0].day)
    return judge(asked, gathered, LeftOut(), registered=began, data_end=asked.days.readable_from)


def test_purchases_of_18_months__tell_the_methods_error_rate(real_data: Path) -> None:
    rows = (line.split() for line in (real_data / "events" / "CDNOW_master.txt").read_text().splitlines()[1:])
    report = _read(_active((datetime.strptime(row[1], "%Y%m%d").replace(tzinfo=UTC).date(), row[0]) for row in rows))
    assert (report.past.blocks, report.past.wrong) == (30, 2)
    assert report.past.is_sound
    assert (report.suggestion, report.why) == (Suggestion.CANT_TELL, Why.NOT_FOUND)


def test_learning_days_of_10_months__tell_the_methods_error_rate(real_data: Path) -> None:
    with (real_data / "events" / "365_student_engagement.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    report = _read(_active((date.fromisoformat(row["date_watched"]), row["student_id"]) for row in rows))
    assert (report.past.blocks, report.past.wrong) == (14, 0)
    assert (report.suggestion, report.why) == (Suggestion.CANT_TELL, Why.NOT_FOUND)


def test_messages_of_half_a_year__are_too_short_and_nothing_is_claimed(real_data: Path) -> None:
    rows = (line.split() for line in (real_data / "events" / "CollegeMsg.txt").read_text().splitlines()[1:])
    report = _read(_active((datetime.fromtimestamp(int(row[2]), UTC).date(), row[0]) for row in rows))
    assert (report.suggestion, report.why) == (Suggestion.CANT_TELL, Why.FEW_DATES)
    assert report.past.blocks == 4
    assert report.can_tell_from == date(2004, 12, 23)
    # A launch on that date has its tenth date of the past begin with the log.
    assert replace(report.answers, began=report.can_tell_from).days.earlier(9).first == date(2004, 4, 15)
