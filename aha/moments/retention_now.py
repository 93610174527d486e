"""Retention on a few days by signup week, for the home page: computed by a worker each night and cached by the site."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from aha.models import Study
from events.catalogue.listing import catalogue
from events.warehouse import queries
from events.warehouse.arm_marks import of_start, refuse_arm_marks
from events.warehouse.session import questions

DAYS = (1, 7, 28)
WEEKS = 16


@dataclass(frozen=True)
class WeekOfDay:
    """One signup week on one day of its users' lives.

    Attributes:
        week: its Monday.
        eligible: its users for whom that day is complete.
        active: number of these who were active on that day.
    """

    week: date
    eligible: int
    active: int


@dataclass(frozen=True)
class RetentionNow:
    """Retention on some days.

    Attributes:
        signup_event: what starts a user's clock.
        days: the day of each row of `weeks`.
        weeks: signup weeks, oldest first, one tuple per day.
    """

    signup_event: str
    days: tuple[int, ...]
    weeks: tuple[tuple[WeekOfDay, ...], ...]


def signup_event() -> str:
    """The signup event of the latest study; without a study, the event that looks most like a signup."""
    last = Study.objects.light().filter(status=Study.Status.DONE).order_by("-created_at").first()
    return str(last.inputs.get("signup_event", "*")) if last else catalogue().guess_signup()


def retention_now(signup: str, days: Sequence[int] = DAYS) -> RetentionNow:
    """Compute retention with one warehouse query.

    Raises:
        Refused: the log has no events, or not this one.
    """
    with questions(day_mode="calendar") as session:
        session.need_event(signup)
        refuse_arm_marks({"": of_start(signup)}, store=session)
        today = session.basis.clock.local_date(session.basis.data_end)
        first = today - timedelta(days=today.weekday() + 7 * WEEKS)
        some = session.about(first, None)
        users = some.cohort(signup)
        users = users.mutate(week=users.anchor_date.truncate("W"))
        table = queries.retention_curve(some.log, users, some.basis, days, by=["week"])
        rows = session.warehouse.arrow(table).to_pylist()
    by_day: dict[int, list[WeekOfDay]] = {day: [] for day in days}
    for row in rows:
        monday = row["week"].date() if hasattr(row["week"], "date") else row["week"]
        by_day[int(row["day"])].append(WeekOfDay(monday, int(row["eligible"]), int(row["active"])))
    weeks = tuple(tuple(sorted(by_day[day], key=lambda entry: entry.week)) for day in days)
    return RetentionNow(signup, tuple(days), weeks)
