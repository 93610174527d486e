"""Plan by what is known: how many units come, how many stay, how many an experiment therefore needs (METHODS 4.10)."""

from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from aha.claims import promised
from aha.models import AhaMoment
from events.metrics import Count, Ratio, Survival, Value, display_name, outcome_window, parse_behaviour, parse_metric
from events.reasons import Refused
from events.services.asking import Questions, questions
from events.windows import first_days
from experiments.models import Experiment
from experiments.plan import drafts
from experiments.plan.audience import share_of
from experiments.plan.derived import audience_share, share_left
from experiments.plan.planned_power import (
    AS_PLANNED,
    WEEKS,
    Inflow,
    WhatIf,
    effect_and_units,
    planned_prices,
    power_plan,
    unplannable,
)
from experiments.plan.record import COPIED, WHOLE, Plan
from experiments.plan.stored import plan_of
from segments.services.publishing import find_segment
from stats.results import NotComputable, Reason, computable

ANY_EVENT = "*"
VARIANTS = (
    {"key": "control", "value": False, "weight": WHOLE // 2},
    {"key": "nudge", "value": True, "weight": WHOLE // 2},
)
USUAL_TAKE_UP = 0.1  # a nudge that moves every tenth user is an ordinary one
# Of what a correlation promises, a tenth would still be worth acting on. The smallest effect of interest is also the
# margin below which the verdict says "no effect that matters": with the whole promise there, a real effect of a quarter
# of it would be called immaterial, and the claim refuted.
SHARE_OF_PROMISE = 0.1
LEAST_EFFECT = 0.01


@dataclass(frozen=True)
class Suggestion:
    """A size for the plan of an experiment.

    Attributes:
        inflow: what it rests on.
        coverage: share of the inflow that is enrolled by audience, layer and holdout, 0 to 1.
        take_up: share of units whom the nudge moves; 1 without a behaviour.
        smallest_effect: absolute; with take-up below 1 of the behaviour on those whom the nudge moves.
        per_variant: units of each variant in order, control first.
        planned_units: of all variants.
        days: until the last unit's outcome is known.
        planned_end: the date on which the experiment would end if it started today.
        level: two-sided error rate of one comparison: the plan's alpha over primary outcomes and arms that count.
        inflation: units that the plan's looks cost, as a multiple of those of one look.
        power_no_material_effect: chance to conclude that no effect matters, if there is none.
    """

    inflow: Inflow
    coverage: float
    take_up: float
    smallest_effect: float | NotComputable
    per_variant: tuple[int, ...] | NotComputable
    planned_units: int | NotComputable
    days: int | NotComputable
    planned_end: date | NotComputable
    level: float | NotComputable
    inflation: float | NotComputable
    power_no_material_effect: float | NotComputable


def base_rate_and_inflow(
    metric: str, *, signup_event: str = ANY_EVENT, new_only: bool = True, moment: AhaMoment | None = None
) -> Inflow:
    """How many units come a day, and what they do without any nudge. One question to the warehouse.

    Args:
        metric: the outcome, for example ``window:14-20``.
        signup_event: what starts a unit's clock; ``*`` for its first event of any kind.
        new_only: count units by their signup. Otherwise everyone who is around counts, from the first event in these
            weeks on: the first day then brings all who come daily, so that `per_day` is a mean of four weeks.
        moment: also measure who reaches it, within its days.

    Raises:
        Refused: a metric that can't be read or has no window, an unknown event, no events, or less than four weeks.
    """
    definition = parse_metric(metric)
    if isinstance(definition, Ratio | Survival):
        raise Refused(
            _("No size is suggested for '%(metric)s': it has no share or mean per unit.") % {"metric": metric}
        )
    window = outcome_window(definition)
    if window.end_day is None:
        raise Refused(_("'%(metric)s' grows as the data age: it can't be planned with.") % {"metric": metric})
    with questions() as asked:
        if signup_event != ANY_EVENT:
            asked.need_event(signup_event, "signup_event")
        complete = asked.basis.data_end - timedelta(days=window.days_needed)
        row = _counted(asked, definition, complete, signup_event if new_only else None, moment)
        last = asked.basis.clock.local_date(complete)
    first = last - WEEKS
    units = int(row["units"])
    mean = float(row["mean"]) if units else NotComputable(Reason.NO_DATA)
    reach = None if moment is None else float(row["reach"]) if units else NotComputable(Reason.NO_DATA)
    sd = sqrt(max(float(row["variance"]), 0.0)) if units > 1 and isinstance(definition, Value) else None
    return Inflow(first, last - timedelta(days=1), units, units / WEEKS.days, mean, sd, window.end_day, reach)


def _counted(
    asked: Questions, definition: Any, complete: Any, signup_event: str | None, moment: AhaMoment | None
) -> dict[str, Any]:
    from events import queries
    from events.day_index import utc

    end, start = utc(complete), utc(complete - WEEKS)
    log = asked.log if signup_event is not None else asked.log.filter(asked.log.time >= start)
    users = queries.cohort(log, signup_event or ANY_EVENT, asked.basis)
    users = users.filter(users.anchor >= start, users.anchor < end)
    wanted: dict[str, Any] = {"outcome": definition}
    if moment is not None:
        wanted["times"] = Count(parse_behaviour(moment.behaviour), first_days(moment.days))
    table = queries.outcomes(asked.log, users, asked.basis, wanted)
    times = table.times if moment is not None else table.outcome * 0
    least = 1 if moment is None else moment.times
    frame = asked.run(
        table.aggregate(
            units=table.outcome.count(),
            mean=table.outcome.mean(),
            variance=table.outcome.var(how="sample"),
            reach=(times >= least).ifelse(1.0, 0.0).mean(where=table.outcome.notnull()),
        )
    )
    return dict(frame.iloc[0])


def suggest_size(
    experiment: Experiment, *, signup_event: str | None = None, what_if: WhatIf = AS_PLANNED
) -> Suggestion:
    """Planned units, end and effect for an experiment as it is planned, or as it might be.

    A smallest effect that is set gives the size; else planned units that are set give the smallest effect; else the
    units of four weeks do.

    Args:
        experiment: a draft with a primary outcome and at least two variants.
        signup_event: what starts a unit's clock; None for that of its moment, or the first event of any kind.
        what_if: values to try in place of the plan's own.

    Raises:
        Refused: when it has no primary outcome or variants, or the outcome can't be measured (`base_rate_and_inflow`).
    """
    return sized(experiment, inflow_of(experiment, signup_event=signup_event), what_if)


def inflow_of(experiment: Experiment, *, signup_event: str | None = None) -> Inflow:
    """What an experiment's plan rests on: `base_rate_and_inflow` for its first primary outcome, its units, its moment.

    Raises:
        Refused: when it has no primary outcome, or the outcome can't be measured.
    """
    if not experiment.primary_metrics:
        raise Refused(_("The plan needs one or two primary outcomes."))
    moment = experiment.moment
    return base_rate_and_inflow(
        experiment.primary_metrics[0],
        signup_event=signup_event or (moment.signup_event if moment else ANY_EVENT),
        new_only=experiment.enrolment == Experiment.Enrolment.NEW_UNITS,
        moment=moment,
    )


def sized(experiment: Experiment, inflow: Inflow, what_if: WhatIf = AS_PLANNED) -> Suggestion:
    """`suggest_size` on an inflow that is known already.

    Raises:
        Refused: a plan that can't be sized, or a segment that isn't published.
    """
    plan = plan_of(experiment)
    share, take_up = enrolled_share(plan), plan.expected_take_up or 1.0
    missing = unplannable(inflow)
    if missing is not None:
        return Suggestion(inflow, share, take_up, *(missing,) * 8)
    try:
        planned = power_plan(plan, inflow, what_if)
        effect, units = effect_and_units(plan, inflow.per_day * share, planned, what_if)
        prices = planned_prices(plan, planned, units, what_if)
    except ValueError as error:  # the plan is a draft: what is wrong with it is said, not computed
        raise Refused(_("This plan can't be sized: %(why)s.") % {"why": error}) from None
    if not computable(units):
        return Suggestion(inflow, share, take_up, effect, units, units, units, units, *prices)
    daily = inflow.per_day * share
    days: int | NotComputable = NotComputable(Reason.NO_DAILY_UNITS)
    end: date | NotComputable = NotComputable(Reason.NO_DAILY_UNITS)
    if daily > 0:
        from stats import power

        days = power.days_needed(sum(units), inflow.per_day, coverage=share, window_end=inflow.last_day)
        end = timezone.localdate() + timedelta(days=days) if days < 36_500 else NotComputable(Reason.TOO_LATE)
    return Suggestion(inflow, share, take_up, effect, units, sum(units), days, end, *prices)


def enrolled_share(plan: Plan) -> float:
    """Share of the arriving units that an experiment takes, 0 to 1: audience, slice of its layer, holdout.

    Segments count by their published size among the units of their version, as if rows didn't overlap.

    Raises:
        Refused: a segment that isn't published.
    """
    return audience_share(plan.audience, share_of) * share_left(plan)


def draft_from_moment(
    *, moment: AhaMoment, by: User | None = None, take_up: float | None = None, key: str | None = None
) -> Experiment:
    """Draft the experiment that tests a moment: a nudge for new users, judged by the moment's own retention.

    The effect that is planned for is a tenth of the last rung of the evidence's ladder, at least one point: the promise
    itself is mostly the company that the behaviour keeps. Without evidence it is what the units of four weeks can show;
    without events the sizes stay open.

    Args:
        moment: the claim.
        by: who drafts.
        take_up: share of units whom the nudge is expected to move, above 0; None for 0.1, or the head-room if
            that is less.
        key: of the experiment; None for the moment's key with "-test".

    Raises:
        Refused: a take-up above the head-room: more can't be moved than don't come there by themselves.
    """
    if take_up is not None and not 0 < take_up <= 1:
        raise Refused(_("The expected take-up must lie between 0 and 1."))
    inflow = _inflow_of_moment(moment)
    reach = None if inflow is None else inflow.reach
    head_room = 1 - reach if reach is not None and computable(reach) else 1.0
    if take_up is not None and take_up > head_room:
        text = _("Only %(share)s %% of users don't reach the moment by themselves: more can't be moved.")
        raise Refused(text % {"share": f"{100 * head_room:.1f}"})
    moved = take_up if take_up is not None else min(USUAL_TAKE_UP, head_room)
    with transaction.atomic():
        experiment = drafts.create_draft(
            key=key or free_key(f"{moment.key}-test"), name=name_for_test(moment), by=by,
            hypothesis=hypothesis(moment), moment=moment, value_type=Experiment.ValueType.BOOLEAN, default_value=False,
            variants=VARIANTS, primary_metrics=[moment.retention], enrolment=Experiment.Enrolment.NEW_UNITS,
            expected_take_up=round(moved, 4) or None, smallest_effect=_promised(moment, inflow, moved),
        )  # fmt: skip
        if inflow is None:
            return experiment
        found = sized(experiment, inflow)
        values = {
            name: value
            for name in ("smallest_effect", "planned_units", "planned_end")
            if computable(value := getattr(found, name))
        }
        return drafts.update_draft(key=experiment.key, by=by, **values)


def clone(*, experiment: Experiment, by: User | None = None, key: str | None = None) -> Experiment:
    """A new draft with the same plan and a new draw. Dates and overrides stay behind.

    Args:
        experiment: in any state.
        by: who clones.
        key: of the new one; None for the old key with a number.

    Raises:
        Refused: a key that exists, or that is none.
    """
    kept = [name.removesuffix("_id") for name in COPIED]
    arms = experiment.variants.order_by("position").values("key", "name", "value", "weight", "role", "dose")
    rows = list(experiment.audience.order_by("position").values("segment_key", "rule", "coverage", "weights"))
    for row in rows:
        if row["segment_key"] is not None and find_segment(row["segment_key"]) is not None:
            row["rule"] = None  # it was copied at the start, and will be again
    return drafts.create_draft(
        key=key or free_key(experiment.key), variants=list(arms), audience=rows, by=by,
        **{name: getattr(experiment, name) for name in kept},
    )  # fmt: skip


def free_key(base: str) -> str:
    """The key itself, or with the first number that is free."""
    base = base[:120]
    taken = set(Experiment.objects.filter(key__startswith=base).values_list("key", flat=True))
    return base if base not in taken else next(f"{base}-{n}" for n in range(2, 10_000) if f"{base}-{n}" not in taken)


def _inflow_of_moment(moment: AhaMoment) -> Inflow | None:
    try:
        return base_rate_and_inflow(moment.retention, signup_event=moment.signup_event, moment=moment)
    except Refused:
        return None  # a draft may be made before the first event


def name_for_test(moment: AhaMoment) -> str:
    """What the experiment that tests a moment is called."""
    return _("Test of %(moment)s") % {"moment": moment}


def hypothesis(moment: AhaMoment) -> str:
    """The claim of a moment as the hypothesis of its test."""
    text = _(
        "If we nudge new users to do %(behaviour)s at least %(times)s times within %(days)s days, more of them stay "
        "(%(retention)s)."
    )
    return text % {
        "behaviour": display_name(moment.behaviour), "times": moment.times, "days": moment.days,
        "retention": display_name(moment.retention),
    }  # fmt: skip


def _promised(moment: AhaMoment, inflow: Inflow | None, take_up: float) -> float | None:
    """A tenth of the evidence's adjusted difference, where it fits: more than everybody can't stay."""
    adjusted = promised(moment.evidence).adjusted
    if adjusted is None or adjusted.estimate <= 0:
        return None
    base = inflow.base if inflow is not None and computable(inflow.base) else 0.0
    effect = max(SHARE_OF_PROMISE * adjusted.estimate, LEAST_EFFECT)
    return round(effect, 4) if base + take_up * effect < 1 else None
