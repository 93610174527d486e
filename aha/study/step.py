"""The step test: does retention jump at Z times, or rise smoothly? See docs/methods/discovery.md, "Step evidence".

Per behaviour and window the null model is a smooth curve: logit P(stayed) = natural spline of log(1 + count) + active
days of the window + segment. Its patterns are few, so it is fitted to sums over units with the same pattern, for all
bootstrap replicates at once. The largest score statistic over all windows and times is calibrated by a parametric
bootstrap.

A confounder along which retention rises smoothly makes no jump, but one with a sharp bend can look like one: so a jump
must also rise more than at its neighbouring counts (`beside_neighbours`). A product rule that fires at Z, such as a
badge or an unlock, makes a jump too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import expit, logit

from aha.study.cells import RECOMMENDED_REACH
from aha.study.choice import resample
from aha.study.grid import CountTable, Flags, Floats, Ints
from aha.study.numbers import Interval
from aha.study.smooth import (
    Design,
    categories,
    design_of,
    fit,
    information,
    largest_score,
    pattern_sums,
    score_statistics,
)
from runs.parallel import each
from runs.progress import Progress, part, silent
from stats.compare import newcombe_interval
from stats.flag_sums import tosses_by_group
from stats.multiplicity import holm
from stats.results import NotComputable, Reason
from stats.summaries import Mean

# Retention count by count: does it rise more at Z than at both neighbours, or evenly up to Z and no further?
#
# One log-odds for each count, beside active days and segment. No curve is assumed, so a rise that ends at Z, which no
# smooth curve of few terms follows, isn't taken for a jump (docs/methods/discovery.md, "Step evidence").

MOST_COUNTS = 21  # 0 to 20 times: higher counts have few users, and a bend is spread over many of them
FEWEST_RISES, FEWEST_FLAT = 3, 2  # least counts up to the bend after the first, and after it
FLAT = 0.25  # largest slope after the bend, as a share of the slope before it
OTHER_BENDS = 0.10  # level at which other places of the bend are ruled out


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
    distinct = np.unique(design.counts)
    place = int(np.searchsorted(distinct, times))
    if place < 2 or place + 1 >= distinct.size or distinct[place] != times:
        return 0.0
    counts = distinct[place - 2 : place + 2]
    odds, spread = log_odds(design, stayed, counts)
    rise = _increments(counts)
    return float(_in_errors(odds, spread, rise[1] - rise[[0, 2]]).min())


def levels_off(design: Design, stayed: Floats, alpha: float) -> int | None:
    """The count up to which retention rises evenly and after which it is flat; None where the data don't show that.

    Takes the likeliest of the broken lines through the log-odds of all counts, the tested ones and those below. It is
    accepted when all of these hold at `alpha`, each by itself (intersection-union):

    * every count up to the bend, three at least, adds something;
    * after it a count adds less than a quarter of what one adds before it, and takes away no more (equivalence);
    * no count contradicts the line (chi-square of the residuals);
    * no other bend is nearly as likely (likelihood ratio, 10 %).

    Source: Hinkley 1971 (two-phase regression); Schuirmann 1987 (two one-sided tests); Berger 1982.
    """
    distinct = np.unique(design.counts)
    counts = distinct[distinct <= design.times.max()][:MOST_COUNTS]
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
    accepted = (
        bend in places
        and _in_errors(odds, spread, _increments(counts)[:bend]).min() >= limit
        and _in_errors(slopes, errors, flat).min() >= limit
        and stats.chi2.sf(left[best], counts.size - 4) > alpha
        and (others - left[best] > stats.chi2.isf(OTHER_BENDS, 1)).all()
    )
    return int(counts[bend]) if accepted else None


def log_odds(design: Design, stayed: Floats, counts: Ints) -> tuple[Floats, Floats]:
    """Log-odds of retention at each of some counts, with their covariance: counts, counts × counts.

    They are those of the first active day and segment among the units with these counts, the same for each count, so
    that only differences are meaningful. Where a difference is confounded with active days its variance is large.
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
    """Generalised least squares: residual chi-square (approximate), slopes before and after the bend, covariance."""
    columns = [np.ones(counts.size), np.minimum(counts, bend), np.maximum(counts - bend, 0)]
    x = np.column_stack(columns).astype(np.float64)
    spread = np.linalg.inv(x.T @ precision @ x)
    beta = spread @ x.T @ precision @ odds
    rest = odds - x @ beta
    return float(rest @ precision @ rest), np.asarray(beta[1:]), np.asarray(spread[1:, 1:])


