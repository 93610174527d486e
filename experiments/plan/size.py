"""Suggest the size of an experiment from live counts: units that come, units retained, units needed.

Source: docs/methods/power.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import ceil, sqrt
from typing import Any

from aha.models import AhaMoment
from aha.moments.claims import studied
from events.metrics import (
    Count,
    Metric,
    Quantile,
    Ratio,
    Survival,
    Value,
    days_needed,
    is_display_only,
    parse_behaviour,
    parse_metric,
)
from events.metrics.facts import refuse_exposures
from events.warehouse import queries
from events.warehouse.arm_marks import Condition, Did, of_metric, of_start, refuse_arm_marks
from events.warehouse.columns import bounded, property_text, utc
from events.warehouse.session import WarehouseSession, questions
from events.warehouse.unit_values import Basis
from events.windows import first_days
from experiments.models import Experiment
from experiments.plan.audience import share_of
from experiments.plan.caps import ANY_EVENT, fixed_now
from experiments.plan.cupac import worth_of
from experiments.plan.derived import FARTHEST_DAYS, audience_share, follow_up_days, result_on, share_left
from experiments.plan.fields import Enrolment
from experiments.plan.lab import behaviours_of
from experiments.plan.lab_power import LabPower, power_of_lab
from experiments.plan.planned_power import (
    WEEKS,
    Inflow,
    effect_and_units,
    planned_prices,
    power_plan,
    ship_power,
    units_saved,
    unplannable,
)
from experiments.plan.record import WHOLE, Plan
from experiments.plan.stored import plan_of
from runs.refusals import Refused
from runs.site_zone import site_date
from stats.power import sample_size
from stats.power.sample_size import ClusterLaw, cluster_law
from stats.power.with_guardrails import Watched
from stats.ratios import unit_sd
from stats.results import NotComputable, Reason, computable


@dataclass(frozen=True)
class Suggestion:
    """A suggested size for an experiment's plan.

    Attributes:
        inflow: that it is computed from.
        coverage: share of the inflow that is enrolled after audience, layer and holdout, 0 to 1.
        take_up: share of units that the nudge moves; 1 without a behaviour.
        smallest_effect: absolute; with take-up below 1 of the behaviour on compliers. That of the plan, else the
            smallest that its units can detect.
        planned_effect: that the units are computed for, in the same unit.
        per_variant: units of each variant in order, control first.
        planned_units: of all variants.
        days: until the last unit's outcome is known.
        planned_end: the date on which enrolment would end if it started today.
        result_on: the date from which every outcome is then known.
        level: two-sided error rate of one comparison: the plan's alpha over primary outcomes and arms that count.
        inflation: units needed with the plan's looks, as a multiple of those with one look.
        power_no_material_effect: probability to conclude that no effect matters, if there is none.
        units_saved, days_saved: how many more the same plan would need without its adjustment; None without one.
        power_to_ship: lower bound of the probability that success is proved and every guardrail with a margin unharmed;
            None without such guardrails.
    """

    inflow: Inflow
    coverage: float
    take_up: float
    smallest_effect: float | NotComputable
    planned_effect: float | NotComputable
    per_variant: tuple[int, ...] | NotComputable
    planned_units: int | NotComputable
    days: int | NotComputable
    planned_end: date | NotComputable
    result_on: date | NotComputable
    level: float | NotComputable
    inflation: float | NotComputable
    power_no_material_effect: float | NotComputable
    units_saved: int | NotComputable | None = None
    days_saved: int | NotComputable | None = None
    power_to_ship: float | NotComputable | None = None


def base_rate_and_inflow(
    metric: str,
    *,
    signup_event: str = ANY_EVENT,
    new_only: bool = True,
    moment: AhaMoment | None = None,
    margins: Mapping[str, float] | None = None,
    cluster: str = "",
    aimed: Sequence[tuple[str, int]] = (),
) -> Inflow:
    """Units a day and their outcome without a nudge. One warehouse query.

    Args:
        metric: the outcome, for example ``window:14-20``.
        signup_event: what starts a unit's clock; ``*`` for its first event of any kind.
        new_only: True: count units from their signup. False: all active units count, from their first event in these
            weeks: the first day then has all daily users, so `per_day` is a mean of four weeks.
        moment: also measure the share that reaches it within its days.
        margins: of guardrails that are measured too, by metric.
        cluster: event property with a unit's cluster: also measure cluster sizes and intraclass correlation.
        aimed: behaviours with their times: also measure the share that does each within the moment's days.

    Raises:
        Refused: a metric that can't be parsed or has no window, an unknown event, no events, less than four weeks, or a
            query that would reveal the arms of a locked experiment.
    """
    definition = parse_metric(metric)
    refuse_exposures(
        metric, signup_event, *(margins or {}), *(name for name, _times in aimed), moment.behaviour if moment else ""
    )
    if isinstance(definition, Survival | Quantile):
        raise Refused("No size is suggested for '{metric}': it has no share or mean per user.", metric=metric)
    if is_display_only(definition):
        raise Refused("'{metric}' grows as the data age: it can't be planned with.", metric=metric)
    needed = days_needed(definition)
    with questions() as warehouse:
        if signup_event != ANY_EVENT:
            warehouse.need_event(signup_event, where="signup_event")
        refuse_arm_marks({"": _asks((metric, *(margins or {})), signup_event, moment, aimed)}, store=warehouse)
        complete = warehouse.basis.data_end - timedelta(days=needed)
        who = signup_event if new_only else ANY_EVENT
        definition = fixed_now(warehouse, definition, who)
        guardrails = {name: fixed_now(warehouse, parse_metric(name), who) for name in margins or {}}
        metrics = [definition, *guardrails.values()]
        table = _outcomes(warehouse, metrics, complete, signup_event if new_only else None, moment, aimed)
        row = _counted(warehouse, metrics, table, moment, aimed)
        law = _cluster_law(warehouse, table, cluster) if cluster else None
        last = warehouse.basis.clock.local_date(complete)
    first = last - WEEKS
    units = int(row["units"])
    mean, sd = _spread(row, definition, 0)
    watched = [
        _watched(row, guardrail, at, margin)
        for at, (guardrail, margin) in enumerate(_pairs(guardrails, margins), start=1)
    ]
    reach = None if moment is None else float(row["reach"]) if units else NotComputable(Reason.NO_RECENT_USERS)
    usable = tuple(guardrail for guardrail in watched if guardrail is not None)
    days = timedelta(days=1)
    rates = tuple((name, times, float(row[f"rate_{at}"])) for at, (name, times) in enumerate(aimed)) if units else ()
    found = Inflow(first, last - days, units, units / WEEKS.days, mean, sd, needed - 1, reach, None, usable, law)
    return replace(found, rates=rates)


def _asks(
    metrics: Iterable[str], start: str, moment: AhaMoment | None, aimed: Sequence[tuple[str, int]]
) -> list[Condition]:
    conditions = [
        *of_start(start),
        *(condition for text in metrics for condition in of_metric(parse_metric(text), start)),
    ]
    if moment is not None:
        wanted = ((moment.behaviour, moment.times), *aimed)
        window = first_days(moment.days)
        conditions += [Did(parse_behaviour(name), start, window, times) for name, times in wanted]
    return conditions


def _outcomes(
    store: WarehouseSession,
    metrics: Sequence[Metric],
    complete: Any,
    signup_event: str | None,
    moment: AhaMoment | None,
    aimed: Sequence[tuple[str, int]],
) -> Any:
    """One row per unit that arrived in these weeks: each metric, and with a moment `times`, and `aimed_0` and so on."""
    definitions: dict[str, Any] = {}
    for at, metric in enumerate(metrics):
        parts = (metric.numerator, metric.denominator) if isinstance(metric, Ratio) else (metric,)
        definitions |= {f"{letter}_{at}": part for letter, part in zip("vw", parts, strict=False)}
    if moment is not None:
        window = first_days(moment.days)
        definitions["times"] = Count(parse_behaviour(moment.behaviour), window)
        definitions |= {f"aimed_{at}": Count(parse_behaviour(name), window) for at, (name, _times) in enumerate(aimed)}
    return outcomes_of_four_weeks(store, complete, signup_event, definitions)


def _cluster_law(store: WarehouseSession, table: Any, cluster: str) -> ClusterLaw | NotComputable:
    """Size and correlation of clusters, by the last cluster in each unit's events; units without one are left out."""
    text = property_text(store.log.properties, cluster, store.basis.dialect)
    log = store.log.mutate(cluster=text)
    log = log.filter(log.cluster.notnull() & (log.cluster != ""))
    last = log.group_by("user_id").aggregate(cluster=log.cluster.argmax(log.time))
    known = table.filter(table.v_0.notnull()).join(last, "user_id")
    known = known.mutate(outcome=known.v_0.cast("float64"))
    frame = store.run(
        known.group_by("cluster").aggregate(
            units=known.outcome.count(), mean=known.outcome.mean(), variance=known.outcome.var(how="sample")
        )
    )
    return cluster_law(*(frame[name].fillna(0.0).to_numpy(dtype=float) for name in ("units", "mean", "variance")))


