"""A lab's nudges and behaviours: take-ups, the joint reading, retention over time. Pure.

Source: docs/methods/joint.md, "The lab".
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import sqrt

from experiments.analyse import behaviour
from experiments.analyse.comparison.lab_cells import LabData
from experiments.analyse.engine import effect_set_at
from experiments.analyse.gather.answers import Answers
from experiments.analyse.result import (
    ArmOverTime,
    FirstStage,
    LabBehaviour,
    LabReading,
    NudgeMoments,
    NudgeTakeUp,
    OverTime,
    WholeEffect,
)
from experiments.plan.lab import NO_NUDGE, OFF, sides
from experiments.plan.record import Plan, PlannedVariant
from stats.compare import by_z
from stats.instrument.anderson_rubin import AndersonRubin
from stats.instrument.causes import Measured, Place, State, map_of_causes, measured_jointly
from stats.instrument.encouragement import TakeUp, first_stage, wald
from stats.instrument.joint import Agreement, JointMoments, read_jointly
from stats.instrument.lab import moments_of_sets
from stats.instrument.nudge_pairs import NudgePair, nudge_pairs_of_sets
from stats.multiplicity import holm
from stats.results import Estimate, NotComputable, Reason, computable
from stats.sequential.looks import Look, at_look, told_at

type Looks = Mapping[str, Look]


def first_stages(plan: Plan, data: LabData) -> tuple[FirstStage, ...]:
    """What each nudge did to the behaviour that it leads to, among users with a known first outcome."""
    return tuple(
        FirstStage(nudge.key, _take_up(plan, data, code, (nudge.behaviour, nudge.times)), ())
        for code, nudge in enumerate(plan.nudges, start=1)
        if (nudge.behaviour, nudge.times) in data.behaviours and plan.primary[0] in data.order
    )


def _take_up(plan: Plan, data: LabData, code: int, led: tuple[str, int]) -> TakeUp | NotComputable:
    pair = data.toward(plan.primary[0], code, led)
    moments = pair.moments()
    return first_stage(moments, *pair.take_up(), alpha=plan.alpha) if computable(moments) else moments


def take_ups(plan: Plan, data: LabData) -> tuple[NudgeTakeUp, ...]:
    """What each nudge did to each behaviour, beside all other nudges; nothing of the outcome enters."""
    name = plan.primary[0]
    if name not in data.order or not data.behaviours:
        return ()
    moments = _moments(data, name, with_outcome=False)
    users = int(data.summaries(name, with_outcome=False)[0].sum())
    return tuple(
        NudgeTakeUp(
            nudge.key,
            act,
            times,
            (act, times) == (nudge.behaviour, nudge.times),
            users,
            _moved(moments, row, column, plan.alpha),
        )
        for row, nudge in enumerate(plan.nudges)
        for column, (act, times) in enumerate(data.behaviours)
    )


def _moved(moments: JointMoments | NotComputable, nudge: int, place: int, alpha: float) -> Estimate | NotComputable:
    if not computable(moments):
        return moments
    at = nudge * (len(moments.behaviours) + 1) + 1 + place
    error = sqrt(max(float(moments.covariance[at, at]), 0.0))
    if error == 0:
        return NotComputable(Reason.NO_VARIANCE)
    return by_z(float(moments.first_stages[nudge, place]), error, alpha, "nudges-together")


# ── All nudges together ───────────────────────────────────────────────────────
def read_together(plan: Plan, data: LabData, looks: Looks) -> LabReading | None:
    """What all nudges together say of each behaviour, at the level of the look; None without a measured behaviour.

    Args:
        plan: as its nudges are compared.
        data: of the experiment.
        looks: of each nudge; what is about all of them is read at the strictest.
    """
    name = plan.primary[0]
    if name not in data.order or not data.behaviours:
        return None
    look = behaviour.strictest(looks)
    behaviours, agreement, direct_effect = _of_behaviours(plan, data, look)
    n, means, covariance = data.summaries(name)
    spread = covariance[:, 0, 0]
    pairs = nudge_pairs_of_sets(data.nudges, data.on(), n, means[:, 0], spread, alpha=look.nominal_alpha)
    return LabReading(
        behaviours=behaviours,
        agreement=agreement,
        direct_effect=direct_effect,
        pairs=tuple(_pair_at(pair, look) for pair in pairs),
        whole=tuple(_whole(plan, data, code, looks) for code in range(1, len(data.labels))),
        moments=tuple(_each_moments(data)),
    )


type OfBehaviours = tuple[tuple[LabBehaviour, ...], Agreement | NotComputable, AndersonRubin | NotComputable]


def _of_behaviours(plan: Plan, data: LabData, look: Look) -> OfBehaviours:
    moments, led = _moments(data, plan.primary[0]), tuple(data.behaviours)
    if not computable(moments):
        places = [Place(name, State.INCONCLUSIVE, None, moments) for name in _names(data)]
        rows = [LabBehaviour(*one, place, None) for one, place in zip(led, places, strict=True)]
        return tuple(rows), moments, moments
    reading = read_jointly(moments, look.nominal_alpha)
    measured = [_told(row, look) for row in measured_jointly(reading, plan.smallest_effect)]
    places = list(map_of_causes(measured, alpha=look.alpha, adjust=holm))
    rows = [
        LabBehaviour(*one, place, told_at(row.strong_set, look))
        for one, place, row in zip(led, places, reading.behaviours, strict=True)
    ]
    return tuple(rows), told_at(reading.agreement, look), told_at(reading.direct_effect, look)


def _names(data: LabData) -> tuple[str, ...]:
    """Behaviour texts, with their times where two have the same text."""
    texts = [act for act, _times in data.behaviours]
    return tuple(f"{act} >= {times}" if texts.count(act) > 1 else act for act, times in data.behaviours)


def _moments(data: LabData, outcome: str, *, with_outcome: bool = True) -> JointMoments | NotComputable:
    if not data.same_split:
        return NotComputable(Reason.SPLIT_DIFFERS)
    summaries = data.summaries(outcome, with_outcome=with_outcome)
    return moments_of_sets(data.nudges, _names(data), data.on(), *summaries)


def _told(row: Measured, look: Look) -> Measured:
    """A behaviour's numbers as they hold for all looks together."""
    zero, margin = row.p_zero, row.p_margin
    return replace(
        told_at(row, look),
        p_zero=look.p_value(zero) if computable(zero) else zero,
        p_margin=look.p_value(margin) if computable(margin) else margin,
    )


