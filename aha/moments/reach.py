"""Count which share of each week's new users reaches an AHA moment, and which users do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.utils import timezone

from aha.models import AhaMoment, KeptReach
from aha.moments.claims import ReachWeek, WeeklyReach
from aha.study import queries
from aha.study.report_columns import wilson_interval
from events.metrics import parse_behaviour, parse_retention
from events.warehouse.arm_marks import Condition, Did, of_metric, of_start, refuse_arm_marks
from events.warehouse.session import WarehouseSession, questions
from events.windows import first_days
from runs.payloads import Schema, Unreadable
from runs.queue.jobs import put, tell
from runs.refusals import Refused
from stats.results import NotComputable, Reason

# The conditions on users in an AHA moment's definition, to check against the outcome lock.


def of_moment(moment: AhaMoment) -> tuple[Condition, ...]:
    """Conditions of its signup event, its behaviour and its retention."""
    start = moment.signup_event
    reached = Did(parse_behaviour(moment.behaviour), start, first_days(moment.days), moment.times)
    stays = of_metric(parse_retention(moment.retention), start) if moment.retention else ()
    return (*of_start(start), reached, *stays)


def refuse_moment_marks(moment: AhaMoment, store: WarehouseSession | None = None) -> None:
    """Refuse a moment whose conditions reveal the arms of a locked experiment.

    Raises:
        Refused: as `events.warehouse.arm_marks.refuse_arm_marks`.
    """
    refuse_arm_marks({"": of_moment(moment)}, store=store)


def weekly_reach(moment: AhaMoment) -> WeeklyReach:
    """Compute the weekly reach with one warehouse query.

    Args:
        moment: behaviour, times, days and signup event define who reaches it. Days are counted as in its study.

    Raises:
        Refused: the log has no events, or not the moment's signup event.
    """
    mode = str(moment.study.inputs.get("day_mode", "rolling")) if moment.study else "rolling"
    with questions(day_mode=mode) as session:
        session.need_event(moment.signup_event, "--signup-event")
        refuse_moment_marks(moment, session)
        users = session.cohort(moment.signup_event)
        behaviour = parse_behaviour(moment.behaviour)
        table = queries.reached_by_week(
            session.log, users, session.basis, behaviour, days=moment.days, times=moment.times
        )
        rows = session.warehouse.arrow(table).to_pylist()
        today = session.basis.clock.local_date(session.basis.data_end)
        end = session.basis.data_end.isoformat()
    weeks = []
    for row in rows:
        monday = row["week"].date() if hasattr(row["week"], "date") else row["week"]
        eligible, reached = int(row["eligible"]), int(row["reached"])
        share = wilson_interval(reached, eligible) if eligible else NotComputable(Reason.NO_DATA)
        complete = today >= monday + timedelta(days=7 + moment.days)
        weeks.append(ReachWeek(monday, int(row["signups"]), eligible, reached, share, complete))
    return WeeklyReach(tuple(weeks), end)


# Cached weekly reach of a moment: workers count it, pages read it.

TASK = "aha.tasks.count_reach"
WEEKS: Schema[WeeklyReach] = Schema(WeeklyReach)


@dataclass(frozen=True)
class LastCount:
    """The cached weekly reach of a moment.

    Attributes:
        weeks: the last count; None before the first, and where it can't be counted.
        reason: why it can't be counted, or "".
        counted_at: when; None while it is being counted for the first time.
    """

    weeks: WeeklyReach | None
    reason: str
    counted_at: datetime | None


def ask_for_count(moment: AhaMoment) -> None:
    """Queue the first count of a moment; does nothing if it was queued before."""
    _row, made = KeptReach.objects.get_or_create(moment=moment)
    if made:
        put(TASK, moment.pk)


def last_count(moment: AhaMoment) -> LastCount:
    """The cached count; queues the first count of a moment that has none."""
    row = KeptReach.objects.filter(moment=moment).first()
    if row is None:
        ask_for_count(moment)
        return LastCount(None, "", None)
    return read(row)


def read(row: KeptReach) -> LastCount:
    """Parse a cached row."""
    weeks = None if row.weeks is None else WEEKS.read(row.weeks)
    if isinstance(weeks, Unreadable):
        return LastCount(None, weeks.sentence(), row.counted_at)
    reason = Refused.from_record(row.refusal).sentence if row.refusal else ""
    return LastCount(weeks, reason, row.counted_at)


def weeks_of(moment: AhaMoment) -> WeeklyReach | None:
    """The cached weeks, for lists that have joined the row; None before the first count."""
    row = getattr(moment, "kept_reach", None)
    return None if row is None else read(row).weeks


def count(pk: int) -> bool:
    """Compute the weekly reach and cache it; False when the moment is gone."""
    moment = AhaMoment.objects.light("study").filter(pk=pk).first()
    if moment is None:
        return False
    values: dict[str, Any] = {"counted_at": timezone.now(), "refusal": None}
    try:
        values["weeks"] = WEEKS.store(weekly_reach(moment))
    except Refused as refusal:
        values["refusal"] = refusal.record()
    with transaction.atomic():
        KeptReach.objects.update_or_create(moment=moment, defaults=values)
        tell("reach_counted", moment._meta.label, moment.pk, "counted")
    return True


def count_all() -> int:
    """Count the weekly reach of every moment, one after the other; returns how many."""
    return sum(count(pk) for pk in AhaMoment.objects.values_list("pk", flat=True))


# Ids of users who reached a moment, may still reach it, or missed it: for audiences that are sent to other systems.

MOST = 2_000_000  # ids: they are compared in memory


class Reach(StrEnum):
    """Whether a user has reached a moment, may still reach it, or has missed it."""

    REACHED = "reached"
    NOT_YET = "not_yet"
    MISSED = "missed"


def who_reached(moment: AhaMoment, standing: Reach) -> set[str]:
    """Ids of the users with this standing, from one warehouse query.

    Args:
        moment: behaviour, times, days and signup event; days are counted as in its study.
        standing: users count as having reached it at once, also within their days; the others are `NOT_YET` while
            days are left, then `MISSED`.

    Raises:
        Refused: the log has no events or not the signup event, or the result exceeds `MOST` users.
    """
    mode = str(moment.study.inputs.get("day_mode", "rolling")) if moment.study else "rolling"
    with questions(day_mode=mode) as session:
        session.need_event(moment.signup_event, "--signup-event")
        refuse_moment_marks(moment, session)
        users = session.cohort(moment.signup_event)
        behaviour = parse_behaviour(moment.behaviour)
        table = queries.standing_of_units(
            session.log, users, session.basis, behaviour, days=moment.days, times=moment.times
        )
        meant = table.filter(table.standing == standing.value).select("user_id")
        if (number := int(session.warehouse.arrow(meant.aggregate(n=meant.count()))["n"][0].as_py())) > MOST:
            raise Refused("{number} users are meant; at most {most} can be listed.", number=number, most=MOST)
        return set(session.warehouse.arrow(session.warehouse.named(meant))["user_id"].to_pylist())