REPLICATES = 499
BLOCK = 100
JUMP = 0.05
DETECTION = 0.80
FEWEST_IN_RANGE = 2
SETTLED_SHARE = 0.90
UNTOLD = 1e-3  # of the step's information: with a smaller share left beside another term, the two are collinear


class StepVerdict(StrEnum):
    """Verdict of the step test."""

    JUMP = "jump"
    LEVELS_OFF = "levels_off"
    SMOOTH = "smooth"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True)
class SmoothRange:
    """Range of "smooth": at each tested number from `first` to `last` within `days` a jump would have been found."""

    days: int
    first: int
    last: int


@dataclass(frozen=True)
class LevelsOff:
    """Within `days` retention rises evenly up to `times` and is flat after it."""

    days: int
    times: int


@dataclass(frozen=True)
class Step:
    """Step evidence of one behaviour.

    Attributes:
        behaviour: its text form.
        verdict: jump at `times` within `days`; levels off at a number of times; smooth, any number is a convention; or
            cannot tell.
        days, times: where the score statistic is largest, 0 when nothing could be tested.
        statistic: the largest score statistic, about chi-square(1) at a single cell but not as a maximum.
        p_value: share of null replicates that reach it, and Holm's adjustment over the behaviours tested.
        adjusted_p_value: the same after Holm.
        log_odds: one-step estimate of the jump, positive when retention rises at Z.
        settled_times: smallest set of times holding 90 % of the places found in resampled users, if p was small.
        detection: share of replicates with the registered jump at `times` that the test finds, if p was not small.
        ever: retention of those who ever did it minus that of the others within the longest window, shown
            separately: never-doers differ for many reasons.
        reason: why nothing could be tested, if so.
        smooth_range: the neighbouring times at each of which the registered jump would have been found in at least 80 %
            of the replicates; "smooth" applies only to them. None otherwise, and in reports of version 0.3, which
            tested only the best cell.
        bend: the step beside a bend of the curve at the same place, in its standard errors, positive when retention
            rises; shown, but no condition; None when p was large. Up to version 0.4 it includes `never`.
        neighbours: by how many of its standard errors the increment at `times` exceeds that at the count before and the
            one after, the smaller; None when p was large, and up to version 0.4.
        never: the step beside a term for those who never did it, in its standard errors; None as for `bend`.
        levels_off: where retention stops rising, if that is the verdict.
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
    neighbours: float | None = None
    never: float | None = None
    levels_off: LevelsOff | None = None


@dataclass(frozen=True, eq=False)
class _Tested:
    """A behaviour before the second stage."""

    designs: tuple[Design, ...]
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
        table: units that were not used by the rule (`Parts.for_steps`).
        times: the Z values of each behaviour; those from 2 on with a reach from 2 % to 98 % are tested.
        rng: for both bootstraps.
        replicates: at least 499 for a result that is shown.
        jump: the registered jump, in points of retention, that "smooth" must have been able to find.
        alpha: family-wise error rate over the behaviours.
        progress: called with the stage and the share done, 0 to 1.

    A jump must rise more than at both neighbouring counts, and remain beside a term for those who never did it: the
    increment before 2 is that from them to the others, and they differ for many reasons. The verdict is "levels off"
    where no count contradicts that the curve rises evenly to some number and is flat after it, whether or not the step
    there is significant.

    Source: Davies 1987 (a maximum of score statistics under a smooth null); Holm 1979.
    """
    coins = rng.random((table.n, replicates), dtype=np.float32)
    weights = np.empty((table.n, replicates), dtype=np.float32)
    for start, block in zip(range(0, replicates, BLOCK), resample(table.strata(), replicates, rng), strict=True):
        weights[:, start : start + BLOCK] = block

    def test(place: int, inner: Progress) -> _Tested | NotComputable:
        inner("steps", 0.0)
        return _test(table, place, times[place], coins, alpha)

    tested = each(range(len(table.behaviours)), test, progress=part(progress, 0.0, 0.8))
    adjusted = holm([row.p_value for row in tested if isinstance(row, _Tested)])
    result = each(
        _with_draws(tested, adjusted, replicates, rng, jump, alpha),
        lambda one, _: _conclude(table, one, weights, alpha),
        of=len(tested),
        progress=part(progress, 0.8, 1.0),
    )
    progress("steps", 1.0)
    return tuple(result)


