"""What today's inflow decides in some weeks: the smallest effect of a test of each moment and metric.

The formula is that of a plan's outlook (`planned_power.effect_within`); only the plan is a usual one.
Source: docs/methods/power.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import F

from aha.models import AhaMoment
from events.metrics import Survival, parse_metric
from events.models import Metric, MetricVersion
from experiments.models import Experiment, Holdout
from experiments.plan.caps import ANY_EVENT
from experiments.plan.derived import share_left
from experiments.plan.drafts import VARIANTS, hoped_for, usual_take_up
from experiments.plan.planned_power import Inflow, effect_within, units_within, unplannable
from experiments.plan.record import WHOLE, Plan, PlannedVariant, Slice
from experiments.plan.size import base_rate_and_inflow, from_study
from runs.refusals import Refused
from stats.results import NotComputable, Reason, computable

WEEKS = (4, 6, 8, 13)
MOST = 12  # of each kind: each costs a question to the warehouse
INFLOW_SECONDS = 600  # as on the plans' own pages


@dataclass(frozen=True)
class Decidable:
    """One moment or metric.

    Attributes:
        name: for people; "" for a metric that the catalogue doesn't name.
        moment: its key; "" for a metric.
        outcome: metric text.
        smallest: the smallest effect that is decided, absolute; of a moment the effect of the behaviour on users who do
            it because of the nudge. Or the reason why there is none.
        expected: the effect that the evidence, or the latest plan, expects, in the same unit; None without one.
        share: True for an outcome that is a share.
        users: users whose outcome is known by then.
        take_up: expected share of users who do it because of the nudge; 1 for a metric.
        outcome_days: days after enrolment until the outcome is known; None where it isn't known.
        refusal: why the outcome can't be measured, in words; "" where it can.
    """

    name: str
    moment: str
    outcome: str
    smallest: float | NotComputable | None
    expected: float | None
    share: bool = True
    users: int = 0
    take_up: float = 1.0
    outcome_days: int | None = None
    refusal: str = ""

    @property
    def is_found(self) -> bool:
        """True where the smallest effect could be computed."""
        return self.smallest is not None and computable(self.smallest)

    @property
    def ratio(self) -> float | None:
        """The smallest effect over the expected one: at most 1 where these weeks decide it; None where unknown."""
        if self.smallest is None or not computable(self.smallest) or not self.expected:
            return None
        return self.smallest / self.expected


def decidable(weeks: int) -> list[Decidable]:
    """Every current moment and every metric used as an outcome, those that are decided most easily first.

    A warehouse query for each, remembered for ten minutes.
    """
    holdout = Holdout.objects.filter(active=True).first()
    slice_ = None if holdout is None else Slice(holdout.seed, holdout.share, WHOLE)
    rows = [*_moments(7 * weeks, slice_), *_metrics(7 * weeks, slice_)]
    return sorted(rows, key=lambda row: (row.ratio is None, row.ratio or 0.0, not row.is_found, row.name))


def _moments(days: int, holdout: Slice | None) -> Iterator[Decidable]:
    for moment in AhaMoment.objects.filter(archived_at=None).order_by("-created_at")[:MOST]:
        try:
            inflow = from_study(_inflow(moment.retention, moment.signup_event, moment), moment, moment.retention)
        except Refused as refusal:
            yield Decidable(str(moment), moment.key, moment.retention, None, None, refusal=refusal.sentence)
            continue
        take_up = usual_take_up(inflow)
        found = _within(moment.retention, inflow, days, holdout, take_up)
        expected = hoped_for(moment, inflow, take_up)
        yield Decidable(str(moment), moment.key, moment.retention, expected=expected, take_up=take_up, **found)


def _metrics(days: int, holdout: Slice | None) -> Iterator[Decidable]:
    """Metrics that plans without a moment use as their first outcome, and certified ones of the catalogue."""
    names: dict[str, str] = {}
    plans: dict[str, Experiment] = {}
    rows = Experiment.objects.exclude(status=Experiment.Status.ARCHIVED).filter(moment=None).order_by("-pk")
    for row in rows[: 10 * MOST]:
        if row.primary_metrics:
            plans.setdefault(row.primary_metrics[0], row)
    newest = MetricVersion.objects.filter(metric__status=Metric.Status.CERTIFIED, number=F("metric__version"))
    for version in newest.select_related("metric").order_by("metric__key")[:MOST]:
        names[version.facts.line] = version.metric.title
    for outcome in list(dict.fromkeys([*plans, *names]))[:MOST]:
        yield _metric(names.get(outcome, ""), outcome, plans.get(outcome), days, holdout)


def _metric(name: str, outcome: str, plan: Experiment | None, days: int, holdout: Slice | None) -> Decidable:
    expected = None if plan is None else plan.planned_effect or plan.smallest_effect
    try:
        if isinstance(parse_metric(outcome), Survival):
            raise Refused("No size is suggested for '{metric}': it has no share or mean per user.", metric=outcome)
        inflow = _inflow(outcome, ANY_EVENT if plan is None else plan.signup_event or ANY_EVENT, None)
    except Refused as refusal:
        return Decidable(name, "", outcome, None, expected, refusal=refusal.sentence)
    return Decidable(name, "", outcome, expected=expected, **_within(outcome, inflow, days, holdout, 1.0))


def _inflow(outcome: str, signup_event: str, moment: AhaMoment | None) -> Inflow:
    key = f"decidable:{outcome}:{signup_event}:{'' if moment is None else moment.pk}".replace(" ", "_")
    found: Inflow | None = cache.get(key)
    if found is None:
        found = base_rate_and_inflow(outcome, signup_event=signup_event, moment=moment)
        cache.set(key, found, INFLOW_SECONDS)
    return found


def _within(outcome: str, inflow: Inflow, days: int, holdout: Slice | None, take_up: float) -> dict[str, Any]:
    """The smallest effect in so many days, and what it is computed from."""
    plan = usual_plan(outcome, holdout, take_up)
    facts: dict[str, Any] = {"share": inflow.sd is None, "outcome_days": inflow.last_day + 1}
    missing = unplannable(inflow)
    if missing is not None:
        return {**facts, "smallest": missing}
    share = share_left(plan)
    users = units_within(days, inflow, share)
    try:
        smallest = effect_within(plan, inflow, share, days)
    except ValueError:
        smallest = NotComputable(Reason.NO_DETECTABLE_EFFECT)
    return {**facts, "smallest": smallest, "users": users}


def usual_plan(outcome: str, holdout: Slice | None, take_up: float) -> Plan:
    """The plan of a draft: two equal groups, a level of 5% and a power of 80%, one analysis at the end."""
    variants = tuple(PlannedVariant(str(row["key"]), row["value"], WHOLE // 2) for row in VARIANTS)
    return Plan(
        key="usual",
        flag="usual",
        hypothesis="",
        variants=variants,
        value_type="boolean",
        default=False,
        primary=(outcome,),
        planned_units=None,
        planned_end=None,
        smallest_effect=None,
        expected_take_up=None if take_up >= 1 else take_up,
        holdout=holdout,
    )