def _counted(
    store: WarehouseSession,
    metrics: Sequence[Metric],
    table: Any,
    moment: AhaMoment | None,
    aimed: Sequence[tuple[str, int]],
) -> dict[str, Any]:
    """Number of units, and moments of each metric: of a share, of a mean, or of both parts of a ratio."""
    times = table.times if moment is not None else table.v_0 * 0
    least = 1 if moment is None else moment.times
    moments = {
        f"{name}_{column}": number
        for column in table.columns
        if column[:2] in ("v_", "w_")
        for name, number in (("mean", table[column].mean()), ("variance", table[column].var(how="sample")))
    }
    moments |= {
        f"covariance_{at}": table[f"v_{at}"].cov(table[f"w_{at}"], how="sample")
        for at, metric in enumerate(metrics)
        if isinstance(metric, Ratio)
    }
    known = table.v_0.notnull()
    reach = (times >= least).ifelse(1.0, 0.0).mean(where=known)
    moments |= {
        f"rate_{at}": (table[f"aimed_{at}"] >= times).ifelse(1.0, 0.0).mean(where=known)
        for at, (_name, times) in enumerate(aimed)
    }
    frame = store.run(table.aggregate(units=table.v_0.count(), reach=reach, **moments))
    return dict(frame.iloc[0])


