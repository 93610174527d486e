"""The exact interval of a share, for few trials and for what happens rarely."""

from scipy import stats

from stats.results import Interval, NotComputable, Reason, check_alpha


def clopper_pearson(successes: int, n: int, *, alpha: float = 0.05) -> Interval | NotComputable:
    """Exact interval of one share, 0 to 1: it covers in at least 1 - alpha, whatever the share and n.

    ``NotComputable`` when n is 0. Wilson's is shorter and covers about 1 - alpha on average; where the question is
    whether a rate of errors may be the planned one, the promise must hold for each share.

    Source: Clopper and Pearson 1934.
    """
    check_alpha(alpha)
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n, not {successes} of {n}")
    if n == 0:
        return NotComputable(Reason.NO_DATA)
    low = float(stats.beta.ppf(alpha / 2, successes, n - successes + 1)) if successes else 0.0
    high = float(stats.beta.isf(alpha / 2, successes + 1, n - successes)) if successes < n else 1.0
    return Interval(successes / n, low, high, 1 - alpha, "clopper-pearson-interval")