def _test(
    table: CountTable, place: int, times: Sequence[int], coins: npt.NDArray[np.float32], alpha: float
) -> _Tested | NotComputable:
    designs = tuple(
        design for column in range(len(table.days)) if (design := design_of(table, place, column, times)) is not None
    )
    if not designs:
        return NotComputable(Reason.TOO_FEW_DIFFERENT_COUNTS)
    best = (-1.0, 0, 0, 0.0)
    maxima = np.zeros(coins.shape[1])
    rates = []
    for number, design in enumerate(designs):
        n, stayed = pattern_sums(design, table.retained[:, None].astype(np.float32))
        beta = fit(design.smooth, n, stayed)
        rate = expit(design.smooth @ beta)[:, 0]
        rates.append(rate)
        scores, slopes = score_statistics(design, n, stayed, beta)
        highest = int(np.argmax(scores[:, 0]))
        if scores[highest, 0] > best[0]:
            best = (float(scores[highest, 0]), number, highest, float(slopes[highest, 0]))
        # The same random numbers for every window, since a unit has one retention.
        maxima = np.maximum(maxima, largest_score(design, _toss(design, rate, coins), beta))
    p = float((1 + (maxima >= best[0] * (1 - 1e-9)).sum()) / (maxima.size + 1))
    return _Tested(designs, tuple(rates), best[1], best[2], best[0], best[3], p, float(np.quantile(maxima, 1 - alpha)))


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A behaviour before its verdict, with its random draws; none where a jump is possible."""

    place: int
    found: _Tested | NotComputable
    adjusted: float
    stayed: tuple[Ints, ...]  # per time patterns × replicates, with the registered jump there


def _with_draws(
    tested: Sequence[_Tested | NotComputable],
    adjusted: list[float],
    replicates: int,
    rng: np.random.Generator,
    jump: float,
    alpha: float,
) -> Iterator[_Drawn]:
    """Draw for all behaviours, in their order, from one stream of random numbers."""
    for place, test in enumerate(tested):
        if isinstance(test, NotComputable):
            yield _Drawn(place, test, 1.0, ())
            continue
        p = adjusted.pop(0)
        needed = p > alpha and test.p_value > alpha
        yield _Drawn(place, test, p, _with_jump(test, replicates, rng, jump) if needed else ())


def _conclude(table: CountTable, drawn: _Drawn, weights: npt.NDArray[np.float32], alpha: float) -> Step:
    place, test, adjusted = drawn.place, drawn.found, drawn.adjusted
    if isinstance(test, NotComputable):
        return _untested(table, place, test)
    design = test.designs[test.design]
    at = int(design.times[test.place])
    settled: tuple[int, ...] = ()
    detection = bend = neighbours = never = smooth_range = flat_from = None
    verdict = StepVerdict.CANNOT_TELL
    if adjusted <= alpha:
        settled, bend, never = (_settled(table, test, weights), _beside_a_bend(table, test), _beside_never(table, test))
        stayed = pattern_sums(design, table.retained[:, None].astype(np.float32))[1][:, 0]
        neighbours = beside_neighbours(design, stayed, at)
        end = levels_off(design, stayed, alpha)
        if end is not None:
            verdict, flat_from = StepVerdict.LEVELS_OFF, LevelsOff(design.days, end)
        elif test.log_odds > 0 and min(neighbours, never) >= float(stats.norm.isf(alpha)):
            verdict = StepVerdict.JUMP
    elif drawn.stayed:
        shares = _detection(test, drawn.stayed)
        detection, smooth_range = float(shares[test.place]), _range(design, shares >= DETECTION)
        if smooth_range is not None:
            verdict = StepVerdict.SMOOTH
    return Step(
        behaviour=table.behaviours[place],
        verdict=verdict,
        days=design.days,
        times=at,
        statistic=test.statistic,
        p_value=test.p_value,
        adjusted_p_value=adjusted,
        log_odds=test.log_odds,
        settled_times=settled,
        detection=detection,
        ever=_ever(table, place),
        reason=None,
        smooth_range=smooth_range,
        bend=bend,
        neighbours=neighbours,
        never=never,
        levels_off=flat_from,
    )


def _untested(table: CountTable, place: int, reason: NotComputable) -> Step:
    name, ever = table.behaviours[place], _ever(table, place)
    return Step(name, StepVerdict.CANNOT_TELL, 0, 0, reason, reason, reason, reason, (), None, ever, reason)


def _toss(design: Design, rate: Floats, coins: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Patterns × replicates: how many of each pattern stay when everyone's retention is drawn from the model."""
    stayed = tosses_by_group(coins, rate.astype(np.float32), design.pattern, rate.size)
    size = np.asarray(design.member.sum(axis=1), dtype=np.float64)[:, None]
    return size, stayed.astype(np.float64)


