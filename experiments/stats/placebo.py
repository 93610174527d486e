"""Does the nudge work only through the behaviour? A placebo nudge, joined with the instrument inequalities."""

from collections.abc import Sequence
from dataclasses import dataclass

from events.reasons import NotComputable, computable
from experiments.stats.compare import compare_unpooled
from experiments.stats.multiplicity import holm
from experiments.stats.results import Estimate
from experiments.stats.summaries import Joint
from experiments.stats.validity import Inequalities


@dataclass(frozen=True)
class Placebo:
    """A nudge of equal salience towards an inert behaviour, against control.

    Attributes:
        outcome: its effect on the outcome R, which must be 0 if nudges work only through the behaviour.
        behaviour: its effect on the behaviour D, which must be 0 for it to be a placebo.
    """

    outcome: Estimate | NotComputable
    behaviour: Estimate | NotComputable

    def moves_behaviour(self, alpha: float) -> bool:
        """True when the placebo moved the behaviour itself: its outcome then tells nothing about exclusion."""
        return computable(self.behaviour) and self.behaviour.p_value < alpha


@dataclass(frozen=True)
class Exclusion:
    """The tests of "only through the behaviour", adjusted together: row 3 of the verdict table reads these.

    Attributes:
        placebo_p: smallest adjusted p-value of the placebo arms' outcomes, 0 to 1; None without one.
        inequality_p: smallest adjusted p-value of the instrument inequalities; None without them.
        tests: number of tests done.
    """

    placebo_p: float | None
    inequality_p: float | None
    tests: int


def placebo_against_control(control: Joint, placebo: Joint, *, alpha: float = 0.05) -> Placebo:
    """The placebo's effects on outcome and behaviour by the unpooled z, the test of the encouragement analysis.

    Args:
        control: moments of (R, D).
        placebo: the same of the placebo arm.
        alpha: two-sided error rate of the intervals.

    Source: METHODS 4.14.
    """
    outcome, behaviour = (compare_unpooled(control.column(i), placebo.column(i), alpha=alpha) for i in (0, 1))
    return Placebo(outcome, behaviour)


def exclusion(placebos: Sequence[Placebo], inequalities: Inequalities | NotComputable | None) -> Exclusion:
    """Holm over the outcomes of all placebo arms and all instrument inequalities; what wasn't computable isn't counted.

    Source: Holm 1979; METHODS 5, row 3.
    """
    outcomes = [placebo.outcome.p_value for placebo in placebos if computable(placebo.outcome)]
    raw = [] if inequalities is None or not computable(inequalities) else list(inequalities.p_values)
    adjusted = holm([*outcomes, *raw])
    first, rest = adjusted[: len(outcomes)], adjusted[len(outcomes) :]
    return Exclusion(min(first, default=None), min(rest, default=None), len(adjusted))
