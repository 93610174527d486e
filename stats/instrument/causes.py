"""The map of causes: one state for each behaviour, from what all nudges together say, with one error rate.

A map is read for its findings, so that each kind of statement on it, "has an effect" and "has no material effect",
keeps one false discovery rate over all behaviours that were measured, whatever the dependence of their tests.

Source: docs/methods/joint.md, "Map of causes"; Benjamini, Yekutieli 2001.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.joint import BehaviourReading, JointMoments, JointReading, p_value_of
from stats.multiplicity import benjamini_yekutieli
from stats.results import NotComputable, Reason, check_alpha, computable


class State(StrEnum):
    """What experiments say of a behaviour."""

    CAUSES = "causes"
    HARMS = "harms"
    NO_MATERIAL_EFFECT = "no_material_effect"
    INCONCLUSIVE = "inconclusive"
    NOT_TOLD_APART = "not_told_apart"
    CONTRADICTED = "contradicted"
    NEVER_NUDGED = "never_nudged"


@dataclass(frozen=True)
class Measured:
    """What experiments measured of one behaviour, from a joint reading or from a pool of its own experiments.

    Attributes:
        behaviour: its name.
        effect: in the outcome's unit per user who does it; not computable with ``NUDGES_DISAGREE`` where the nudges
            contradict each other, with any other reason where the behaviour can't be told from others.
        effect_set: effects that the data don't reject; not computable where ``effect`` isn't.
        p_zero: p-value of "no effect".
        p_margin: p-value of "an effect of at least the margin"; not computable without a margin.
        confused_with: behaviours that move most alike.
        conditional_f: how well the nudges tell it from the others.
        joint: whether other behaviours were read beside it.
        strong_set: the shorter set that holds only for strong nudges; None where they aren't all strong.
    """

    behaviour: str
    effect: float | NotComputable
    effect_set: AndersonRubin | NotComputable
    p_zero: float | NotComputable
    p_margin: float | NotComputable
    confused_with: tuple[str, ...]
    conditional_f: float | NotComputable
    joint: bool = True
    strong_set: AndersonRubin | None = None


@dataclass(frozen=True)
class Place:
    """One behaviour on the map.

    Attributes:
        behaviour: its name.
        state: the one statement about it.
        measured: what the statement rests on; None where no experiment has nudged to it.
        adjusted_p: p-value of "no effect", adjusted over the map: below alpha it has an effect.
    """

    behaviour: str
    state: State
    measured: Measured | None
    adjusted_p: float | NotComputable


def measured_jointly(reading: JointReading, margin: float | None = None) -> tuple[Measured, ...]:
    """What a joint reading says of each behaviour.

    Args:
        reading: of all nudges together.
        margin: the smallest effect that matters, in the outcome's unit per user who does it; None: none is known.
    """
    return tuple(
        Measured(
            behaviour=row.behaviour,
            effect=row.effect,
            effect_set=row.effect_set,
            p_zero=row.p_zero,
            p_margin=_p_margin(reading.moments, row, margin),
            confused_with=(row.confused_with,) if row.confused_with else (),
            conditional_f=row.conditional_f,
            strong_set=row.strong_set,
        )
        for row in reading.behaviours
    )


def _p_margin(moments: JointMoments, row: BehaviourReading, margin: float | None) -> float | NotComputable:
    """The larger of the p-values of both margins; that of one nudge a behaviour is one-sided, as its law is normal."""
    if margin is None:
        return NotComputable(Reason.NO_MARGIN)
    if not computable(row.effect):
        return row.effect
    if not inside(row.effect_set, margin):
        return 1.0
    place = moments.behaviours.index(row.behaviour)
    largest = max(p_value_of(moments, place, end) for end in (-margin, margin))
    return largest / 2 if len(moments.nudges) == len(moments.behaviours) else largest


def inside(effect_set: AndersonRubin | NotComputable, margin: float) -> bool:
    """True where every effect of the set is smaller than the margin."""
    if isinstance(effect_set, NotComputable) or effect_set.shape is not Shape.INTERVAL:
        return False
    return (
        effect_set.low is not None
        and effect_set.high is not None
        and -margin < effect_set.low <= effect_set.high < margin
    )


def map_of_causes(
    measured: Sequence[Measured],
    never_nudged: Sequence[str] = (),
    *,
    alpha: float = 0.05,
    adjust: Callable[[Sequence[float]], list[float]] = benjamini_yekutieli,
) -> tuple[Place, ...]:
    """One state for each behaviour, those never nudged last.

    Behaviours without a number count in the size of the family too: whether they have one depends on the same data.

    Args:
        measured: behaviours that experiments nudged to or measured.
        never_nudged: names of the other behaviours on the map.
        alpha: false discovery rate of each kind of statement.
        adjust: p-values for several behaviours; `holm` for a few that were registered together, as those of a lab:
            then alpha bounds the chance of any wrong statement of a kind.
    """
    check_alpha(alpha)
    zero = adjust([row.p_zero if computable(row.p_zero) else 1.0 for row in measured])
    margin = adjust([row.p_margin if computable(row.p_margin) else 1.0 for row in measured])
    places = [
        Place(row.behaviour, _state(row, p_zero < alpha, p_margin < alpha), row, _adjusted(row, p_zero))
        for row, p_zero, p_margin in zip(measured, zero, margin, strict=True)
    ]
    none = NotComputable(Reason.NO_EXPERIMENT_YET)
    return (*places, *(Place(name, State.NEVER_NUDGED, None, none) for name in never_nudged))


def _adjusted(row: Measured, p_value: float) -> float | NotComputable:
    return p_value if computable(row.p_zero) else row.p_zero


def _state(row: Measured, effect_proved: bool, immaterial_proved: bool) -> State:
    if isinstance(row.effect, NotComputable):
        if row.effect.reason is Reason.NUDGES_DISAGREE:
            return State.CONTRADICTED
        # Alone on the list it can't be confused with another one: its nudges moved it too little.
        return State.NOT_TOLD_APART if row.confused_with else State.INCONCLUSIVE
    if immaterial_proved:
        return State.NO_MATERIAL_EFFECT
    if effect_proved and not isinstance(row.effect_set, NotComputable):
        low, high = row.effect_set.low, row.effect_set.high
        if row.effect_set.shape is Shape.INTERVAL and low is not None and high is not None:
            # A set of several pieces is given as the one interval that holds them, which may hold 0.
            if low > 0:
                return State.CAUSES
            if high < 0:
                return State.HARMS
    return State.INCONCLUSIVE