def _settled(table: CountTable, test: _Tested, weights: npt.NDArray[np.float32]) -> tuple[int, ...]:
    """The smallest set of times that holds 90 % of the places of the maximum in resampled users, ascending."""
    best = np.full(weights.shape[1], -1.0)
    at = np.zeros(weights.shape[1], dtype=np.int64)
    retained = weights * table.retained[:, None].astype(np.float32)
    for design, rate in zip(test.designs, test.rates, strict=True):
        n, stayed = (np.asarray(design.member @ part, dtype=np.float64) for part in (weights, retained))
        start = np.linalg.lstsq(design.smooth, logit(np.clip(rate, 1e-9, 1 - 1e-9)), rcond=None)[0][:, None]
        scores, _ = score_statistics(design, n, stayed, fit(design.smooth, n, stayed, start))
        highest = np.argmax(scores, axis=0)
        value = scores[highest, np.arange(highest.size)]
        better = value > best
        best, at = np.where(better, value, best), np.where(better, design.times[highest], at)
    times, picks = np.unique(at, return_counts=True)
    order = np.argsort(-picks, kind="stable")
    enough = int(np.searchsorted(np.cumsum(picks[order]) / picks.sum(), SETTLED_SHARE - 1e-12)) + 1
    return tuple(sorted(int(z) for z in times[order[:enough]]))


def _with_jump(test: _Tested, replicates: int, rng: np.random.Generator, jump: float) -> tuple[Ints, ...]:
    """For every time of the window patterns × replicates: how many stay with the registered jump there.

    Sums over a pattern are binomial, so they are drawn at once instead of unit by unit.
    """
    design, rate = test.designs[test.design], test.rates[test.design]
    size = np.asarray(design.member.sum(axis=1), dtype=np.int64)
    drawn = []
    for step, z in zip(design.steps, design.times, strict=True):
        before = design.counts == z - 1
        rows = before if before.any() else design.counts < z
        p = float((rate * size)[rows].sum() / size[rows].sum())
        chance = expit(logit(rate) + step * jump / (p * (1 - p)))
        drawn.append(rng.binomial(size[:, None], chance[:, None], (size.size, replicates)))
    return tuple(drawn)