def _pairs(metrics: Mapping[str, Metric], margins: Mapping[str, float] | None) -> list[tuple[Metric, float]]:
    return [(metric, (margins or {})[name]) for name, metric in metrics.items()]


def _spread(row: Mapping[str, Any], metric: Metric, at: int) -> tuple[float | NotComputable, float | None]:
    """Mean and, unless it is a share, standard deviation per unit; a ratio is linearised."""
    if not row["units"]:
        return _nobody(metric), None
    mean, variance = float(row[f"mean_v_{at}"]), _number(row[f"variance_v_{at}"])
    if not isinstance(metric, Ratio):
        return mean, sqrt(variance) if row["units"] > 1 and isinstance(metric, Value) else None
    below = float(row[f"mean_w_{at}"])
    covariance = float(row[f"covariance_{at}"]) if row["units"] > 1 else 0.0
    spread = unit_sd((mean, below), (variance, _number(row[f"variance_w_{at}"])), covariance)
    return (mean / below, spread) if computable(spread) else (spread, None)


def _watched(row: Mapping[str, Any], metric: Metric, at: int, margin: float) -> Watched | None:
    """A guardrail measured without a nudge; None where no size can be computed from it."""
    mean, sd = _spread(row, metric, at)
    if not computable(mean) or sd == 0 or (sd is None and not 0 < mean < 1):
        return None
    return Watched(margin, mean, sd)


