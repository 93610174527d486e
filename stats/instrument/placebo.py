"""What being nudged does by itself: a placebo nudge against control, and whether it moves the behaviour. Pure."""

from dataclasses import dataclass

from stats.results import Estimate, NotComputable, computable

# docs/methods/encouragement.md, "Placebo arm": a placebo leaves the behaviour alone when its first stage is surely
# below a quarter of the nudge's.
SHARE_OF_FIRST_STAGE = 0.25


@dataclass(frozen=True)
class Placebo:
    """A nudge of equal salience towards an inert behaviour, against control.

    Attributes:
        outcome: its effect on the outcome R: what being nudged does by itself.
        behaviour: its effect on the behaviour D; about 0 where those moved are simply whom the nudge moves.
    """

    outcome: Estimate | NotComputable
    behaviour: Estimate | NotComputable


@dataclass(frozen=True)
class Equivalence:
    """Whether the placebo leaves the behaviour alone.

    Attributes:
        effect: its first stage against control, share of units, -1 to 1.
        low, high: its limits at level 1 - 2 alpha.
        bound: what the limits must stay inside, share of units, at least 0.
    """

    effect: float
    low: float
    high: float
    bound: float

    @property
    def shown(self) -> bool:
        """Both one-sided tests reject a first stage of the bound or more."""
        return -self.bound < self.low and self.high < self.bound


def leaves_alone(
    placebo: Estimate | NotComputable, *, planned: float | None, nudge: float | NotComputable
) -> Equivalence | NotComputable:
    """Two one-sided tests of the placebo's first stage against a quarter of the nudge's.

    Args:
        placebo: its first stage against control with the interval at level 1 - 2 alpha, share of units.
        planned: the registered first stage of the nudge, share of units; None where nothing was planned (a file).
        nudge: its observed first stage against control, which takes the place of an unplanned one. Its own error
            enters the bound with a quarter only and is left out.

    Returns:
        The test; not computable when the placebo's first stage isn't, or when there is nothing to take a quarter of.

    Source: Schuirmann 1987 (two one-sided tests); docs/methods/encouragement.md, "Placebo arm".
    """
    if not computable(placebo):
        return placebo
    whole = nudge if planned is None else planned
    if not computable(whole):
        return whole
    return Equivalence(placebo.estimate, placebo.low, placebo.high, SHARE_OF_FIRST_STAGE * abs(whole))