def _pair_at(pair: NudgePair, look: Look) -> NudgePair:
    p_value = pair.adjusted_p
    return replace(told_at(pair, look), adjusted_p=look.p_value(p_value) if computable(p_value) else p_value)


def _whole(plan: Plan, data: LabData, code: int, looks: Looks) -> WholeEffect:
    nudge = plan.nudges[code - 1]
    moments, look = data.toward(plan.primary[0], code, (nudge.behaviour, nudge.times)).moments(), looks[nudge.key]
    led = nudge.key, nudge.behaviour, nudge.times
    if not computable(moments):
        return WholeEffect(*led, moments, moments)
    return WholeEffect(*led, at_look(wald(moments, alpha=look.nominal_alpha), look), effect_set_at(moments, look))


def _each_moments(data: LabData) -> Iterator[NudgeMoments]:
    """Moments of each nudge on every outcome."""
    on = data.on()
    for outcome in data.order:
        moments = _moments(data, outcome)
        if not computable(moments):
            continue
        size, n = len(moments.behaviours) + 1, data.summaries(outcome)[0]
        for place, nudge in enumerate(moments.nudges):
            own, with_it = slice(place * size, (place + 1) * size), int(n @ on[:, place])
            effects = (float(moments.itt[place]), *map(float, moments.first_stages[place]))
            covariance = tuple(tuple(map(float, line)) for line in moments.covariance[own, own])
            yield NudgeMoments(nudge, outcome, effects, covariance, int(n.sum()) - with_it, with_it)


# ── Over time ─────────────────────────────────────────────────────────────────
def over_time(
    plan: Plan, answers: Answers, data: LabData, tau: float, looks: Looks
) -> tuple[tuple[ArmOverTime, ...], tuple[OverTime, ...]]:
    """Each nudge against all users without it; of the arms also the users without any nudge, as `OFF`.

    Args:
        plan: as its nudges are compared.
        answers: by sets of nudges.
        data: of the experiment.
        tau: horizon in days.
        looks: of each nudge.
    """
    none = replace(plan, variants=(PlannedVariant(NO_NUDGE, None, 1),))
    arms = [replace(row, variant=OFF) for row in behaviour.arms_over_time(none, answers, tau, looks)]
    rows: list[OverTime] = []
    for nudge in data.nudges:
        one = replace(plan, variants=tuple(arm for arm in plan.variants if arm.key in (OFF, nudge)))
        told = _by_nudge(answers, nudge)
        arms += behaviour.arms_over_time(one, told, tau, looks)[1:]
        rows += behaviour.over_time(one, told, replace(data, nudges=(nudge,)), tau, looks)
    return tuple(arms), tuple(rows)


def _by_nudge(answers: Answers, nudge: str) -> Answers:
    """The counts over time of users with one nudge, and of those without it as `OFF`."""
    has = sides(answers.cells.variants, nudge)
    durations: Counter[tuple[str, str, int, bool]] = Counter()
    for variant, segment, day, churned, units in _of(answers.durations, has):
        durations[nudge if has[variant] else OFF, segment, day, churned] += units
    eligible: Counter[tuple[str, int]] = Counter()
    active: Counter[tuple[str, int]] = Counter()
    for variant, day, able, came in _of(answers.curve, has):
        key = nudge if has[variant] else OFF, day
        eligible[key] += able
        active[key] += came
    return replace(
        answers,
        durations=tuple((*key, units) for key, units in durations.items()),
        curve=tuple((*key, able, active[key]) for key, able in eligible.items()),
    )


def _of[Row: tuple[object, ...]](rows: tuple[Row, ...], has: Mapping[str, bool]) -> Iterator[Row]:
    return (row for row in rows if row[0] in has)
