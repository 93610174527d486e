"""Plan holdout reports and compute their readings, beside the findings of what was shipped since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from events.metrics import events_needed, parse_metric
from events.schema import EXPOSURE_EVENTS
from events.warehouse import queries
from events.warehouse.arm_marks import of_metric, of_start, refuse_arm_marks
from events.warehouse.columns import bounded, utc
from events.warehouse.price import Store
from events.warehouse.price import price_of as store_price
from events.warehouse.readings import EVENT, TIME, USER, Reading, opening, outcomes, user_names, whole
from events.warehouse.session import WarehouseSession, questions
from events.warehouse.unit_values import Basis
from experiments.analyse.across.holdout_question import (
    HELD,
    REST,
    HoldoutQuestion,
    Population,
    check_question,
    definitions,
    due,
)
from experiments.analyse.across.holdout_result import (
    HOLDOUT,
    HoldoutLook,
    HoldoutReport,
    Shipment,
    SideMoments,
    read_holdout,
)
from experiments.analyse.codes import Code
from experiments.analyse.corrected import best_difference
from experiments.analyse.effects import leading
from experiments.analyse.gather.gather import need_events
from experiments.analyse.gather.queries import NEWEST
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import Opened, Ruling
from experiments.draw.many_units import read_units, unit_hashes
from experiments.models import Analysis, Experiment, Holdout, HoldoutPlan, HoldoutReading, Rollout
from experiments.plan.record import WHOLE
from reporting.document import dump
from runs.payloads import Unreadable
from runs.perform import Computation, enqueue
from runs.prices import Price
from runs.progress import Early, Progress, part, silent
from runs.refusals import Refused
from runs.site_zone import site_date, site_zone
from stats.results import Estimate, NotComputable, Reason, computable
from stats.summaries import Joint
from stats.winners_curse import SummedEffects, sum_selected

if TYPE_CHECKING:
    import ibis.expr.types as ir

READ_AT_ONCE = 20  # payloads per query; one has about 100 kB
ENDED = (Experiment.Status.STOPPED, Experiment.Status.CONCLUDED, Experiment.Status.ARCHIVED)


def single_findings(
    question: HoldoutQuestion, until: date
) -> tuple[tuple[Shipment, ...], SummedEffects | NotComputable]:
    """Shipped changes with their own findings, oldest first, and the sum of these.

    A rollout counts from the day of its first step, unless it was rolled back. An experiment without a rollout counts
    from its stop when its decision table says "ship": its team is assumed to have shipped by other means.

    Args:
        question: the plan; findings on another outcome, or with days counted otherwise, aren't summed.
        until: local date before which it was shipped.
    """
    rollouts = {row.experiment_id: row for row in Rollout.objects.select_related("variant")}
    rows: list[Shipment] = []
    # All final findings on this outcome, shipped or not, are needed to estimate the spread of true effects.
    effects: list[Estimate] = []
    counted: list[int] = []
    for experiment, readout, ended in _final_readouts(until):
        rollout = rollouts.get(experiment.pk)
        on = ended if rollout is None else site_date(rollout.first_at)
        arm = _decided(readout) if rollout is None else rollout.variant.key if rollout.is_on else ""
        shipped = arm if question.since <= on < until else ""
        effect = _effect(readout, question, shipped)
        if shipped:
            rows.append(_shipment(experiment, shipped, on, effect, question))
        if effect is None or not computable(effect) or effect.standard_error <= 0:
            continue
        if shipped and not rows[-1].why:
            counted.append(len(effects))
        effects.append(effect)
    changes = tuple(sorted(rows, key=lambda row: (row.on, row.experiment)))
    if not counted:
        return changes, NotComputable(Reason.NO_DATA)
    errors = [effect.standard_error for effect in effects]
    return changes, sum_selected([effect.estimate for effect in effects], errors, counted)


def _final_readouts(until: date) -> Iterator[tuple[Experiment, Opened, date]]:
    """Experiments that ended before a local date, by their end, with a readable and valid final analysis; and when."""
    rows = Analysis.objects.filter(status=Analysis.Status.DONE, final=True, experiment__status__in=ENDED)
    rows = rows.select_related("experiment__holdout").defer("early").order_by("experiment__stopped_at", "pk")
    for analysis in rows.iterator(chunk_size=READ_AT_ONCE):
        moment = analysis.experiment.stopped_at or analysis.experiment.concluded_at
        if moment is None or (ended := site_date(moment)) >= until:
            continue
        readout = READOUT.of(analysis)
        if not isinstance(readout, Opened):
            continue
        if readout.maturity.peeked or readout.report.verdict.code is Code.INVALID:
            continue
        yield analysis.experiment, readout, ended


def _decided(readout: Opened) -> str:
    """The arm that the final analysis recommends to ship, else ""; without a decision, the leading arm if CAUSES."""
    if readout.decision is not None:
        return readout.decision.variant if readout.decision.ruling is Ruling.SHIP else ""
    return readout.report.leading if readout.report.verdict.code is Code.CAUSES else ""


def _shipment(
    experiment: Experiment, arm: str, on: date, effect: Estimate | NotComputable | None, question: HoldoutQuestion
) -> Shipment:
    keeps = experiment.holdout is not None and experiment.holdout.key == question.holdout
    known = effect if effect is not None and computable(effect) else None
    why = "other_outcome" if effect is None else "not_computable" if known is None else "" if keeps else "reaches_both"
    return Shipment(experiment.key, experiment.name, arm, on, keeps, known, why)


def _effect(readout: Opened, question: HoldoutQuestion, arm: str) -> Estimate | NotComputable | None:
    """Effect of the nudge on all exposed units, corrected for looks; None if measured on another outcome.

    Args:
        readout: of a final analysis.
        question: the plan.
        arm: that was shipped; "" for the leading one.
    """
    plan, report = readout.plan, readout.report
    if plan.primary[0] != question.outcome or plan.day_mode != question.day_mode:
        return None
    rows = [row for row in report.outcomes[0].comparisons if row.variant == arm]
    return best_difference(readout, rows[0] if rows else leading(report))


# Moments by side from the log: unit ids are read out to be hashed and aren't stored.
#
# Exposures are removed from the log first: only the rest has them, so an exposure that starts a unit's days, or
# counts as activity, would make the sides incomparable.


def moments_of(
    questions: WarehouseSession, question: HoldoutQuestion, until: datetime, *, progress: Progress = silent
) -> SideMoments:
    """Query the population and its outcomes, and split them by the holdout's draw.

    Args:
        questions: the open warehouse, whose clock counts days as the plan does.
        question: the plan.
        until: moment up to which data are read.
        progress: called with the share that is done.

    Raises:
        Refused: the log doesn't have an event that the plan names.
    """
    named = dict.fromkeys(events_needed(parse_metric(question.outcome)), question.outcome)
    if question.population is Population.SIGNUP:
        named[question.signup_event] = question.signup_event
    need_events(questions, named)
    basis = replace(questions.basis, data_end=min(until, questions.basis.data_end))
    events = questions.log.filter(~questions.log.event.isin(EXPOSURE_EVENTS), questions.log.time < utc(basis.data_end))
    progress("events", 0.1)
    with questions.warehouse.kept(_population(events, question, basis)) as users:
        progress("units", 0.4)
        moments = _split(questions, question, _outcomes(events, users, question, basis))
    progress("outcomes", 0.9)
    return moments


def _population(events: ir.Table, question: HoldoutQuestion, basis: Basis) -> ir.Table:
    """The units that count, with their clocks: ``user_id, anchor, anchor_date, complete_days``."""
    since = utc(basis.clock.midnight(question.since))
    own = events.filter(events.event == question.signup_event) if question.population is Population.SIGNUP else events
    users = own.group_by("user_id").aggregate(anchor=own.time.min())
    if question.population is Population.KNOWN_BEFORE:
        users = users.filter(users.anchor < since)
        return queries.with_clock(users.mutate(anchor=since), basis)
    return queries.with_clock(users.filter(users.anchor >= since), basis)


def _outcomes(events: ir.Table, users: ir.Table, question: HoldoutQuestion, basis: Basis) -> ir.Table:
    """One row per unit: ``user_id, v`` (and ``w``, the denominator of a ratio), null where it isn't mature."""
    columns = definitions(question.outcome)
    table = queries.outcomes(bounded(events, basis.clock.midnight(question.since), None), users, basis, columns)
    return table.select("user_id", *(table[name].cast("float64").name(name) for name in columns))


