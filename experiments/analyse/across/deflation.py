"""How much of a correlation's promise experiments confirm: the pooled deflation ratio. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.heterogeneity import variance_between
from stats.results import NotComputable, Reason
from stats.synthesis import ratios_at_pool

FEWEST = 2


@dataclass(frozen=True)
class Trial:
    """What one experiment was promised and what it found, both as differences of shares.

    Attributes:
        key: of the experiment.
        name: display name.
        promised: what the study's correlation promised.
        promised_error: its standard error; 0 when it isn't known.
        found: effect of the behaviour among those moved (CACE) by the final analysis, corrected for planned looks.
        found_error: its standard error.
        low, high: Anderson-Rubin set, None where it is unbounded.
        verdict: code.
        on: date, ISO.
    """

    key: str
    name: str
    promised: float
    promised_error: float
    found: float
    found_error: float
    low: float | None
    high: float | None
    verdict: str
    on: str

    @property
    def ratio(self) -> float:
        """Found over promised: 1 when the correlation was right, 0 when nothing was found, < 0 for a reversed sign."""
        return self.found / self.promised


@dataclass(frozen=True)
class Deflation:
    """The pooled ratio of finding to promise.

    Attributes:
        ratio: random-effects mean of the ratios.
        low, high: limits of its interval.
        level: of the interval.
        tau_squared: variance of the true ratios between experiments.
        experiments: number of experiments pooled.
    """

    ratio: float
    low: float
    high: float
    level: float
    tau_squared: float
    experiments: int


def pool(rows: Sequence[Trial], *, alpha: float = 0.05) -> Deflation | NotComputable:
    """Random-effects mean of found / promised, weighted by inverse variance.

    Args:
        rows: experiments; those without a positive promise or without an error carry no weight.
        alpha: two-sided error rate.

    Returns:
        The mean with the DerSimonian-Laird variance between experiments and the Hartung-Knapp interval, which keeps its
        level for few experiments where the normal one doesn't; ``TOO_FEW_EXPERIMENTS`` below two.

    The promise's share of each error is computed at the pooled ratio (`stats.synthesis`): computed at its own ratio, a
    small ratio would get a small error and the largest weight.

    Source: DerSimonian and Laird 1986; Hartung and Knapp 2001; IntHout, Ioannidis and Borm 2014.
    """
    used = [row for row in rows if row.promised > 0 and row.found_error > 0]
    k = len(used)
    if k < FEWEST:
        return NotComputable(Reason.TOO_FEW_EXPERIMENTS, {"n": k, "needed": FEWEST})
    pairs = np.array([(row.found, row.found_error, row.promised, row.promised_error) for row in used])
    ratios = ratios_at_pool(*pairs.T)
    between = variance_between(ratios.values, ratios.errors**2)
    weights = 1 / (ratios.errors**2 + between)
    mean = float((weights * ratios.values).sum() / weights.sum())
    # Hartung and Knapp 2001; never narrower than the plain random-effects error (Roever et al. 2015).
    spread = float((weights * (ratios.values - mean) ** 2).sum()) / (k - 1)
    error = sqrt(max(spread, 1.0) / float(weights.sum()))
    half = float(stats.t.isf(alpha / 2, k - 1)) * error
    return Deflation(mean, mean - half, mean + half, 1 - alpha, between, k)