def _number(value: Any) -> float:
    """A variance as a float; 0 where the engine returns none, for a single unit."""
    return 0.0 if value is None or value != value else max(float(value), 0.0)


def outcomes_of_four_weeks(
    store: WarehouseSession, complete: Any, signup_event: str | None, definitions: dict[str, Any]
) -> Any:
    """One row per unit that arrived in the four weeks before `complete`, with one column for each wanted metric.

    Args:
        store: the open warehouse.
        complete: units that arrived later have no known outcome.
        signup_event: what starts a unit's clock; None for its first event in these weeks, for all active units.
        definitions: metrics by the names of their columns.
    """
    users, basis = users_of_four_weeks(store, complete, signup_event)
    return queries.outcomes(store.log, users, basis, definitions)


def users_of_four_weeks(store: WarehouseSession, complete: Any, signup_event: str | None) -> tuple[Any, Basis]:
    """One row per unit that arrived in the four weeks before `complete`, with its clock, and the basis of such units.

    Arguments as above.
    """
    since, basis = complete - WEEKS, store.basis.between(complete - WEEKS, complete)
    if signup_event is None:
        users = queries.cohort(bounded(store.log, since, None), ANY_EVENT, basis)
    else:
        users = replace(store, basis=basis).cohort(signup_event)
    return users.filter(users.anchor >= utc(since), users.anchor < utc(complete)), basis


def suggest_size(experiment: Experiment, *, signup_event: str | None = None, **tried: Any) -> Suggestion:
    """Suggested units, end and effect for an experiment as planned, or with other values.

    The size is computed from the planned effect, else from the smallest effect; without either, the smallest effect is
    computed from the planned units, else from the units of four weeks.

    Args:
        experiment: a draft with a primary outcome and at least two variants.
        signup_event: what starts a unit's clock; None for that of its moment, or the first event of any kind.
        tried: values to try instead of the plan's own, as `sized_plan`.

    Raises:
        Refused: when it has no primary outcome or variants, or the outcome can't be measured (`base_rate_and_inflow`).
    """
    return sized(experiment, inflow_of(experiment, signup_event=signup_event), **tried)


def inflow_of(experiment: Experiment, *, signup_event: str | None = None) -> Inflow:
    """The inflow for an experiment's plan: `base_rate_and_inflow` for its first primary outcome, its units, its moment.

    Raises:
        Refused: when it has no primary outcome, or the outcome can't be measured.
    """
    try:
        measured = measured_inflow(experiment, signup_event=signup_event)
    except Refused:
        if (expected := as_expected(experiment, None)) is None:
            raise
        return expected
    return as_expected(experiment, measured) or measured


def measured_inflow(experiment: Experiment, *, signup_event: str | None = None) -> Inflow:
    """Measured inflow of four weeks, whatever the plan expects; a warehouse query.

    Raises:
        Refused: as `inflow_of`.
    """
    if not experiment.primary_metrics:
        raise Refused("The plan needs one or two primary outcomes.")
    moment = experiment.moment
    inflow = base_rate_and_inflow(
        experiment.primary_metrics[0],
        signup_event=signup_event or (moment.signup_event if moment else ANY_EVENT),
        new_only=experiment.enrolment == Enrolment.NEW_UNITS,
        moment=moment,
        margins={
            name: rule["margin"]
            for name, rule in experiment.guardrail_rules.items()
            if not isinstance(parse_metric(name), Quantile)  # its variance is known only per arm
        },
        cluster=experiment.cluster,
        aimed=_aimed(experiment),
    )
    last_day = max(inflow.last_day, follow_up_days(experiment.primary_metrics) - 1)
    explained = worth_of(plan_of(experiment)) if inflow.units else NotComputable(Reason.NO_RECENT_USERS)
    return replace(inflow, explained=explained, last_day=last_day)


def _aimed(experiment: Experiment) -> list[tuple[str, int]]:
    """Behaviours of a lab's nudges that can be counted."""
    if experiment.moment is None:
        return []
    counted = []
    for name, times in behaviours_of(plan_of(experiment)) if experiment.is_lab else ():
        try:
            refuse_exposures(name)
            parse_behaviour(name)
        except Refused:  # reported by the plan's mistakes
            continue
        counted.append((name, times))
    return counted


