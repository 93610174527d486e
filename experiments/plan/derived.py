"""Derive everything from the plan, one function each: question, design, stored plan, flag, senders, share. Pure.

The plan of the power calculation is derived in `planned_power`, with its assumptions about future users. A new field of
the plan is read here; `tests/experiments/plan/test_record.py` lists which derived record must contain which field.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any

from experiments.draw.evaluation import Arm, Flag, Row, Slot
from experiments.draw.whole_clusters import Saturation
from experiments.plan.design import Covariate, Design
from experiments.plan.earlier.predictor import UNADJUSTED, Predictor
from experiments.plan.planned import Amended, Planned
from experiments.plan.question import Question
from experiments.plan.record import WHOLE, WORDS, Plan, PlannedRow, Slice
from reporting.document import dump

USUAL_TIMES = 20
# Fields with a default that were part of definitions in version 0.3. A later field is hashed only when it isn't at
# its default: a plan that doesn't use it keeps its hash.
FIRST_DEFAULTS = frozenset({"claim", "amendments", "intact", "definition"})


@dataclass(frozen=True)
class History:
    """Events in a plan's life since its start.

    Attributes:
        started: local date; of a draft, today.
        enrolment_ended: local date from which no unit is enrolled any more; None while enrolment is open.
        amendments: logged, oldest first.
        intact: False when the plan changed after the start without a logged amendment.
    """

    started: date
    enrolment_ended: date | None = None
    amendments: tuple[Amended, ...] = ()
    intact: bool = True


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
        variants=tuple(variant.key for variant in plan.variants),
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
    )


def planned(plan: Plan, history: History, prediction: Predictor | None = None) -> Planned:
    """The plan as stored with an analysis and shown on its page, with a hash of everything that decides a number."""
    keys = tuple(variant.key for variant in plan.variants)
    treated = plan.variants[1:]
    same = {one.name for one in fields(Plan)} & {one.name for one in fields(Planned)} - {"variants", "saturations"}
    kept = Planned(
        **{name: getattr(plan, name) for name in same} | {"planned_units": plan.planned_units or 0},
        variants=keys,
        placebo=None if plan.placebo is None else keys[plan.placebo],
        doses={arm.key: arm.dose for arm in treated if arm.role == "dose" and arm.dose is not None},
        shares=_shares(plan),
        take_up=plan.expected_take_up,
        started=history.started,
        enrolment_ended=history.enrolment_ended,
        saturations=saturations(plan),
        amendments=history.amendments,
        intact=history.intact,
        prediction=prediction,
    )
    deciding = {name: value for name, value in dump(kept).items() if name not in WORDS}
    for later in fields(kept):
        if later.name not in FIRST_DEFAULTS and _at_default(kept, later):
            del deciding[later.name]
    text = json.dumps(deciding, sort_keys=True, default=str)
    return replace(kept, definition=hashlib.sha256(text.encode()).hexdigest())


def same_numbers(one: Planned, other: Planned) -> bool:
    """True when two plans give the same numbers: texts may differ, and enrolment may have ended in between."""
    return _deciding(one) == _deciding(other)


def design(
    plan: Planned, *, outcomes: Iterable[str], covariates: Iterable[str], segmented: bool, shares: Mapping[str, float]
) -> Design:
    """The plan as the `Design` that reports on files use too.

    Args:
        plan: as stored.
        outcomes: those of the plan that were measured, in its order; `covariates` likewise.
        segmented: True when units come from more than one segment.
        shares: planned share by arm, given the mix of segments.
    """
    return Design(
        variant="variant",
        control=plan.variants[0],
        outcomes=tuple(outcomes),
        segment="segment" if segmented else None,
        behaviour=None if plan.claim is None else plan.claim.name,
        covariates=tuple(Covariate(name, category=True) for name in covariates),
        cluster=plan.cluster or None,
        shares=shares,
        alpha=plan.alpha,
        margin=plan.smallest_effect,
        placebo=plan.placebo,
        doses=tuple(plan.doses),
        stored=True,
        adjusted=plan.adjustment != UNADJUSTED,
    )


def flag(plan: Plan, serving: Serving) -> Flag:
    """The experiment as a flag for the evaluation APIs."""
    own = _of_whole(plan.weights)
    rows = tuple(
        Row(row.segment, row.rule, row.coverage / WHOLE, own if row.weights is None else _of_whole(row.weights))
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


def _shares(plan: Plan) -> dict[str, tuple[float, ...]]:
    own = _of_whole(plan.weights)
    rows = {row.segment or "": own if row.weights is None else _of_whole(row.weights) for row in plan.audience}
    return rows or {"": own}


def _of_whole(steps: Iterable[int]) -> tuple[float, ...]:
    return tuple(step / WHOLE for step in steps)


def _slot(part: Slice | None) -> Slot | None:
    return None if part is None else Slot(part.seed, part.low / WHOLE, part.high / WHOLE)


def _cast(value: Any, value_type: str) -> Any:
    """The value with numbers as floats (1.0): Python clients refuse 1 for a float flag."""
    return float(value) if value_type == "number" and isinstance(value, int) else value


def _at_default(plan: Planned, one: Field[Any]) -> bool:
    default = one.default if one.default_factory is MISSING else one.default_factory()
    return default is not MISSING and getattr(plan, one.name) == default


def _deciding(plan: Planned) -> Planned:
    return replace(plan, name="", hypothesis="", nudge="", enrolment_ended=None, definition="")
