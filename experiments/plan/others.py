"""Propose a plan's other behaviours: what a nudge may move beside the one under test, and how much each may explain.

By default they are the candidates of the population's latest study; without a study, the commonest events of earlier
users. The limits of each one's effect come from experiments on it, else from the study's adjusted gap, else from the
gap among earlier users.

Source: docs/methods/joint.md, "Other behaviours".
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from aha.evidence.aipw import Difference
from aha.evidence.expected_gain import PastKnowledge, knowledge
from aha.evidence.findings import Definition, PastFinding, pool_findings, usual_definition
from aha.evidence.store_findings import all_findings
from aha.models import AhaMoment, Study
from aha.study.payload_versions import STUDY
from aha.study.result import Candidate, Report
from aha.study.window_guard import Flag, Flagged
from events.metrics import (
    Behaviour,
    Count,
    Metric,
    Ratio,
    Survival,
    Value,
    outcome_window,
    parse_behaviour,
    parse_metric,
)
from events.warehouse import queries
from events.warehouse.arm_marks import Did, arm_marks, of_metric, of_start, refuse_arm_marks
from events.warehouse.session import WarehouseSession, questions
from events.windows import first_days
from experiments.models import Experiment
from experiments.plan.caps import ANY_EVENT
from experiments.plan.fields import Enrolment, Origin
from experiments.plan.record import MOST_OTHERS, PlannedOther
from experiments.plan.size import outcomes_of_four_weeks, users_of_four_weeks
from reporting.document import dump
from runs.payloads import Unreadable
from runs.refusals import Refused
from stats.compare import compare_unpooled, newcombe_interval
from stats.instrument.pooled import Answer
from stats.results import computable
from stats.summaries import Mean

type Limits = tuple[float, float]

DIGITS = 4  # of a stored limit: 0.0001 of a share is a hundredth of a point
FEWEST = 2  # users who do it, and who don't: a gap of fewer has no interval


def proposed_rows(experiment: Experiment, moment: AhaMoment | None = None) -> list[dict[str, Any]]:
    """The proposal for a draft, as its column stores it; empty where it tests no moment.

    Args:
        experiment: the draft.
        moment: to propose for instead of its own.

    Raises:
        Refused: as `proposed_others`.
    """
    moment = moment or experiment.moment
    if moment is None:
        return []
    outcome = (experiment.primary_metrics or [moment.retention])[0]
    new_only = experiment.enrolment == Enrolment.NEW_UNITS
    return [dump(other) for other in proposed_others(moment, outcome, new_only=new_only)]


def proposed_others(moment: AhaMoment, outcome: str, *, new_only: bool = True) -> tuple[PlannedOther, ...]:
    """Other behaviours for a test of a moment, each with the limits of its effect on an outcome; at most 12.

    Args:
        moment: under test.
        outcome: metric text of the plan's first outcome, in whose unit the limits are.
        new_only: as `size.base_rate_and_inflow`; for the gap among earlier users.

    Raises:
        Refused: there is no study, and earlier users can't be asked: no events, an outcome without a share or mean per
            user, or a query that would tell the arms of a locked experiment apart.
    """
    report = _latest_study(moment, outcome)
    if report is None:
        return _of_cohort(moment, outcome, new_only=new_only)
    return of_study(report, moment.behaviour, knowledge(all_findings()), outcome)


# Candidates of a study. Pure.


def of_study(report: Report, behaviour: str, past: PastKnowledge, outcome: str) -> tuple[PlannedOther, ...]:
    """Its candidates whose gap isn't 0, the best first: one of each group of near-repeats, none of the own group.

    Args:
        report: of a finished study of the plan's population.
        behaviour: under test.
        past: findings of experiments, and how much of their promises behaviours kept.
        outcome: of the plan.
    """
    group_of = _groups(report.flags)
    own = str(parse_behaviour(behaviour))
    taken = {group_of.get(own, own)}
    others = []
    for candidate in report.candidates:
        group = group_of.get(candidate.behaviour, candidate.behaviour)
        found = None if group in taken else _limits(candidate, past, outcome)
        if found is not None:
            taken.add(group)
            others.append(_other(candidate.behaviour, candidate.times, *found))
    return tuple(others[:MOST_OTHERS])


def _groups(flags: Iterable[Flagged]) -> dict[str, str]:
    """First behaviour of the group of near-repeats, for each behaviour that repeats another one."""
    first: dict[str, str] = {}
    for flagged in flags:
        if flagged.flag is Flag.DUPLICATE and flagged.other is not None:
            first[flagged.behaviour] = first.get(flagged.other, flagged.other)
    return first


def _limits(candidate: Candidate, past: PastKnowledge, outcome: str) -> tuple[Limits, Origin] | None:
    """Limits of the candidate's effect, and where they come from; None where its gap isn't known, or may be 0."""
    known = limits_by_experiments(past.findings, candidate.behaviour, candidate.times, outcome)
    if known is not None:
        return known, Origin.EXPERIMENTS
    raw, adjusted = candidate.ladder.rungs[0].difference, candidate.ladder.headline.difference
    gap = adjusted if computable(adjusted) else raw
    if not computable(gap) or not gap.excludes_zero:
        return None
    kept = None if past.price.assumed else past.price.ratio.high
    return promised_limits(gap, raw if computable(raw) else gap, kept), Origin.PROMISE


def limits_by_experiments(findings: Sequence[PastFinding], behaviour: str, times: int, outcome: str) -> Limits | None:
    """Ends of what all experiments on a behaviour say together.

    None where there are none, they disagree, or their set has no end.
    """
    definition: Definition | None = usual_definition(findings, behaviour, times=times, outcome=outcome)
    pool = None if definition is None else pool_findings(findings, definition).pooled
    if pool is None or not computable(pool) or pool.answer is Answer.NUDGES_DISAGREE:
        return None
    around = pool.answer_set
    pieces = around.pieces if computable(around) else ()
    ends = [end for piece in pieces for end in piece]
    known = [end for end in ends if end is not None]
    return (min(known), max(known)) if known and len(known) == len(ends) else None


def promised_limits(adjusted: Difference, raw: Difference, kept: float | None) -> Limits:
    """The adjusted gap's interval, none of its ends beyond the raw gap's, times what promises kept at most.

    Args:
        adjusted: headline of the study's ladder.
        raw: its first rung. Only an end on the same side of 0 limits.
        kept: upper limit of the ratio of effect to promise; None while too few experiments have tested any.
    """
    low = max(adjusted.low, raw.low) if raw.low < 0 else adjusted.low
    high = min(adjusted.high, raw.high) if raw.high > 0 else adjusted.high
    share = 1.0 if kept is None else max(kept, 0.0)
    return share * low, share * high


def _other(behaviour: str, times: int, limits: Limits, origin: Origin) -> PlannedOther:
    """The limits always hold 0: a behaviour that harms, or that the nudge lowers, is covered alike."""
    low, high = (round(end, DIGITS) if abs(end) >= 10**-DIGITS else float(f"{end:.2g}") for end in limits)
    return PlannedOther(behaviour, times, min(0.0, low), max(0.0, high), origin.value)


def _latest_study(moment: AhaMoment, outcome: str) -> Report | None:
    """The latest finished study with the moment's signup event and segment, and the plan's outcome.

    A study that could compare no behaviour with luck counts as none.
    """
    segment = None if moment.study is None else moment.study.inputs.get("segment")
    wanted = Definition(moment.behaviour, 1, 1, outcome).same[3]
    rows = Study.objects.light().filter(
        status=Study.Status.DONE, archived_at=None, inputs__signup_event=moment.signup_event
    )
    for study in rows.order_by("-finished_at", "-pk"):
        same = Definition(moment.behaviour, 1, 1, str(study.inputs.get("retention", ""))).same[3] == wanted
        if not same or study.inputs.get("segment") != segment:
            continue
        report = STUDY.of(Study.objects.get(pk=study.pk))
        if report is not None and not isinstance(report, Unreadable) and report.untested is None:
            return report
    return None


# The commonest events of earlier users, with the gap between those who do and don't do each. Two warehouse queries.


def _of_cohort(moment: AhaMoment, outcome: str, *, new_only: bool) -> tuple[PlannedOther, ...]:
    definition = parse_metric(outcome)
    window = None if isinstance(definition, Ratio | Survival) else outcome_window(definition)
    if window is None or window.end_day is None:
        raise Refused("No gap is known for '{metric}': it has no share or mean per user.", metric=outcome)
    start = moment.signup_event or ANY_EVENT
    own, counted = parse_behaviour(moment.behaviour), first_days(moment.days)
    with questions() as store:
        if start != ANY_EVENT:
            store.need_event(start, where="signup_event")
        refuse_arm_marks({"": [*of_start(start), *of_metric(definition, start)]}, store=store)
        complete = store.basis.data_end - timedelta(days=window.days_needed)
        signup = start if new_only else None
        names = _commonest(store, complete, signup, moment.days, leave_out={start, own.event})
        marked = arm_marks([Did(Behaviour(name), start, counted, 1) for name in names], store=store)
        telling = {condition.behaviour.event for condition in marked if isinstance(condition, Did)}
        asked = [Behaviour(name) for name in names if name not in telling][:MOST_OTHERS]
        if not asked:
            return ()
        columns: dict[str, Metric] = {f"o_{at}": Count(behaviour, counted) for at, behaviour in enumerate(asked)}
        table = outcomes_of_four_weeks(store, complete, signup, {"outcome": definition, **columns})
        found = _groups_of(store, table, list(columns))
    share = not isinstance(definition, Value)
    gaps = [(behaviour, _gap(*found[name], share=share)) for name, behaviour in zip(columns, asked, strict=True)]
    return tuple(_other(str(behaviour), 1, gap, Origin.COHORT) for behaviour, gap in gaps if gap is not None)


def _commonest(
    store: WarehouseSession, complete: Any, signup: str | None, days: int, *, leave_out: set[str]
) -> list[str]:
    """Event names by how many users do them in their first days, those with the most first; some more than needed."""
    users, basis = users_of_four_weeks(store, complete, signup)
    log = queries.occurrences(store.log, users, basis, days=days)
    log = log.filter(~log.behaviour.isin(sorted(leave_out)))
    table = log.group_by("behaviour").aggregate(users=log.user_id.nunique())
    frame = store.run(table.order_by([table.users.desc(), table.behaviour]).limit(2 * MOST_OTHERS))
    return [str(name) for name in frame["behaviour"]]


def _groups_of(store: WarehouseSession, table: Any, columns: Sequence[str]) -> dict[str, tuple[Mean, Mean]]:
    """Of each behaviour the outcome of those who didn't do it, and of those who did."""
    table = table.filter(table.outcome.notnull()).mutate(outcome=lambda one: one.outcome.cast("float64"))
    numbers = {}
    for name in columns:
        for group, inside in (("rest", table[name] == 0), ("did", table[name] > 0)):
            numbers[f"n_{group}_{name}"] = inside.ifelse(1, 0).sum()
            numbers[f"mean_{group}_{name}"] = table.outcome.mean(where=inside)
            numbers[f"var_{group}_{name}"] = table.outcome.var(where=inside, how="sample")
    frame = store.run(table.aggregate(**numbers))
    row = {
        name: 0.0 if value is None or value != value else float(value) for name, value in dict(frame.iloc[0]).items()
    }

    def summary(name: str) -> Mean:
        return Mean(round(row[f"n_{name}"]), row[f"mean_{name}"], row[f"var_{name}"])

    return {name: (summary(f"rest_{name}"), summary(f"did_{name}")) for name in columns}


def _gap(rest: Mean, did: Mean, *, share: bool) -> Limits | None:
    """95 % interval of the gap between those who did it and the others; None where too few did or didn't."""
    if min(rest.n, did.n) < FEWEST:
        return None
    if share:
        interval = newcombe_interval(rest, did)
        return (interval.low, interval.high) if computable(interval) else None
    estimate = compare_unpooled(rest, did)
    return (estimate.low, estimate.high) if computable(estimate) else None