def _split(questions: WarehouseSession, question: HoldoutQuestion, values: ir.Table) -> SideMoments:
    names = list(definitions(question.outcome))
    units = dict.fromkeys((HELD, REST), 0)
    outcome = dict.fromkeys((HELD, REST), Joint.from_columns(np.zeros((0, len(names)))))
    for batch in questions.warehouse.batches(questions.warehouse.named(values)):
        draws = unit_hashes(question.seed, read_units(batch.column("user_id").to_pylist()))
        # Compare whole steps of the draws, since 0.07 * 10,000 isn't exactly 700 in floating point.
        held = np.rint(draws * WHOLE) < question.share
        columns = np.column_stack(
            [batch.column(name).to_numpy(zero_copy_only=False).astype(np.float64) for name in names]
        )
        mature = ~np.isnan(columns).any(axis=1)
        for side, inside in ((HELD, held), (REST, ~held)):
            units[side] += int(inside.sum())
            outcome[side] += Joint.from_columns(columns[inside & mature])
    return SideMoments(units, outcome)


# Plan holdout reports; request and compute their readings. Rows are append-only.

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
    row = HoldoutPlan(
        holdout=holdout, time_zone=site_zone(), readings=[day.isoformat() for day in readings], created_by=by, **fields
    )
    if row.population != HoldoutPlan.Population.SIGNUP:
        row.signup_event = ""
    if row.method == HoldoutPlan.Method.FIXED:
        row.planned_units = None
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        name, sentences = next(iter(error.message_dict.items()))
        message = " ".join(sentences)
        raise Refused(message, at=name) from None
    check_question(question_of(row), site_date())
    with transaction.atomic():
        try:
            row.validate_constraints()
        except ValidationError:
            raise Refused("This question has a plan already. A second one would be a second try at it.") from None
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
        if HoldoutReading.objects.filter(plan=row, status__in=HoldoutReading.OPEN).exists():
            raise Refused("A reading is waiting or running already.")
        return enqueue(HoldoutReading(plan=row, created_by=by, inputs={"asked": dump(question_of(row))}))


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


