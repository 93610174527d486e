"""Expected gain: what more users at the threshold would be worth, and how many units an experiment needs to see it."""

from dataclasses import dataclass

from aha.evidence.aipw import Difference
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

    Source: docs/methods/evidence.md, "Promise".
    """
    headroom = _headroom(reach)
    _check_moved(moved, headroom)
    effect = NotComputable(Reason.NO_EXPERIMENT_YET) if causal is None else causal
    return Promise(
        moved, headroom, _gain(moved, raw), _gain(moved, adjusted), _gain(moved, effect), _confounding(raw, effect)
    )


def _headroom(reach: float) -> float:
    if not 0 <= reach <= 1:
        raise ValueError(f"reach is a share between 0 and 1, not {reach}")
    return 1 - reach


def _check_moved(moved: float, headroom: float) -> None:
    if not 0 <= moved <= headroom:
        raise Refused(
            "Between 0% and {most:.1%} of users can be moved across the threshold, not {given:.1%}.",
            most=headroom,
            given=moved,
        )


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