def _detection(test: _Tested, drawn: tuple[Ints, ...]) -> Floats:
    """For every time of the window: share of replicates with the registered jump there in which the test finds it.

    Only this window is used; the others could only add power, so "smooth" is conservative (too rare).
    """
    design, rate = test.designs[test.design], test.rates[test.design]
    size = np.asarray(design.member.sum(axis=1), dtype=np.float64)[:, None]
    start = np.linalg.lstsq(design.smooth, logit(np.clip(rate, 1e-9, 1 - 1e-9)), rcond=None)[0][:, None]
    largest = [largest_score(design, (size, stayed.astype(np.float64)), start) for stayed in drawn]
    return np.asarray([float((row > test.critical).mean()) for row in largest])


def _range(design: Design, powered: Flags) -> SmoothRange | None:
    """First and last of the longest run of tested times with power.

    None when it is a single time, or leaves out a time that could be recommended: "smooth" would then include numbers
    that were not tested with power.
    """
    places = np.flatnonzero(powered)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    longest = max(runs, key=len)
    wanted = np.flatnonzero((design.reach >= RECOMMENDED_REACH[0]) & (design.reach <= RECOMMENDED_REACH[1]))
    if longest.size < FEWEST_IN_RANGE or not wanted.size or not np.isin(wanted, longest).all():
        return None
    return SmoothRange(design.days, int(design.times[longest[0]]), int(design.times[longest[-1]]))


def _beside_a_bend(table: CountTable, test: _Tested) -> float:
    """The step of the best cell in its standard errors when the curve may also bend at Z, where a rise changes, or at
    Z - 1, where one begins with Z; the smaller."""
    design = test.designs[test.design]
    z = int(design.times[test.place])
    bends = [np.maximum(np.log1p(design.counts) - np.log1p(at), 0.0) for at in (z - 1, z)]
    return min(_beside(table, test, other) for other in bends)


def _beside_never(table: CountTable, test: _Tested) -> float:
    """The same beside a term for those who never did it: they may differ from the others more sharply than a spline of
    few knots can bend, and a step next to them would absorb the difference."""
    return _beside(table, test, (test.designs[test.design].counts == 0).astype(np.float64))


def _beside(table: CountTable, test: _Tested, other: Floats) -> float:
    """The one-step estimate of the step together with another term, in its standard errors, from the scores under the
    null model; positive where retention rises at Z.

    0 where less than `UNTOLD` of the step's information is left: the data can't distinguish the two terms.
    """
    design = test.designs[test.design]
    x, size = design.smooth, np.asarray(design.member.sum(axis=1), dtype=np.float64)
    rate = test.rates[test.design]
    stayed = np.asarray(design.member @ table.retained.astype(np.float64))
    weight, residual = size * rate * (1 - rate), stayed - size * rate
    root = np.sqrt(weight)[:, None]
    pair = np.stack([other, design.steps[test.place]], axis=1)
    pair = pair - x @ np.linalg.lstsq(root * x, root * pair, rcond=None)[0]
    between = pair.T @ (weight[:, None] * pair)
    scale = np.sqrt(np.maximum(np.diag(between), 1e-12))
    like, (first, second) = between[0, 1] / scale[0] / scale[1], pair.T @ residual / scale
    left = 1 - like**2
    return 0.0 if left < UNTOLD else float((second - like * first) / np.sqrt(left))


def _ever(table: CountTable, place: int) -> Interval | NotComputable:
    did, stayed = table.counts[:, place, -1] > 0, table.retained
    did_it, others = (Mean.from_counts(int((stayed & rows).sum()), int(rows.sum())) for rows in (did, ~did))
    interval = newcombe_interval(others, did_it)
    return interval if isinstance(interval, NotComputable) else Interval(interval.estimate, interval.low, interval.high)
