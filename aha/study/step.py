"""The step test: does retention jump at Z times, or rise smoothly? A step over a smooth curve (METHODS 2.10).

Per behaviour and window the null model is a smooth curve: logit P(stayed) = natural spline of log(1 + count) + active
days of the window + segment. Its patterns are few, so it is fitted to sums over units with the same pattern, for all
bootstrap replicates at once. The largest score statistic over all windows and times is calibrated by a parametric
bootstrap.

A smooth confounder can't make a jump; a product rule that fires at Z, such as a badge or an unlock, can.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats
from scipy.special import expit, logit

from aha.study.cell_metrics import NULL_REACH, RECOMMENDED_REACH, Interval
from aha.study.choice import resample
from aha.study.grid import CountTable, Flags, Floats, Ints
from aha.study.smooth import design as smooth_design
from aha.study.smooth import fit, information, knots, patterns_of, smooth_terms
from runs.progress import Progress, silent
from stats.compare import newcombe_interval
from stats.multiplicity import holm
from stats.results import NotComputable, Reason
from stats.summaries import Mean

REPLICATES = 499
BLOCK = 100
JUMP = 0.05
DETECTION = 0.80
FEWEST_IN_RANGE = 2
SETTLED_SHARE, SETTLED_TIMES = 0.90, 2


class StepVerdict(StrEnum):
    """What can be said about a jump."""

    JUMP = "jump"
    SMOOTH = "smooth"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True)
class SmoothRange:
    """Of which numbers "smooth" speaks: at each tested one from `first` to `last` within `days` a jump would show."""

    days: int
    first: int
    last: int


@dataclass(frozen=True)
class Step:
    """Step evidence of one behaviour.

    Attributes:
        behaviour: its text form.
        verdict: jump at `times` within `days`; smooth, any number is a convention; or cannot tell.
        days, times: where the score statistic is largest, 0 when nothing could be tested.
        statistic: the largest score statistic, about chi-square(1) at a single cell but not as a maximum.
        p_value: share of null replicates that reach it, and Holm's adjustment over the behaviours tested.
        adjusted_p_value: the same after Holm.
        log_odds: one-step estimate of the jump, positive when retention rises at Z.
        settled_times: smallest set of times holding 90 % of the places found in resampled users, if p was small.
        detection: share of replicates with the registered jump at `times` that the test finds, if p was not small.
        ever: retention of those who ever did it minus that of the others within the longest window, shown apart:
            never-doers differ for many reasons.
        reason: why nothing could be tested, if so.
        smooth_range: the neighbouring times at each of which the registered jump would have been found in at least 80 %
            of the replicates; "smooth" speaks of them alone. None otherwise, and in reports of version 0.3, which
            looked at the best cell only.
        bend: the step beside a bend of the curve at the same place, in its standard errors; None when not asked.
    """

    behaviour: str
    verdict: StepVerdict
    days: int
    times: int
    statistic: float | NotComputable
    p_value: float | NotComputable
    adjusted_p_value: float | NotComputable
    log_odds: float | NotComputable
    settled_times: tuple[int, ...]
    detection: float | None
    ever: Interval | NotComputable
    reason: NotComputable | None
    smooth_range: SmoothRange | None = None
    bend: float | None = None


@dataclass(frozen=True, eq=False)
class _Design:
    """One behaviour within one window, by pattern: the smooth part, the steps, and which unit has which pattern."""

    days: int
    times: Ints
    reach: Floats  # of each time
    smooth: Floats  # patterns × terms
    steps: Floats  # times × patterns
    counts: Ints  # the count of each pattern
    member: sparse.csr_array  # patterns × units
    pattern: Ints  # per unit


@dataclass(frozen=True, eq=False)
class _Tested:
    """A behaviour before the second stage."""

    designs: tuple[_Design, ...]
    rates: tuple[Floats, ...]  # fitted under the null, per design and pattern
    design: int
    place: int
    statistic: float
    log_odds: float
    p_value: float
    critical: float


def step_evidence(
    table: CountTable,
    times: Sequence[Sequence[int]],
    *,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
    jump: float = JUMP,
    alpha: float = 0.05,
    progress: Progress = silent,
) -> tuple[Step, ...]:
    """Test every behaviour of the table for a jump of retention.

    Args:
        table: the units that the rule did not choose from (`Parts.for_steps`).
        times: the Z values of each behaviour; those from 2 on with a reach from 2 % to 98 % are tested.
        rng: the randomness of both bootstraps.
        replicates: at least 499 for a result that is shown.
        jump: the registered jump, in points of retention, that "smooth" must have been able to find.
        alpha: family-wise error rate over the behaviours.
        progress: told the share done.

    A jump that is named has to stand beside a bend of the curve there: a sharp bend, such as a rise that ends at Z, is
    no jump, and with 100,000 units no spline of few knots follows it.

    Source: Davies 1987 (a maximum of score statistics under a smooth null); Holm 1979.
    """
    coins = rng.random((table.n, replicates), dtype=np.float32)
    weights = np.concatenate(list(resample(table.strata(), replicates, rng)), axis=1)
    tested: list[_Tested | NotComputable] = []
    for place in range(len(table.behaviours)):
        progress("steps", 0.8 * place / len(table.behaviours))
        tested.append(_test(table, place, times[place], coins, alpha))
    adjusted = holm([found.p_value for found in tested if isinstance(found, _Tested)])
    result = []
    for place, found in enumerate(tested):
        progress("steps", 0.8 + 0.2 * place / len(table.behaviours))
        if isinstance(found, NotComputable):
            result.append(_untested(table, place, found))
        else:
            result.append(_conclude(table, place, found, adjusted.pop(0), weights, rng, jump, alpha))
    progress("steps", 1.0)
    return tuple(result)


def _test(
    table: CountTable, place: int, times: Sequence[int], coins: npt.NDArray[np.float32], alpha: float
) -> _Tested | NotComputable:
    designs = tuple(
        design for column in range(len(table.days)) if (design := _design(table, place, column, times)) is not None
    )
    if not designs:
        return NotComputable(Reason.TOO_FEW_DIFFERENT_COUNTS)
    best = (-1.0, 0, 0, 0.0)
    maxima = np.zeros(coins.shape[1])
    rates = []
    for number, design in enumerate(designs):
        n, stayed = _sums(design, table.retained[:, None].astype(np.float32))
        beta = fit(design.smooth, n, stayed)
        rate = expit(design.smooth @ beta)[:, 0]
        rates.append(rate)
        scores, slopes = _scores(design, n, stayed, beta)
        highest = int(np.argmax(scores[:, 0]))
        if scores[highest, 0] > best[0]:
            best = (float(scores[highest, 0]), number, highest, float(slopes[highest, 0]))
        # The same coins for every window: a unit lucky in one is lucky in all, as one unit's retention is.
        maxima = np.maximum(maxima, _largest(design, _toss(design, rate, coins), beta))
    p = float((1 + (maxima >= best[0] * (1 - 1e-9)).sum()) / (maxima.size + 1))
    return _Tested(designs, tuple(rates), best[1], best[2], best[0], best[3], p, float(np.quantile(maxima, 1 - alpha)))


def _conclude(
    table: CountTable,
    place: int,
    found: _Tested,
    adjusted: float,
    weights: npt.NDArray[np.float32],
    rng: np.random.Generator,
    jump: float,
    alpha: float,
) -> Step:
    design = found.designs[found.design]
    at = int(design.times[found.place])
    settled: tuple[int, ...] = ()
    detection = bend = smooth_range = None
    verdict = StepVerdict.CANNOT_TELL
    if adjusted <= alpha:
        settled = _settled(table, found, weights)
        listed = sorted({int(z) for one in found.designs for z in one.times})
        close = len(settled) <= SETTLED_TIMES and listed.index(settled[-1]) - listed.index(settled[0]) < SETTLED_TIMES
        bend = _beside_a_bend(table, found)
        if found.log_odds > 0 and close and at in settled and bend >= float(stats.norm.isf(alpha / 2)):
            verdict = StepVerdict.JUMP
    elif found.p_value > alpha:
        shares = _detection(found, weights.shape[1], rng, jump)
        detection, smooth_range = float(shares[found.place]), _range(design, shares >= DETECTION)
        if smooth_range is not None:
            verdict = StepVerdict.SMOOTH
    return Step(
        behaviour=table.behaviours[place],
        verdict=verdict,
        days=design.days,
        times=at,
        statistic=found.statistic,
        p_value=found.p_value,
        adjusted_p_value=adjusted,
        log_odds=found.log_odds,
        settled_times=settled,
        detection=detection,
        ever=_ever(table, place),
        reason=None,
        smooth_range=smooth_range,
        bend=bend,
    )


def _untested(table: CountTable, place: int, reason: NotComputable) -> Step:
    name, ever = table.behaviours[place], _ever(table, place)
    return Step(name, StepVerdict.CANNOT_TELL, 0, 0, reason, reason, reason, reason, (), None, ever, reason)


def _design(table: CountTable, place: int, column: int, times: Sequence[int]) -> _Design | None:
    """None when the counts have too few different values for the smooth part, or no threshold can be tested."""
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
    smooth = _orthonormal(smooth_design(patterns, knots(counts)), size)
    return _Design(table.days[column], wanted, reach[usable], smooth, steps, patterns[:, 0], member, pattern)


def _orthonormal(columns: Floats, size: Floats) -> Floats:
    """The smooth part with columns that are orthonormal over units, repeats left out."""
    weighted = columns * np.sqrt(size)[:, None]
    left, values, _ = np.linalg.svd(weighted / np.sqrt((weighted**2).sum(axis=0)), full_matrices=False)
    kept = left[:, values > 1e-7 * values[0]]
    return np.asarray(kept * np.sqrt(size.sum()) / np.sqrt(size)[:, None])


def _sums(design: _Design, retained: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    size = np.asarray(design.member.sum(axis=1), dtype=np.float64)[:, None]
    return size, np.asarray(design.member @ retained, dtype=np.float64)


def _toss(design: _Design, rate: Floats, coins: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Patterns × replicates: how many of each pattern stay when everyone's retention is drawn from the model."""
    per_unit = rate[design.pattern].astype(np.float32)[:, None]
    blocks = [
        design.member @ (coins[:, start : start + BLOCK] < per_unit).astype(np.float32)
        for start in range(0, coins.shape[1], BLOCK)
    ]
    size = np.asarray(design.member.sum(axis=1), dtype=np.float64)[:, None]
    return size, np.concatenate(blocks, axis=1).astype(np.float64)


