"""Placebo nudge against control: the direct effect of being nudged, and whether it moves the behaviour. Pure."""

from dataclasses import dataclass

from stats.results import Estimate, NotComputable, computable

# docs/methods/encouragement.md, "Placebo arm": a placebo leaves the behaviour alone if its first stage is significantly
# below a quarter of the nudge's.
SHARE_OF_FIRST_STAGE = 0.25


@dataclass(frozen=True)
class Placebo:
    """A nudge of equal salience towards an inert behaviour, against control.

    Attributes:
        outcome: its effect on the outcome R: the direct effect of being nudged.
        behaviour: its effect on the behaviour D; about 0 if only the nudge's content moves users.
    """

    outcome: Estimate | NotComputable
    behaviour: Estimate | NotComputable


@dataclass(frozen=True)
class Equivalence:
    """Whether the placebo leaves the behaviour alone.

    Attributes:
        effect: its first stage against control, share of units, -1 to 1.
        low, high: its limits at level 1 - 2 alpha.
        bound: the limits must lie inside plus and minus this, share of units, at least 0.
    """

    effect: float
    low: float
    high: float
    bound: float

    @property
    def shown(self) -> bool:
        """Whether both one-sided tests reject a first stage of the bound or more."""
        return -self.bound < self.low and self.high < self.bound


def leaves_alone(
    placebo: Estimate | NotComputable, *, planned: float | None, nudge: float | NotComputable
) -> Equivalence | NotComputable:
    """Two one-sided tests of the placebo's first stage against a quarter of the nudge's.

    Args:
        placebo: its first stage against control with the interval at level 1 - 2 alpha, share of units.
        planned: the registered first stage of the nudge, share of units; None if nothing was planned (a file).
        nudge: its observed first stage against control, used if none was planned. Its error would enter the bound by a
            quarter only and is ignored.

    Returns:
        The test; not computable if the placebo's first stage isn't, or if the nudge has no first stage.

    Source: Schuirmann 1987 (two one-sided tests); docs/methods/encouragement.md, "Placebo arm".
    """
    if not computable(placebo):
        return placebo
    whole = nudge if planned is None else planned
    if not computable(whole):
        return whole
    return Equivalence(placebo.estimate, placebo.low, placebo.high, SHARE_OF_FIRST_STAGE * abs(whole))
