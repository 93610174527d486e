"""Derive everything from the plan, one function each: question, design, flag, senders, share. Pure.

The plan of the power calculation is derived in `planned_power`, with its assumptions about future users; what is stored
with an analysis, in `analysed`. A new field of the plan is read here; `tests/experiments/plan/test_record.py` lists
which derived record must contain which field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from events.metrics import days_needed, parse_metric
from experiments.draw.bucketing import Saturation
from experiments.draw.evaluation import Arm, Flag, Row, Slot
from experiments.plan.lab import nudges_in
from experiments.plan.record import UNADJUSTED, WHOLE, Plan, PlannedOther, PlannedRow, Slice, shares_of
from runs.refusals import Refused

if TYPE_CHECKING:
    from experiments.plan.design import Design, Other

# The question that a stored experiment's analysis asks the warehouse; derived in `experiments.plan.derived`. Pure.


@dataclass(frozen=True)
class Question:
    """Parameters of the warehouse queries of a stored experiment's analysis.

    Attributes:
        experiment: Key that the exposure events carry as `experiment_id`.
        variants: Keys of the arms in the plan's order, control first. Exposures may carry the index as text instead.
        outcomes: Metric texts (`events.metrics.parse_metric`), each once; `survival:G` is not among them.
        behaviour: Behaviour text of the AHA moment, or None.
        times: Z: the moment is reached with this many times of the behaviour, 1 or more.
        days: Y: the behaviour is counted on days 0..Y-1, 1 or more.
        covariates: Names of properties of the unit's signup event, known before the assignment.
        active_days_before: L: above 0, `active_days_before` is a covariate too: active days in the L days before.
        signup_event: Event that marks a unit's signup.
        clock: Which moment is day 0: "exposure" or "signup".
        day_mode: "rolling" (24 h from the clock's moment) or "calendar" (local dates).
        churn_gap: Days without an event after which a unit has churned.
        most_times: Counts of the behaviour above this are pooled in its histogram.
        clustered: True when whole clusters were drawn: exposures carry `cluster`, and moments are computed by cluster.
        seed: Of the clusters' draws, where these gave saturations; "" otherwise.
        saturations: That a cluster could draw.
        others: Other behaviours, each a behaviour text and the number of times from which it counts as done; counted on
            the same days as the behaviour.
    """

    experiment: str
    variants: tuple[str, ...]
    outcomes: tuple[str, ...]
    behaviour: str | None
    times: int = 1
    days: int = 1
    covariates: tuple[str, ...] = ()
    active_days_before: int = 0
    signup_event: str = "signup"
    clock: str = "exposure"
    day_mode: str = "rolling"
    churn_gap: int = 7
    most_times: int = 20
    clustered: bool = False
    seed: str = ""
    saturations: tuple[Saturation, ...] = ()
    others: tuple[tuple[str, int], ...] = ()


# The day of the result: planned end of enrolment + outcome window + allowed lateness. Pure.
#
# Every page, text and API uses it. The planned end is only the end of enrolment.
#
# Source: docs/methods/power.md, "Duration".

# Days that events may arrive late: 0, since an analysis reads the log up to its newest event (`windows.data_end`).
ALLOWED_LATENESS = 0
FARTHEST_DAYS = 36_500  # dates more than a hundred years away aren't shown


def follow_up_days(outcomes: Sequence[str]) -> int:
    """Days after exposure until every primary outcome of a user is known: the longest window.

    Raises:
        Refused: an outcome can't be parsed.
        ValueError: no outcome.
    """
    return max(days_needed(parse_metric(text)) for text in outcomes) + ALLOWED_LATENESS


def result_on(enrolment_ends: date, outcomes: Sequence[str]) -> date | None:
    """The day from which every outcome is known; None without outcomes, or where one can't be parsed.

    Args:
        enrolment_ends: the last day of enrolment.
        outcomes: primary outcomes, as their text.
    """
    try:
        return enrolment_ends + timedelta(days=follow_up_days(outcomes)) if outcomes else None
    except (Refused, OverflowError):
        return None


USUAL_TIMES = 20


@dataclass(frozen=True)
class Serving:
    """What the evaluation APIs need of an experiment beside its plan.

    Attributes:
        pk: row of the experiment; `arms` are the rows of its variants, in order.
        version: grows with each change of the experiment.
        state: `running`, `paused`, `stopped` or `concluded`.
        started: moment of the start; None for a draft.
        enrolment_open: True while new units are enrolled.
        overrides: index of the arm by unit id; `forced` are rules on the caller's context, each with such an index.
    """

    pk: int
    arms: tuple[int, ...]
    version: int
    state: str
    started: datetime | None
    enrolment_open: bool = True
    overrides: Mapping[str, int] = field(default_factory=dict)
    forced: tuple[tuple[Any, int], ...] = ()


def asked(plan: Plan) -> Question:
    """The analysis's question for the warehouse."""
    claim = plan.claim
    return Question(
        experiment=plan.key,
        variants=plan.arms,
        outcomes=plan.outcomes,
        behaviour=None if claim is None else claim.behaviour,
        times=1 if claim is None else claim.times,
        days=1 if claim is None else claim.days,
        covariates=plan.covariates,
        active_days_before=plan.active_days_before,
        signup_event=plan.signup_event or "signup",
        clock=plan.clock,
        day_mode=plan.day_mode,
        churn_gap=plan.churn_gap,
        most_times=max(USUAL_TIMES, 0 if claim is None else claim.times),
        clustered=bool(plan.cluster),
        seed=plan.seed if plan.saturations else "",
        saturations=saturations(plan),
        others=plan.measured_beside,
    )


def design(
    plan: Plan, *, outcomes: Iterable[str], covariates: Iterable[str], segmented: bool, shares: Mapping[str, float]
) -> Design:
    """The plan as the `Design` that reports on files use too.

    Args:
        plan: of the experiment.
        outcomes: those of the plan that were measured, in its order; `covariates` likewise.
        segmented: True when units come from more than one segment.
        shares: planned share by arm, given the mix of segments.
    """
    from experiments.plan.design import Covariate, Design  # loads NumPy, which a web worker does without

    return Design(
        variant="variant",
        control=plan.arms[0],
        outcomes=tuple(outcomes),
        segment="segment" if segmented else None,
        behaviour=None if plan.claim is None else plan.claim.name,
        covariates=tuple(Covariate(name, category=True) for name in covariates),
        cluster=plan.cluster or None,
        shares=shares,
        alpha=plan.alpha,
        margin=plan.smallest_effect,
        placebo=plan.placebo_arm,
        doses=tuple(plan.doses),
        stored=True,
        adjusted=plan.adjustment != UNADJUSTED,
        others=() if plan.claim is None else tuple(map(_other, plan.others)),
    )


def _other(planned: PlannedOther) -> Other:
    from experiments.plan.design import Other

    return Other(planned.behaviour, planned.low, planned.high, planned.origin, planned.consequence, times=planned.times)


def flag(plan: Plan, serving: Serving) -> Flag:
    """The experiment as a flag for the evaluation APIs."""
    own = shares_of(plan.weights)
    rows = tuple(
        Row(row.segment, row.rule, row.coverage / WHOLE, own if row.weights is None else shares_of(row.weights))
        for row in plan.audience
    )
    return Flag(
        pk=serving.pk,
        flag=plan.flag,
        key=plan.key,
        name=plan.name,
        version=serving.version,
        state=serving.state,
        default=_cast(plan.default, plan.value_type),
        arms=tuple(
            Arm(pk, arm.key, arm.name or arm.key, _cast(arm.value, plan.value_type))
            for pk, arm in zip(serving.arms, plan.variants, strict=True)
        ),
        rows=rows or (Row(None, None, 1.0, own),),
        seed=plan.seed,
        hash_version=plan.hash_version,
        holdout=_slot(plan.holdout),
        layer=_slot(plan.layer),
        enrolment_open=serving.enrolment_open,
        new_since=serving.started if plan.enrolment == "new_units" else None,
        overrides=serving.overrides,
        forced=serving.forced,
        remote_only=plan.remote_only,
        cluster=plan.cluster,
        saturations=saturations(plan),
        sets=tuple(nudges_in(key) for key in plan.arms) if plan.is_lab else (),
    )


def saturations(plan: Plan) -> tuple[Saturation, ...]:
    """Saturations that a cluster may draw, as shares 0 to 1."""
    return tuple(Saturation(share / WHOLE, weight / WHOLE) for share, weight in plan.saturations)


def senders(plan: Plan) -> frozenset[int]:
    """Numbers of the sources whose client keys are accepted."""
    return frozenset(plan.sources)


def share_left(plan: Plan) -> float:
    """Share of an audience that is available after layer and holdout, 0 to 1."""
    share = 1.0
    for part in (plan.layer, plan.holdout):
        share *= 1.0 if part is None else max(part.high - part.low, 0) / WHOLE
    return share


def audience_share(rows: Iterable[PlannedRow], share_of: Callable[[str], float]) -> float:
    """Share of arriving units that an audience enrols, 0 to 1, assuming that its segments don't overlap.

    Args:
        rows: in order; without rows everyone is enrolled.
        share_of: function from a segment's key to its share of all units.
    """
    left, share, empty = 1.0, 0.0, True
    for row in rows:
        part = left if row.segment is None else min(left, share_of(row.segment))
        share, left, empty = share + part * row.coverage / WHOLE, left - part, False
    return 1.0 if empty else share


def _slot(part: Slice | None) -> Slot | None:
    return None if part is None else Slot(part.seed, part.low / WHOLE, part.high / WHOLE)


def _cast(value: Any, value_type: str) -> Any:
    """The value with numbers as floats (1.0): Python clients refuse 1 for a float flag."""
    return float(value) if value_type == "number" and isinstance(value, int) else value
