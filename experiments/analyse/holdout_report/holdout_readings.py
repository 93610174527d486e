"""Plan holdout reports; request and compute their readings. Rows are append-only."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from events.arm_marks import of_metric, of_start, refuse_arm_marks
from events.asking import questions
from events.metrics import parse_metric
from experiments.analyse.holdout_report import holdout_payloads
from experiments.analyse.holdout_report.holdout_lock import due
from experiments.analyse.holdout_report.holdout_payloads import HOLDOUT
from experiments.analyse.holdout_report.holdout_question import HoldoutQuestion, Population, check_question
from experiments.analyse.holdout_report.holdout_read_out import read_holdout
from experiments.analyse.holdout_report.holdout_result import HoldoutLook, HoldoutReport
from experiments.analyse.holdout_report.shipped import single_findings
from experiments.analyse.holdout_report.side_moments import moments_of
from experiments.models import Holdout, HoldoutPlan, HoldoutReading
from reporting.document import dump
from runs.payloads import Unreadable
from runs.perform import enqueue, perform
from runs.progress import Progress, part, silent
from runs.refusals import Refused

log = structlog.get_logger()
GATHERED = 0.9  # share of a reading's progress bar that the warehouse queries take
Status = HoldoutReading.Status


def plan_holdout(*, holdout: Holdout, readings: list[date], by: User | None = None, **fields: Any) -> HoldoutPlan:
    """Store a plan. It is immutable: otherwise dates could be moved after a look to allow unlimited looks.

    Args:
        holdout: whose units are compared with the rest.
        readings: local dates on which the outcome may be read, ascending.
        by: who plans.
        fields: the other columns of the plan.

    Raises:
        Refused: naming the field; or the question has a plan already.
    """
    row = HoldoutPlan(holdout=holdout, readings=[day.isoformat() for day in readings], created_by=by, **fields)
    if row.population != HoldoutPlan.Population.SIGNUP:
        row.signup_event = ""
    if row.method == HoldoutPlan.Method.FIXED:
        row.planned_units = None
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        name, sentences = next(iter(error.message_dict.items()))
        said = " ".join(sentences)
        raise Refused(said, at=name) from None
    check_question(question_of(row), timezone.localdate())
    same = HoldoutPlan.objects.filter(
        holdout=holdout,
        since=row.since,
        population=row.population,
        signup_event=row.signup_event,
        outcome=row.outcome,
        day_mode=row.day_mode,
    )
    with transaction.atomic():
        if same.exists():
            raise Refused("This question has a plan already. A second one would be a second try at it.")
        row.save()
    return row


def question_of(plan: HoldoutPlan) -> HoldoutQuestion:
    """The plan as it is stored with a reading."""
    return HoldoutQuestion(
        holdout=plan.holdout.key,
        seed=plan.holdout.seed,
        share=plan.holdout.share,
        since=plan.since,
        population=Population(plan.population),
        signup_event=plan.signup_event,
        outcome=plan.outcome,
        day_mode=plan.day_mode,
        alpha=plan.alpha,
        method=plan.method,
        readings=tuple(map(date.fromisoformat, plan.readings)),
        planned_units=plan.planned_units,
        spending=plan.spending,
    )


def request_reading(*, plan: HoldoutPlan, by: User | None = None) -> HoldoutReading:
    """Store a waiting reading and queue it for a worker.

    Raises:
        Refused: the last reading is done, or another one waits or runs.
    """
    with transaction.atomic():
        row = HoldoutPlan.objects.select_for_update().get(pk=plan.pk)
        if has_ended(row):
            raise Refused("The last reading is there and stays as it is. A new question needs a new plan.")
        if HoldoutReading.objects.filter(plan=row, status__in=(Status.QUEUED, Status.RUNNING)).exists():
            raise Refused("A reading is waiting or running already.")
        run = HoldoutReading(plan=row, created_by=by, inputs={"asked": dump(question_of(row))})
        run.full_clean(exclude=["inputs"])
        run.save()
    enqueue(run)
    return run


def request_due_readings() -> int:
    """Nightly: request a reading of every plan without its last one; returns how many."""
    count = 0
    for plan in HoldoutPlan.objects.select_related("holdout"):
        try:
            request_reading(plan=plan)
            count += 1
        except Refused:
            continue
        except Exception:  # one broken plan must not stop the others
            log.exception("holdout_reading.not_requested", plan=plan.pk)
    return count


def run_reading(pk: int, *, listen: Progress = silent) -> bool:
    """Compute a waiting reading; True when it is done."""
    run = HoldoutReading.objects.select_related("plan__holdout").filter(pk=pk).first()
    if run is None:
        return False
    made: list[HoldoutReport] = []

    def compute(progress: Progress) -> dict[str, Any]:
        made.append(_compute(run, progress))
        return HOLDOUT.store(made[0])

    return perform(run, compute, listen=listen, then=lambda _payload: _conclude(run, made[0]))


def has_ended(plan: HoldoutPlan) -> bool:
    """True when the last reading is done."""
    return HoldoutReading.objects.filter(plan=plan, status=Status.DONE, final=True).exists()


def latest_reading(plan: HoldoutPlan) -> HoldoutReading | None:
    """The latest successful reading of the outcome, else the latest successful one with counts only."""
    done = HoldoutReading.objects.filter(plan=plan, status=Status.DONE)
    return done.order_by("-opened", "-pk").first()


def read_report(run: HoldoutReading | None) -> HoldoutReport | Unreadable | None:
    """The report of a done reading; None when there is none."""
    return None if run is None or run.payload is None else holdout_payloads.read(run.payload)


def _compute(run: HoldoutReading, progress: Progress) -> HoldoutReport:
    asked = question_of(run.plan)
    with questions(day_mode=asked.day_mode) as store:
        asks = (*of_start(asked.signup_event), *of_metric(parse_metric(asked.outcome), asked.signup_event or "*"))
        refuse_arm_marks({"": asks}, store=store)
        data_end = _aware(store.basis.data_end)
        looks, taken = _taken(run)
        at = due(asked, store.basis.clock, data_end, taken)
        HoldoutReading.objects.filter(pk=run.pk).update(as_of=at.until)
        found = moments_of(store, asked, at.until, progress=part(progress, 0, GATHERED))
        # Changes shipped up to the day that the data reach; a stop on the last day itself counts.
        shipped, sums = single_findings(asked, timezone.localdate(at.until) + timedelta(days=1))
    progress("statistics", 0.95)
    return read_holdout(
        asked, at, found, earlier=looks, shipped=shipped, sums=sums, earlier_readings=_by_other_plans(run)
    )


def _taken(run: HoldoutReading) -> tuple[tuple[HoldoutLook, ...], set[date]]:
    """Readings of the outcome before this one.

    Raises:
        Refused: the last one can't be read, so that the alpha spent so far is unknown.
    """
    rows = HoldoutReading.objects.filter(plan=run.plan, status=Status.DONE, opened=True, pk__lt=run.pk)
    report = read_report(rows.order_by("-pk").first())
    if isinstance(report, Unreadable):
        raise Refused(report.sentence())
    dates = {day for day in rows.values_list("read_on", flat=True) if day is not None}
    return (() if report is None else report.looks), dates


def _by_other_plans(run: HoldoutReading) -> int:
    others = HoldoutReading.objects.filter(plan__holdout=run.plan.holdout_id, opened=True, status=Status.DONE)
    return others.exclude(plan=run.plan).count()


def _conclude(run: HoldoutReading, report: HoldoutReport) -> None:
    """Store the figures for lists, in the transaction that marks the reading as done.

    Raises:
        Refused: another one became the last reading while this ran.
    """
    plan = HoldoutPlan.objects.select_for_update().get(pk=run.plan_id)
    if has_ended(plan):
        raise Refused("The last reading is there and stays as it is. A new question needs a new plan.")
    is_open = report.difference is not None
    HoldoutReading.objects.filter(pk=run.pk).update(
        opened=is_open, read_on=report.reading if is_open else None, final=report.final, broken=report.broken
    )


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
