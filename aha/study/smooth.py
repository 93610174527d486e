"""The smooth curve against which a jump is tested: a natural cubic spline of log(1 + count), activity and segment.

A spline of few knots can't follow a jump between two neighbouring counts, yet follows a curve that bends slowly. A
fixed cubic can't: with enough units every curve that isn't a cubic was taken for a jump.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import expit, logit

from aha.study.cells import NULL_REACH
from aha.study.grid import CountTable, Floats, Ints

# Fewest units and number of knots, the largest first (docs/methods/discovery.md, "Step evidence").
KNOTS = ((100_000, 7), (20_000, 5), (0, 3))
APART, FEWEST_KNOTS = 2, 3
NEWTON_STEPS, HALVINGS = 25, 20
LEAST_GAIN = 1e-8  # of log-likelihood: a smaller gain moves no score by more than 0.0001 of its standard error
SAFE_MOVE = 1.0  # log-odds: Newton steps up to this size always raise the likelihood
RISE = 0.25  # least share of the gain expected from a step, so that halving ends (Armijo 1966)
RIDGE = 1e-6
# The quantiles at which the knots lie. Source: Harrell 2015, Regression Modeling Strategies, table 2.3.
PLACES = {
    3: (0.10, 0.50, 0.90),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
    7: (0.025, 0.1833, 0.3417, 0.50, 0.6583, 0.8167, 0.975),
}


@dataclass(frozen=True, eq=False)
class Design:
    """One behaviour within one window, by pattern: the smooth part, the steps, and which unit has which pattern."""

    days: int
    times: Ints
    reach: Floats  # of each time
    smooth: Floats  # patterns × terms
    steps: Floats  # times × patterns
    patterns: Ints  # patterns × (count, active days, segment)
    member: sparse.csr_array  # patterns × units
    pattern: Ints  # per unit

    @property
    def counts(self) -> Ints:
        """The count of each pattern."""
        return np.asarray(self.patterns[:, 0])


def knots(counts: Ints) -> Floats:
    """The knots on the scale of log(1 + count), ascending: quantiles, more of them for more units.

    A knot that lies on the same count as the one before it, or on the next count, is left out: a spline with a knot at
    each count follows any jump, and no jump could be found (measured: none of six of 5 points at 110,000 units).
    """
    wanted = next(number for fewest, number in KNOTS if counts.size >= fewest)
    knot_counts: list[int] = []
    for count in np.quantile(counts, PLACES[wanted], method="inverted_cdf").astype(int).tolist():
        if not knot_counts or count >= knot_counts[-1] + APART:
            knot_counts.append(count)
    # With a straight line every bend would look like a jump: use at least three knots where most never did it.
    while len(knot_counts) < FEWEST_KNOTS:
        knot_counts.append(knot_counts[-1] + APART)
    return np.log1p(np.asarray(knot_counts, dtype=np.float64))


def spline(x: Floats, at: Floats) -> Floats:
    """Natural cubic spline without its constant: linear beyond the outer knots, knots - 1 columns.

    Source: Harrell 2015, section 2.4.5 (restricted cubic spline).
    """
    columns, (before, last) = [x], at[-2:]
    for knot in at[:-2]:
        bent = (
            _cube(x - knot)
            - _cube(x - before) * (last - knot) / (last - before)
            + _cube(x - last) * (before - knot) / (last - before)
        )
        columns.append(bent / (last - at[0]) ** 2)
    return np.column_stack(columns)


def smooth_terms(counts: Ints) -> int | None:
    """How many terms the spline has, or None when the counts have less than twice as many different values."""
    terms = knots(counts).size - 1
    return terms if np.unique(counts).size >= 2 * terms else None


def patterns_of(table: CountTable, counts: Ints, days: int) -> tuple[Ints, Ints]:
    """The different (count, active days within the window, segment), and which of them each unit has."""
    keys = counts, table.active_within(days), table.segment
    sizes = tuple(1 + int(key.max(initial=0)) for key in keys)
    # Sorting one number instead of three is many times faster, with the same order.
    patterns, pattern = np.unique(np.ravel_multi_index(keys, sizes), return_inverse=True)
    return np.stack(np.unravel_index(patterns, sizes), axis=1).astype(np.int64), pattern.reshape(-1)


def design(patterns: Ints, at: Floats) -> Floats:
    """Constant, spline, and active days and segment as categories: patterns × terms."""
    return np.column_stack([np.ones(len(patterns)), spline(np.log1p(patterns[:, 0]), at), categories(patterns)])


def categories(patterns: Ints) -> Floats:
    """Active days and segment, a column for each value but the first: patterns × columns."""
    columns = [column == value for column in patterns[:, 1:].T for value in np.unique(column)[1:]]
    return np.asarray(columns, dtype=np.float64).reshape(len(columns), len(patterns)).T


def fit(x: Floats, n: Floats, stayed: Floats, start: Floats | None = None) -> Floats:
    """Logistic regressions for all replicates at once, terms × replicates, by Newton's method with halved steps.

    Args:
        x: patterns × terms, of `_orthonormal`.
        n: units per pattern, × replicates or × 1.
        stayed: patterns × replicates, those of them that stayed.
        start: terms × replicates or × 1; the overall rate without it.

    A category in which everybody stayed has no finite estimate; iteration stops when the likelihood no longer rises.
    """
    terms, replicates = x.shape[1], stayed.shape[1]
    if start is None:
        total = np.clip(stayed.sum(axis=0) / (n * np.ones_like(stayed)).sum(axis=0), 1e-6, 1 - 1e-6)
        # The first orthonormal column isn't the constant, so start from the best fit to the overall logit.
        beta = np.linalg.lstsq(x, np.ones(len(x)), rcond=None)[0][:, None] * logit(total)[None, :]
    else:
        beta = np.repeat(start, replicates, axis=1) if start.shape[1] == 1 else start
    eta = x @ beta
    for _ in range(NEWTON_STEPS):
        rate = expit(eta)
        slope = x.T @ (stayed - n * rate)
        step = np.linalg.solve(information(x, n * rate * (1 - rate)), slope.T[:, :, None])[:, :, 0].T
        gain = (slope * step).sum(axis=0) / 2
        move = x @ step
        share = _share_of_step(n, stayed, eta, move, gain)
        beta, eta = beta + share * step, eta + share * move
        if gain.max() < LEAST_GAIN:
            break
    return np.asarray(beta.reshape(terms, replicates))


def _share_of_step(n: Floats, stayed: Floats, eta: Floats, move: Floats, gain: Floats) -> Floats:
    """Per replicate the share of Newton's step to take: halved until the likelihood rises.

    A full step from far away can end where every rate is 0 or 1. There the likelihood is flat, so the iteration can't
    return, and residuals of whole units in patterns with a rate of 0 look like jumps of a thousand standard errors.
    """
    share = np.ones(eta.shape[1])
    short = np.abs(move).max(axis=0) > SAFE_MOVE
    if not short.any():
        return share
    before = _log_likelihood(n, stayed, eta)
    for _ in range(HALVINGS):
        risen = _log_likelihood(n, stayed, eta + share * move) - before
        short &= ~(risen >= RISE * share * gain)
        if not short.any():
            break
        share = np.where(short, share / 2, share)
    return share


def _log_likelihood(n: Floats, stayed: Floats, eta: Floats) -> Floats:
    return np.asarray((stayed * eta - n * np.logaddexp(0.0, eta)).sum(axis=0))


def information(x: Floats, weight: Floats) -> Floats:
    """X'WX for every column of weights: replicates × terms × terms."""
    terms = x.shape[1]
    upper = np.triu_indices(terms)
    flat = weight.T @ (x[:, upper[0]] * x[:, upper[1]])
    full = np.empty((weight.shape[1], terms, terms))
    full[:, upper[0], upper[1]] = flat
    full[:, upper[1], upper[0]] = flat
    full[:, np.arange(terms), np.arange(terms)] += RIDGE * max(float(weight.sum(axis=0).max()), 1.0)
    return full


