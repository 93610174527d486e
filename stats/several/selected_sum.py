"""What the shipped changes add up to by their own experiments: the plain sum, and the sum drawn towards the mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.results import Interval, NotComputable, Reason, check_alpha
from stats.shrinkage import variance_between

# With fewer experiments nobody can tell how far true effects spread, so there is nothing to draw them towards.
FEWEST_EXPERIMENTS = 4


@dataclass(frozen=True)
class SummedEffects:
    """The sum of selected experiments' effects.

    Attributes:
        naive: sum of the effects as found. Too large on average: what was shipped is what luck had helped.
        shrunk: sum of the effects drawn towards the mean of all experiments, shipped or not.
        selected: experiments in the sums; `experiments` that the mean and the spread were learnt from.
        tau_squared: variance of the true effects between experiments, effect's unit squared; None where `shrunk` isn't
            computable.
    """

    naive: Interval
    shrunk: Interval | NotComputable
    selected: int
    experiments: int
    tau_squared: float | None


def sum_selected(
    effects: Sequence[float], errors: Sequence[float], selected: Sequence[int], *, alpha: float = 0.05
) -> SummedEffects | NotComputable:
    """Sum the effects of experiments that were selected by what they found.

    The shrunk sum treats the true effects as draws from a normal law, whose mean and variance all experiments together
    tell: given the data of an experiment it then doesn't matter that it was selected by them (Dawid 1994). It needs the
    losers too: learnt from winners alone it would be as wrong as the naive sum.

    Args:
        effects: of all experiments on one outcome, in one unit; of different units each.
        errors: their standard errors, above 0.
        selected: places of those whose sum is wanted.
        alpha: one minus the level of the intervals.

    Returns:
        Both sums; ``NO_DATA`` where nothing was selected. ``shrunk`` is ``TOO_FEW_EXPERIMENTS`` below four.

    Source: Lee and Shen 2018 (winner's curse of summed features); Efron and Morris 1973; DerSimonian and Laird 1986.
    """
    check_alpha(alpha)
    if not selected:
        return NotComputable(Reason.NO_DATA)
    values, variances = np.array(effects, dtype=np.float64), np.array(errors, dtype=np.float64) ** 2
    if (variances <= 0).any():
        return NotComputable(Reason.NO_VARIANCE)
    places = list(selected)
    total, error = float(values[places].sum()), sqrt(float(variances[places].sum()))
    z = float(stats.norm.isf(alpha / 2))
    naive = Interval(total, total - z * error, total + z * error, 1 - alpha, "sum-of-shipped-effects")
    if len(values) < FEWEST_EXPERIMENTS:
        few = NotComputable(Reason.TOO_FEW_EXPERIMENTS, {"n": len(values), "needed": FEWEST_EXPERIMENTS})
        return SummedEffects(naive, few, len(places), len(values), None)
    between = variance_between(values, variances)
    weights = 1 / (variances + between)
    centre = float((weights * values).sum() / weights.sum())
    kept = between * weights[places]
    rest = float((1 - kept).sum())
    shrunk = float((kept * values[places] + (1 - kept) * centre).sum())
    # The error of the common mean is shared by all terms, so it counts with the square of their number.
    squared = float((kept * variances[places]).sum()) + rest**2 / float(weights.sum())
    # What the estimate of the spread adds (Morris 1983): all terms move together with it.
    moved = float(((1 - kept) * (values[places] - centre)).sum())
    squared += 2 / (len(values) - 3) * moved**2
    half = float(stats.t.isf(alpha / 2, len(values) - 1)) * sqrt(squared)
    interval = Interval(shrunk, shrunk - half, shrunk + half, 1 - alpha, "sum-of-shipped-effects")
    return SummedEffects(naive, interval, len(places), len(values), between)