def as_expected(experiment: Experiment, measured: Inflow | None) -> Inflow | None:
    """The inflow with the plan's expected values; without a measured one, with the base rate of the moment's study.

    Args:
        experiment: the draft.
        measured: inflow; None where nothing could be measured, for example before the first event.

    Returns:
        None where nothing was measured and the plan has no expected values.
    """
    daily, primary = experiment.expected_daily_units, experiment.primary_metrics
    if measured is None:
        if daily is None or not primary or isinstance(parse_metric(primary[0]), Survival | Quantile):
            return None
        today, nothing = site_date(), _nobody(parse_metric(primary[0]))
        measured = Inflow(today, today, 0, 0.0, nothing, None, follow_up_days(primary) - 1, None)
    inflow = from_study(measured, experiment.moment, primary[0])
    if experiment.expected_base is not None and _is_share(parse_metric(primary[0])):
        inflow = replace(inflow, base=experiment.expected_base, base_from="expects")
    return inflow if daily is None else replace(inflow, per_day=float(daily), per_day_from="expects")


def from_study(inflow: Inflow, moment: AhaMoment | None, metric: str) -> Inflow:
    """The inflow with base rate and reach of the moment's study (same outcome), where measured ones can't be used."""
    if unplannable(inflow) is None or moment is None or moment.retention != metric:
        return inflow
    study = studied(moment.evidence)
    if study is None or not 0 < study.base < 1:
        return inflow
    return replace(inflow, base=study.base, reach=study.reach, base_from="study")


def _is_share(metric: Metric) -> bool:
    return not isinstance(metric, Value | Ratio | Quantile | Survival)


def _nobody(metric: Metric) -> NotComputable:
    """Why an outcome has no value where no users arrived."""
    return NotComputable(Reason.NO_RECENT_USERS if _is_share(metric) else Reason.NO_RECENT_VALUES)


def sized(experiment: Experiment, inflow: Inflow, **tried: Any) -> Suggestion:
    """`suggest_size` from a given inflow.

    Raises:
        Refused: a plan that can't be sized, or a segment that isn't published.
    """
    plan = plan_of(experiment)
    return sized_plan(plan, inflow, enrolled_share(plan), **tried)


def sized_plan(
    plan: Plan,
    inflow: Inflow,
    share: float,
    *,
    planned_effect: float | None = None,
    margin: float | None = None,
    **tried: Any,
) -> Suggestion:
    """`sized` of a plan without a row.

    Args:
        plan: a draft's.
        inflow: of units.
        share: of the inflow that is enrolled, 0 to 1.
        planned_effect: to try instead of the plan's.
        margin: to try as the smallest effect of interest that the verdict can exclude; it isn't the planned effect.
        tried: as `power_plan`.

    Raises:
        Refused: a plan that can't be sized.
    """
    plan = plan if planned_effect is None else replace(plan, planned_effect=planned_effect)
    take_up = _take_up(plan)
    missing = unplannable(inflow)
    if missing is not None:
        return Suggestion(inflow, share, take_up, *(missing,) * 10)
    if plan.is_lab:
        return _lab_sized(plan, inflow, share, margin, tried)
    try:
        planned = power_plan(plan, inflow, **tried)
        effect, units = effect_and_units(plan, inflow.per_day * share, planned, inflow.guardrails)
        ships = ship_power(planned, effect, units, inflow.guardrails)
        prices = planned_prices(plan, planned, units, margin)
        saved = units_saved(plan, inflow.per_day * share, planned, units) if computable(units) else units
    except ValueError as error:  # a draft's invalid values are reported, not computed
        raise Refused("This plan can't be sized: {why}.", why=error) from None
    least = effect if plan.smallest_effect is None else plan.smallest_effect
    if not computable(units):
        return Suggestion(inflow, share, take_up, least, effect, *(units,) * 5, *prices, power_to_ship=ships)
    daily = inflow.per_day * share
    days, end, known = _ends(plan, inflow, share, sum(units))
    days_saved = saved
    if isinstance(saved, int) and saved > 0 and daily > 0:
        days_saved = sample_size.days_needed(saved, daily)
    return Suggestion(
        *(inflow, share, take_up, least, effect, units, sum(units), days, end, known, *prices),
        units_saved=saved,
        days_saved=days_saved,
        power_to_ship=ships,
    )