def has_ended(plan: HoldoutPlan) -> bool:
    """True when the last reading is done."""
    return HoldoutReading.objects.filter(plan=plan, status=Status.DONE, final=True).exists()


def latest_reading(plan: HoldoutPlan) -> HoldoutReading | None:
    """The latest successful reading of the outcome, else the latest successful one with counts only."""
    done = HoldoutReading.objects.filter(plan=plan, status=Status.DONE)
    return done.order_by("-opened", "-pk").first()


def price_of_run(run: HoldoutReading) -> Price:
    """What a stored reading would read."""
    question, plan = question_of(run.plan), run.plan
    return store_price(lambda store: _read_by(question, store), day_mode=question.day_mode, time_zone=plan.zone)


def _read_by(question: HoldoutQuestion, store: Store) -> Iterator[Reading]:
    """All readings of `moments_of`, as of the data's end; not those by which a locked outcome is kept apart."""
    named = {*events_needed(parse_metric(question.outcome))}
    named |= {question.signup_event} if question.population is Population.SIGNUP else set()
    yield opening()
    for _ in named:
        yield whole(EVENT, TIME, since=store.basis.data_end - NEWEST)
    yield whole(USER, TIME, EVENT, until=store.basis.data_end)
    yield from outcomes(store.basis, definitions(question.outcome).values(), store.basis.clock.midnight(question.since))
    yield user_names()


def _compute(run: HoldoutReading, progress: Progress, _early: Early) -> HoldoutReport:
    question = question_of(run.plan)
    with questions(day_mode=question.day_mode, time_zone=run.plan.zone) as store:
        asks = (
            *of_start(question.signup_event),
            *of_metric(parse_metric(question.outcome), question.signup_event or "*"),
        )
        refuse_arm_marks({"": asks}, store=store)
        data_end = store.basis.data_end
        looks, taken = _taken(run)
        at = due(question, store.basis.clock, data_end, taken)
        HoldoutReading.objects.filter(pk=run.pk).update(as_of=at.until)
        moments = moments_of(store, question, at.until, progress=part(progress, 0, GATHERED))
        # Changes shipped up to the day that the data reach; a stop on the last day itself counts.
        shipped, sums = single_findings(question, site_date(at.until, run.plan.zone) + timedelta(days=1))
    progress("statistics", 0.95)
    return read_holdout(
        question, at, moments, earlier=looks, shipped=shipped, sums=sums, earlier_readings=_by_other_plans(run)
    )


def _taken(run: HoldoutReading) -> tuple[tuple[HoldoutLook, ...], set[date]]:
    """Readings of the outcome before this one.

    Raises:
        Refused: the last one can't be read, so that the alpha spent so far is unknown.
    """
    rows = HoldoutReading.objects.filter(plan=run.plan, status=Status.DONE, opened=True, pk__lt=run.pk)
    report = HOLDOUT.of(rows.order_by("-pk").first())
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


run_reading = Computation(HoldoutReading, _compute, HOLDOUT.store, _conclude)
