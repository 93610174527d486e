"""Whether a rate that simulated runs show is one that the method promises: exact binomial tests.

Source: Clopper and Pearson 1934 ("The use of confidence or fiducial limits illustrated in the case of the binomial"):
a rate is plausible where it lies inside their interval of the runs, which is where neither tail is too small. With a
fifth of the runs the same level gives a wider region, and no test of a right method fails more often than before.

The level is the chance that a right method fails, had the seeds not been fixed.
"""

from scipy import stats

LEVEL = 1e-3


def at_most(hits: int, runs: int, rate: float, *, level: float = LEVEL) -> bool:
    """So many hits or more are no rarer than `level` where the true rate is `rate`."""
    return bool(stats.binom.sf(hits - 1, runs, rate) > level)


def at_least(hits: int, runs: int, rate: float, *, level: float = LEVEL) -> bool:
    """So many hits or fewer are no rarer than `level` where the true rate is `rate`."""
    return bool(stats.binom.cdf(hits, runs, rate) > level)


def plausible(hits: int, runs: int, rate: float, *, level: float = LEVEL) -> bool:
    """Neither too many nor too few, each at half the level: `rate` lies in Clopper and Pearson's interval."""
    return at_most(hits, runs, rate, level=level / 2) and at_least(hits, runs, rate, level=level / 2)