def _largest(design: _Design, sums: tuple[Floats, Floats], start: Floats) -> Floats:
    """Per replicate the largest score statistic over the times of one window, the null model fitted anew."""
    beta = fit(design.smooth, *sums, start=start)
    return np.asarray(_scores(design, *sums, beta)[0].max(axis=0))


def _scores(design: _Design, n: Floats, stayed: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """Score statistics U²/V and one-step slopes U/V: times × replicates."""
    x, g = design.smooth, design.steps
    rate = expit(np.clip(x @ beta, -30, 30))
    weight = n * rate * (1 - rate)
    u = g @ (stayed - n * rate)
    cross = np.stack([g @ (weight * x[:, [term]]) for term in range(x.shape[1])])  # terms × times × replicates
    solved = np.linalg.solve(information(x, weight), np.moveaxis(cross, 2, 0))  # replicates × terms × times
    alone = g @ weight
    v = alone - np.einsum("rtz,tzr->zr", solved, cross)
    told = v > 1e-6 * np.maximum(alone, 1.0)
    slope = np.divide(u, v, out=np.zeros_like(u), where=told)
    return slope * u, slope


def _settled(table: CountTable, found: _Tested, weights: npt.NDArray[np.float32]) -> tuple[int, ...]:
    """The smallest set of times that holds 90 % of the places of the maximum in resampled users, ascending."""
    best = np.full(weights.shape[1], -1.0)
    at = np.zeros(weights.shape[1], dtype=np.int64)
    kept = weights * table.retained[:, None].astype(np.float32)
    for design, rate in zip(found.designs, found.rates, strict=True):
        n, stayed = (np.asarray(design.member @ part, dtype=np.float64) for part in (weights, kept))
        start = np.linalg.lstsq(design.smooth, logit(np.clip(rate, 1e-9, 1 - 1e-9)), rcond=None)[0][:, None]
        scores, _ = _scores(design, n, stayed, fit(design.smooth, n, stayed, start))
        highest = np.argmax(scores, axis=0)
        value = scores[highest, np.arange(highest.size)]
        better = value > best
        best, at = np.where(better, value, best), np.where(better, design.times[highest], at)
    times, picks = np.unique(at, return_counts=True)
    order = np.argsort(-picks, kind="stable")
    enough = int(np.searchsorted(np.cumsum(picks[order]) / picks.sum(), SETTLED_SHARE - 1e-12)) + 1
    return tuple(sorted(int(z) for z in times[order[:enough]]))


def _detection(found: _Tested, replicates: int, rng: np.random.Generator, jump: float) -> Floats:
    """For every time of the window: share of replicates with the registered jump there in which the test finds it.

    The window alone is looked at; the others could only add to it, so "smooth" is said rather too seldom. Sums over a
    pattern are binomial, so they are drawn at once instead of unit by unit.
    """
    design, rate = found.designs[found.design], found.rates[found.design]
    size = np.asarray(design.member.sum(axis=1), dtype=np.int64)
    start = np.linalg.lstsq(design.smooth, logit(np.clip(rate, 1e-9, 1 - 1e-9)), rcond=None)[0][:, None]
    shares = []
    for step, z in zip(design.steps, design.times, strict=True):
        before = design.counts == z - 1
        rows = before if before.any() else design.counts < z
        p = float((rate * size)[rows].sum() / size[rows].sum())
        chance = expit(logit(rate) + step * jump / (p * (1 - p)))
        stayed = rng.binomial(size[:, None], chance[:, None], (size.size, replicates)).astype(np.float64)
        largest = _largest(design, (size[:, None].astype(np.float64), stayed), start)
        shares.append(float((largest > found.critical).mean()))
    return np.asarray(shares)


def _range(design: _Design, powered: Flags) -> SmoothRange | None:
    """First and last of the longest run of tested times with power.

    None when it is a single time, or leaves out a time that could be recommended: "smooth" would then be said of a
    behaviour whose most interesting numbers nobody could judge.
    """
    places = np.flatnonzero(powered)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    longest = max(runs, key=len)
    wanted = np.flatnonzero((design.reach >= RECOMMENDED_REACH[0]) & (design.reach <= RECOMMENDED_REACH[1]))
    if longest.size < FEWEST_IN_RANGE or not wanted.size or not np.isin(wanted, longest).all():
        return None
    return SmoothRange(design.days, int(design.times[longest[0]]), int(design.times[longest[-1]]))


def _beside_a_bend(table: CountTable, found: _Tested) -> float:
    """The step of the best cell in its standard errors when the curve may also bend there; the smaller of two bends.

    A bend at Z is a rise that changes from Z on, one at Z - 1 a rise that begins with Z. One-step estimates of bend and
    step together, from the scores under the null model.
    """
    design = found.designs[found.design]
    z = int(design.times[found.place])
    x, size = design.smooth, np.asarray(design.member.sum(axis=1), dtype=np.float64)
    rate = found.rates[found.design]
    stayed = np.asarray(design.member @ table.retained.astype(np.float64))
    weight, residual = size * rate * (1 - rate), stayed - size * rate
    smallest = np.inf
    for at in (z - 1, z):
        bend = np.maximum(np.log1p(design.counts) - np.log1p(at), 0.0)
        pair = np.stack([bend, design.steps[found.place]], axis=1)
        pair = pair - x @ np.linalg.lstsq(np.sqrt(weight)[:, None] * x, np.sqrt(weight)[:, None] * pair, rcond=None)[0]
        covariance = np.linalg.pinv(pair.T @ (weight[:, None] * pair), hermitian=True)
        estimate = covariance @ (pair.T @ residual)
        smallest = min(smallest, float(estimate[1] / np.sqrt(max(covariance[1, 1], 1e-12))))
    return smallest


def _ever(table: CountTable, place: int) -> Interval | NotComputable:
    did, stayed = table.counts[:, place, -1] > 0, table.retained
    did_it, others = (Mean.from_counts(int((stayed & rows).sum()), int(rows.sum())) for rows in (did, ~did))
    found = newcombe_interval(others, did_it)
    return found if isinstance(found, NotComputable) else Interval(found.estimate, found.low, found.high)
