"""What moving more users across the threshold would be worth, and how many units an experiment needs to see it."""

from dataclasses import dataclass
from math import ceil, sqrt

from scipy import stats

from aha.aipw import Difference
from runs.refusals import Refused
from stats.results import NotComputable, Reason, computable


@dataclass(frozen=True)
class Gain:
    """Change of the whole population's retention; 0.01 = one point more of all users stay.

    Attributes:
        estimate, low, high: share moved times the difference, and its limits.
        level: confidence level.
    """

    estimate: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Promise:
    """The promises side by side.

    Attributes:
        moved: share of all users moved across the threshold, 0 to headroom.
        headroom: share of users who don't reach the threshold yet, 0 to 1: the most that can be moved.
        naive: as if the raw difference were an effect. It never is.
        adjusted: as if nothing unmeasured were left.
        causal: from the experiment's effect on those whom the nudge moved; the only one worded as a cause.
        confounding: causal effect over raw difference; 1 = the correlation told the truth, 0 = it was all activity.
    """

    moved: float
    headroom: float
    naive: Gain | NotComputable
    adjusted: Gain | NotComputable
    causal: Gain | NotComputable
    confounding: float | NotComputable


@dataclass(frozen=True)
class Draft:
    """The size of an experiment that nudges users across the threshold.

    Attributes:
        units_per_variant: whole units per variant.
        control_rate, nudge_rate: retention expected in the two variants.
        take_up: share of users whom the nudge moves across the threshold.
        behaviour_effect: effect of the behaviour that is assumed for them.
        days: days until the last outcome is complete, when the daily number of units is known.
    """

    units_per_variant: int
    control_rate: float
    nudge_rate: float
    take_up: float
    behaviour_effect: float
    days: int | None


def promise(
    moved: float,
    *,
    reach: float,
    raw: Difference | NotComputable,
    adjusted: Difference | NotComputable,
    causal: Difference | NotComputable | None = None,
) -> Promise:
    """What moving a share of users across the threshold is worth, by three readings of the evidence.

    Args:
        moved: share of *all* users, 0 to headroom.
        reach: share of users who reach the threshold already, 0 to 1.
        raw: first rung of the ladder.
        adjusted: last rung of the ladder.
        causal: the experiment's effect of the behaviour, None before there is one.

    Raises:
        Refused: if more users are to be moved than there are to move.
        ValueError: if reach isn't a share.

    Source: METHODS 2.15.
    """
    headroom = _headroom(reach)
    _check_moved(moved, headroom)
    effect = NotComputable(Reason.NO_EXPERIMENT_YET) if causal is None else causal
    return Promise(
        moved, headroom, _gain(moved, raw), _gain(moved, adjusted), _gain(moved, effect), _confounding(raw, effect)
    )


def sample_size(control_rate: float, rate: float, *, alpha: float = 0.05, power: float = 0.8) -> float | NotComputable:
    """Units per group that show a difference of two proportions, two-sided, not rounded.

    Args:
        control_rate, rate: the two proportions, 0 to 1.
        alpha: two-sided error rate.
        power: chance to see the difference if it is there, above alpha / 2 and below 1.

    Source: METHODS 4.10; the normal formula behind R's ``power.prop.test``.
    """
    if not 0 <= control_rate <= 1 or not 0 <= rate <= 1 or not 0 < alpha < 1 or not alpha / 2 < power < 1:
        raise ValueError(f"out of range: rates {control_rate}, {rate}, alpha {alpha}, power {power}")
    if control_rate == rate:
        return NotComputable(Reason.NOTHING_TO_DETECT)
    middle = (control_rate + rate) / 2
    under_null = float(stats.norm.isf(alpha / 2)) * sqrt(2 * middle * (1 - middle))
    spread = sqrt(control_rate * (1 - control_rate) + rate * (1 - rate))
    return ((under_null + float(stats.norm.isf(1 - power)) * spread) / (rate - control_rate)) ** 2


def draft_experiment(
    effect: Difference | NotComputable,
    *,
    base: float,
    reach: float,
    take_up: float,
    outcome_day: int,
    alpha: float = 0.05,
    power: float = 0.8,
    daily_units: float | None = None,
) -> Draft | NotComputable:
    """Size of an experiment with one nudge, diluted by take-up: only those whom the nudge moves can respond.

    Args:
        effect: assumed effect of the behaviour. Give the last rung, not the raw difference: the raw one promises too
            much, and an experiment sized by it is too small.
        base: retention without the nudge, 0 to 1.
        reach: share of users who reach the threshold already.
        take_up: share of all users whom the nudge is expected to move, above 0 and at most the headroom.
        outcome_day: last day of the retention window.
        alpha, power: of the comparison by assignment.
        daily_units: units entering the experiment per day, in both variants together.

    Returns:
        The draft; ``NOTHING_TO_DETECT`` when the assumed effect is 0, or the reason why there is no effect.

    Raises:
        Refused: if take-up is impossible, or retention would leave the range of shares.

    Source: METHODS 4.10.
    """
    headroom = _headroom(reach)
    _check_moved(take_up, headroom)
    if not computable(effect):
        return effect
    nudged = base + take_up * effect.estimate
    if not 0 <= nudged <= 1:
        raise Refused(f"A retention of {base:.1%} can't change by {take_up * effect.estimate:.1%}.")
    needed = sample_size(base, nudged, alpha=alpha, power=power)
    if not computable(needed):
        return needed
    per_variant = ceil(needed)
    days = None if daily_units is None else ceil(2 * per_variant / daily_units) + outcome_day + 1
    return Draft(per_variant, base, nudged, take_up, effect.estimate, days)


def _headroom(reach: float) -> float:
    if not 0 <= reach <= 1:
        raise ValueError(f"reach is a share between 0 and 1, not {reach}")
    return 1 - reach


def _check_moved(moved: float, headroom: float) -> None:
    if not 0 <= moved <= headroom:
        raise Refused(f"Between 0 % and {headroom:.1%} of users can be moved across the threshold, not {moved:.1%}.")


def _gain(moved: float, difference: Difference | NotComputable) -> Gain | NotComputable:
    if not computable(difference):
        return difference
    return Gain(moved * difference.estimate, moved * difference.low, moved * difference.high, difference.level)


def _confounding(raw: Difference | NotComputable, causal: Difference | NotComputable) -> float | NotComputable:
    if not computable(causal):
        return causal
    if not computable(raw):
        return raw
    if not raw.excludes_zero:
        return NotComputable(Reason.RAW_COVERS_ZERO)
    return causal.estimate / raw.estimate