def _take_up(plan: Plan) -> float:
    """Expected take-up; of a lab that of the nudge to the claim's behaviour."""
    own = behaviours_of(plan)[:1] if plan.is_lab else ()
    return next((nudge.take_up for nudge in plan.nudges if (nudge.behaviour, nudge.times) in own), None) or (
        plan.expected_take_up or 1.0
    )


def _lab_sized(plan: Plan, inflow: Inflow, share: float, margin: float | None, tried: Mapping[str, Any]) -> Suggestion:
    """The size of a lab, with which each behaviour of its nudges is decided."""
    take_up = _take_up(plan)
    margin = plan.smallest_effect if margin is None else margin
    try:
        power = power_of_lab(plan, inflow, **tried)
        effect, units = _lab_effect_and_users(plan, inflow.per_day * share, power)
        immaterial: float | NotComputable = NotComputable(Reason.NO_MARGIN)
        if margin is not None:
            immaterial = power.no_material_effect(margin, units) if computable(units) else units
    except ValueError as error:  # a draft's invalid values are reported, not computed
        raise Refused("This plan can't be sized: {why}.", why=error) from None
    least = effect if plan.smallest_effect is None else plan.smallest_effect
    prices = (power.level, power.inflation, immaterial)
    if not computable(units):
        return Suggestion(inflow, share, take_up, least, effect, *(units,) * 5, *prices)
    per_variant = tuple(round(units * weight / WHOLE) for weight in plan.weights)
    return Suggestion(
        *(inflow, share, take_up, least, effect, per_variant, units, *_ends(plan, inflow, share, units), *prices)
    )


def _lab_effect_and_users(
    plan: Plan, daily: float, power: LabPower
) -> tuple[float | NotComputable, int | NotComputable]:
    """The planned effect and its users, or the effect that the planned users, or those of four weeks, decide."""
    planned = plan.smallest_effect if plan.planned_effect is None else plan.planned_effect
    if planned is not None:
        return planned, power.users(planned)
    users = plan.planned_units or ceil(daily * WEEKS.days)
    effect = power.smallest_effect(users) if users > 1 else NotComputable(Reason.NO_DAILY_UNITS)
    return effect, users if computable(effect) else effect


def _ends(
    plan: Plan, inflow: Inflow, share: float, units: int
) -> tuple[int | NotComputable, date | NotComputable, date | NotComputable]:
    """Days until so many units' outcome is known, end of enrolment and day of the result, if it started today."""
    if inflow.per_day * share <= 0:
        nobody = NotComputable(Reason.NO_DAILY_UNITS)
        return nobody, nobody, nobody
    days = sample_size.days_needed(units, inflow.per_day, coverage=share, window_end=inflow.last_day)
    return days, *_dates(plan, days, days - inflow.last_day - 1)


def _dates(plan: Plan, days: int, enrolment_days: int) -> tuple[date | NotComputable, date | NotComputable]:
    """End of enrolment and day of the result, if it started today."""
    late = NotComputable(Reason.TOO_LATE)
    if days >= FARTHEST_DAYS:
        return late, late
    end = site_date() + timedelta(days=enrolment_days)
    return end, result_on(end, plan.primary) or late


def enrolled_share(plan: Plan) -> float:
    """Share of arriving units that an experiment enrols, 0 to 1: audience, slice of its layer, holdout.

    Segments count by their published size among the units of their version, as if rows didn't overlap.

    Raises:
        Refused: a segment that isn't published.
    """
    return audience_share(plan.audience, share_of) * share_left(plan)