def _cube(x: Floats) -> Floats:
    return np.asarray(np.maximum(x, 0.0) ** 3)


def design_of(table: CountTable, place: int, column: int, times: Sequence[int]) -> Design | None:
    """Build the design; None with too few different counts for the smooth part, or without a testable threshold."""
    counts = table.counts[:, place, column].astype(np.int64)
    reach = np.array([(counts >= z).mean() if table.n else 0.0 for z in times])
    usable = (np.asarray(times) >= 2) & (reach >= NULL_REACH[0]) & (reach <= NULL_REACH[1])
    if not usable.any() or smooth_terms(counts) is None:
        return None
    patterns, pattern = patterns_of(table, counts, table.days[column])
    member = sparse.csr_array(
        (np.ones(table.n, dtype=np.float32), (pattern, np.arange(table.n))), shape=(len(patterns), table.n)
    )
    size = np.bincount(pattern).astype(np.float64)
    wanted = np.asarray(times, dtype=np.int64)[usable]
    steps = (patterns[:, 0][None, :] >= wanted[:, None]).astype(np.float64)
    smooth = _orthonormal(design(patterns, knots(counts)), size)
    return Design(table.days[column], wanted, reach[usable], smooth, steps, patterns, member, pattern)


def _orthonormal(columns: Floats, size: Floats) -> Floats:
    """The smooth part with columns orthonormal over units, without linearly dependent ones."""
    weighted = columns * np.sqrt(size)[:, None]
    left, values, _ = np.linalg.svd(weighted / np.sqrt((weighted**2).sum(axis=0)), full_matrices=False)
    basis = left[:, values > 1e-7 * values[0]]
    return np.asarray(basis * np.sqrt(size.sum()) / np.sqrt(size)[:, None])


def pattern_sums(design: Design, retained: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Per pattern its number of units, and patterns × columns of those retained."""
    size = np.asarray(design.member.sum(axis=1), dtype=np.float64)[:, None]
    return size, np.asarray(design.member @ retained, dtype=np.float64)


def largest_score(design: Design, sums: tuple[Floats, Floats], start: Floats) -> Floats:
    """Per replicate the largest score statistic over the times of one window, after refitting the null model."""
    beta = fit(design.smooth, *sums, start=start)
    return np.asarray(score_statistics(design, *sums, beta)[0].max(axis=0))


def score_statistics(design: Design, n: Floats, stayed: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """Score statistics U²/V and one-step slopes U/V: times × replicates."""
    x, g = design.smooth, design.steps
    rate = expit(np.clip(x @ beta, -30, 30))
    weight = n * rate * (1 - rate)
    u = g @ (stayed - n * rate)
    cross = np.stack([g @ (weight * x[:, [term]]) for term in range(x.shape[1])])  # terms × times × replicates
    solved = np.linalg.solve(information(x, weight), np.moveaxis(cross, 2, 0))  # replicates × terms × times
    alone = g @ weight
    v = alone - np.einsum("rtz,tzr->zr", solved, cross)
    informative = v > 1e-6 * np.maximum(alone, 1.0)
    slope = np.divide(u, v, out=np.zeros_like(u), where=informative)
    return slope * u, slope
