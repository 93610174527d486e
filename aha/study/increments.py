"""Retention count by count: does it rise more at Z than at both neighbours, or evenly up to Z and no further?

One log-odds for each count, beside active days and segment. No curve is assumed, so a rise that ends at Z, which no
smooth curve of few terms follows, isn't taken for a jump (docs/methods/discovery.md, "Step evidence").
"""

import numpy as np
from scipy import stats
from scipy.special import expit

from aha.study.grid import Floats, Ints
from aha.study.smooth import Design, categories, fit, information

MOST_COUNTS = 21  # 0 to 20 times: further on a count has few users, and a bend is spread over many of them
FEWEST_RISES, FEWEST_FLAT = 3, 2  # counts up to the bend beside the first, and after it
FLAT = 0.25  # after the bend a count may add so much of what one before it adds
OTHER_BENDS = 0.10  # of places: another one is ruled out at this level


def beside_neighbours(design: Design, stayed: Floats, times: int) -> float:
    """By how many of its standard errors the increment at `times` exceeds that at the count before and at the one after
    it; the smaller of the two, to be held against a one-sided normal limit.

    Args:
        design: of one behaviour within one window.
        stayed: per pattern, how many stayed.
        times: the count, 2 or more.

    Returns:
        0 where one of the four counts that are needed is missing. Increments are log-odds a count, so that counts in
        threes have neighbours too.

    Source: Berger 1982 (intersection-union: each part at the full level).
    """
    found = np.unique(design.counts)
    place = int(np.searchsorted(found, times))
    if place < 2 or place + 1 >= found.size or found[place] != times:
        return 0.0
    counts = found[place - 2 : place + 2]
    odds, spread = log_odds(design, stayed, counts)
    rise = _increments(counts)
    return float(_in_errors(odds, spread, rise[1] - rise[[0, 2]]).min())


def levels_off(design: Design, stayed: Floats, alpha: float) -> int | None:
    """The count up to which retention rises evenly and after which it is flat; None where the data don't say so.

    Of the broken lines through the log-odds of all counts, the tested ones and those below, the likeliest is taken. It
    is said when all of these hold at `alpha`, each by itself (intersection-union):

    * every count up to the bend, three at least, adds something;
    * after it a count adds less than a quarter of what one adds before it, and takes away no more (equivalence);
    * no count contradicts the line (chi-square of what is left);
    * no other bend is nearly as likely (likelihood ratio, 10 %).

    Source: Hinkley 1971 (two-phase regression); Schuirmann 1987 (two one-sided tests); Berger 1982.
    """
    found = np.unique(design.counts)
    counts = found[found <= design.times.max()][:MOST_COUNTS]
    places = range(FEWEST_RISES, counts.size - FEWEST_FLAT)
    if len(places) < 1:
        return None
    odds, spread = log_odds(design, stayed, counts)
    precision = np.linalg.inv(spread)
    lines = [_broken_line(odds, precision, counts, int(counts[place])) for place in range(2, counts.size - FEWEST_FLAT)]
    left = np.asarray([line[0] for line in lines])
    best = int(left.argmin())
    others = np.delete(left, best)
    _, slopes, errors = lines[best]
    bend = best + 2
    flat = np.asarray([[FLAT, -1.0], [FLAT, 1.0]])
    limit = stats.norm.isf(alpha)
    said = (
        bend in places
        and _in_errors(odds, spread, _increments(counts)[:bend]).min() >= limit
        and _in_errors(slopes, errors, flat).min() >= limit
        and stats.chi2.sf(left[best], counts.size - 4) > alpha
        and (others - left[best] > stats.chi2.isf(OTHER_BENDS, 1)).all()
    )
    return int(counts[bend]) if said else None


def log_odds(design: Design, stayed: Floats, counts: Ints) -> tuple[Floats, Floats]:
    """Log-odds of retention at each of some counts, with their covariance: counts, counts × counts.

    They are those of the first active day and segment among the units with these counts, the same for each count, so
    that only differences mean something. Where a difference can't be told apart from active days its variance is large.
    """
    rows = np.isin(design.counts, counts)
    own = design.patterns[rows]
    x = np.column_stack([own[:, :1] == counts, categories(own)]).astype(np.float64)
    n = np.asarray(design.member.sum(axis=1), dtype=np.float64)[rows, None]
    beta = fit(x, n, stayed[rows, None])
    rate = expit(x @ beta)
    spread = np.linalg.inv(information(x, n * rate * (1 - rate))[0])
    return beta[: counts.size, 0], np.asarray(spread[: counts.size, : counts.size])


def _increments(counts: Ints) -> Floats:
    """Contrasts of neighbouring counts, for each unit of count: counts - 1 × counts."""
    return np.asarray(np.diff(np.eye(counts.size), axis=0) / np.diff(counts)[:, None])


def _in_errors(values: Floats, spread: Floats, contrasts: Floats) -> Floats:
    """Each contrast of the values in its standard errors."""
    return np.asarray((contrasts @ values) / np.sqrt(np.einsum("ij,jk,ik->i", contrasts, spread, contrasts)))


def _broken_line(odds: Floats, precision: Floats, counts: Ints, bend: int) -> tuple[float, Floats, Floats]:
    """Generalised least squares: what it leaves (about chi-square), its slopes before and after, their covariance."""
    columns = [np.ones(counts.size), np.minimum(counts, bend), np.maximum(counts - bend, 0)]
    x = np.column_stack(columns).astype(np.float64)
    spread = np.linalg.inv(x.T @ precision @ x)
    beta = spread @ x.T @ precision @ odds
    rest = odds - x @ beta
    return float(rest @ precision @ rest), np.asarray(beta[1:]), np.asarray(spread[1:, 1:])
