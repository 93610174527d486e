"""Register a launch, and read its curve as a run."""

import re
from dataclasses import asdict, replace
from datetime import date

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from events.calendar.happened import happened
from events.warehouse.session import WarehouseSession, questions
from experiments.models import Experiment
from experiments.plan import drafts
from experiments.plan.fields import ValueType
from launches.answers import Answers, Curve, LeftOut, Meets, Other, checked, left_out
from launches.gather import gather
from launches.judge import LAUNCH, LaunchReport, TriedLaunches, judge, try_dates
from launches.models import Launch, LaunchReading
from launches.report import HELD_OUT
from reporting.words import gettext
from runs.models import Run, key_from
from runs.perform import Computation, enqueue
from runs.progress import Early, Progress
from runs.refusals import Refused
from runs.site_zone import site_date

KEY = re.compile(r"[-\w]{1,80}", re.ASCII)


def register(*, answers: Answers, key: str = "", by: User | None = None) -> Launch:
    """Write the answers down, before the curve is read; they never change.

    Args:
        answers: of the form.
        key: how programs call it; "" makes one of the title.
        by: who registers it.

    Raises:
        Refused: naming the field; nothing is stored then.
    """
    known = checked(answers)
    if key and not KEY.fullmatch(key):
        raise Refused("A key has letters, digits, hyphens and underscores, at most 80.", at="key")
    row = Launch(key=key or _free_key(known.title), created_by=by, **_columns(known))
    try:
        with transaction.atomic():
            row.full_clean(exclude=["created_by", "reached", "spared"], validate_unique=False)
            row.save()
    except IntegrityError:
        raise Refused("There is a launch “{key}” already.", key=row.key, at="key") from None
    return row


def withdraw(*, launch: Launch) -> None:
    """Delete a launch whose curve nobody has read: its answers were wrong, and nothing was seen that could mend them.

    Raises:
        Refused: it was read.
    """
    with transaction.atomic():
        row = Launch.objects.select_for_update().get(pk=launch.pk)
        if row.readings.filter(status=Run.Status.DONE).exists():
            raise Refused("Its curve was read, so its answers stay. Register another launch.")
        row.delete()


def _columns(answers: Answers) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(answers).items()}


def _free_key(title: str) -> str:
    base = key_from(title, "launch")[:70].strip("-")
    taken = set(Launch.objects.filter(key__startswith=base).values_list("key", flat=True))
    return next(key for key in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if key not in taken)


def create_reading(*, launch: Launch, by: User | None = None) -> LaunchReading:
    """Store a waiting reading.

    Raises:
        Refused: the days after can't be over yet.
    """
    reading = _reading(launch, by)
    reading.save()
    return reading


def start_reading(*, launch: Launch, by: User | None = None) -> LaunchReading:
    """Store a reading and queue it.

    Raises:
        Refused: the days after can't be over yet, or it would read more than the budget; nothing is stored then.
    """
    return enqueue(_reading(launch, by))


def _reading(launch: Launch, by: User | None) -> LaunchReading:
    ready = launch.answers.days.readable_from
    if site_date() < ready:
        raise Refused("The days after aren't over: it can be read from {day} on.", day=ready)
    return LaunchReading(launch=launch, inputs={}, created_by=by)


def _compute(run: LaunchReading, progress: Progress, _early: Early) -> LaunchReport:
    answers = run.launch.answers
    with questions() as store:
        LaunchReading.objects.filter(pk=run.pk).update(as_of=store.basis.data_end)
        gathered = gather(store, answers, progress)
        end = site_date(store.basis.data_end)
    progress("judge", 0.8)
    calendar = calendar_of(answers, gathered.first)
    return judge(answers, gathered, calendar, registered=site_date(run.launch.created_at), data_end=end)


def _conclude(run: LaunchReading, report: LaunchReport) -> None:
    LaunchReading.objects.filter(pk=run.pk).update(suggestion=report.suggestion)


run_reading = Computation(LaunchReading, _compute, LAUNCH.store, _conclude)


def calendar_of(answers: Answers, first: date) -> LeftOut:
    """What else happened in the days that are compared, without the launch and its own entry.

    An entry of the same day with the same title is the launch itself, written down by another way.
    """
    last = answers.days.readable_from
    others = tuple(
        Other(one.kind, one.title, one.starts, one.ends)
        for one in happened(first, last)
        if not (one.starts == answers.began and one.title.casefold() == answers.title.casefold())
    )
    return left_out(others, answers.length, new_users=answers.curve is Curve.NEW_USERS)


def try_on_own_past(
    store: WarehouseSession, *, outcome: str, signup_event: str, effect: float, progress: Progress
) -> TriedLaunches:
    """Suppose launches at separate dates of this site's past, for a self-test.

    Args:
        store: the open warehouse.
        outcome: of new users.
        signup_event: what starts a user's clock.
        effect: that is planted, absolute.
        progress: called with the share done.

    Raises:
        Refused: the outcome has no mean of a day, or a condition would show who is in which arm.
    """
    end = site_date(store.basis.data_end)
    asked = Answers("-", end, Curve.NEW_USERS, "-", outcome=outcome, signup_event=signup_event, meets=Meets.NEW)
    supposed = checked(asked)
    late = supposed.days.readable_from - supposed.began
    answers = replace(supposed, began=supposed.began - late)
    gathered = gather(store, answers, progress)
    return try_dates(answers, gathered, calendar_of(answers, gathered.first), effect=effect)


WHOLE = 10_000  # steps of 0.01 %


def plan_next(*, launch: Launch, by: User | None = None) -> Experiment:
    """Draft a test that launches the like to 90 % of the users and keeps it from 10 %, drawn by lot.

    Raises:
        Refused: the plan can't hold the outcome.
    """
    name = gettext("{title}, drawn by lot").format(title=launch.title)[:100]
    outcome = [launch.outcome] if launch.curve == Curve.NEW_USERS else []
    return drafts.create_draft(
        key=drafts.free_key(f"{launch.key}-by-lot"[:60]),
        by=by,
        name=name,
        hypothesis=launch.decision,
        variants=[
            {"key": "without", "value": False, "weight": round(HELD_OUT * WHOLE)},
            {"key": "with", "value": True, "weight": WHOLE - round(HELD_OUT * WHOLE)},
        ],
        value_type=ValueType.BOOLEAN,
        default_value=False,
        primary_metrics=outcome,
    )
