"""Finding N9: the price of promises and the deflation, where promises are known to 30 %."""

from datetime import date

import numpy as np

from aha.evidence.expected_gain import price_of
from aha.evidence.findings import Definition, PastFinding
from benchmarks.audit_04.figure import Figure, percent
from experiments.analyse.deflation import Trial, pool
from stats.iv_moments import IvMoments
from stats.results import computable
from stats.synthesis import random_effects, ratios_at_pool

TITLE = "The price of promises"
TEXT = """
Found over promised, pooled over experiments. In 0.4 each ratio's error held the ratio itself, so that small ratios
weighed more: .66 where experiments find .80 of each promise. Now errors are taken at the pooled ratio in two rounds
(docs/methods/pooling.md), and the promise in the denominator is the one that promise and finding together tell (Fuller
1987, section 1.2). World: 10 experiments, promises of 8 to 20 points whose standard error is 30 % of the promise,
findings with a standard error of 2 points, each finds the same share of its promise; the last rows have ratios that
differ with a standard deviation of .2. Price: the estimate of `price_of`, its 90 % prediction interval for the next
experiment, and the 90 % Hartung-Knapp interval of the mean on the same ratios. Deflation: its 95 % interval. Required
are 88 and 93 %, less two binomial errors of the runs.
"""
RUNS, EXPERIMENTS, FINDING_ERROR, PROMISE_ERROR = 1_000, 10, 0.02, 0.3
STAGE = 0.3  # share of users whom each nudge moves
DAY = date(2026, 1, 1)
DEFINITION = Definition("friend_add", 3, 7, "window:21-27")

type Floats = np.ndarray


def figures(size: float) -> list[Figure]:
    """Rows of the page; `size` scales the number of runs."""
    runs = max(round(RUNS * size), 20)
    found: list[Figure] = []
    for ratio, spread in ((0.80, 0.0), (0.25, 0.0), (0.80, 0.2)):
        found += _rows(runs, ratio, spread)
    return found


def _rows(runs: int, ratio: float, spread: float) -> list[Figure]:
    rng = np.random.default_rng(round(1_000 * (ratio + spread)))
    price, deflation, mean, held, next_one = np.zeros((5, runs))
    for run in range(runs):
        pairs, true_next = draw(rng, ratio, spread)
        said = price_of([as_finding(place, *row) for place, row in enumerate(pairs)])
        pooled = pool([as_trial(*row) for row in pairs])
        ratios = ratios_at_pool(*pairs.T)
        around = random_effects(ratios.values.tolist(), ratios.errors.tolist(), alpha=0.1)
        if said.assumed or not computable(pooled) or not computable(around):
            raise ValueError(f"run {run} gave no ratio")
        price[run], deflation[run] = said.ratio.estimate, pooled.ratio
        next_one[run] = said.ratio.low <= true_next <= said.ratio.high
        mean[run] = around.mean.low <= ratio <= around.mean.high
        held[run] = pooled.low <= ratio <= pooled.high
    name = f"true ratio {ratio:.2f}" + (f", spread {spread:.1f}" if spread else "")
    two_errors = 2 * (0.9 * 0.1 / runs) ** 0.5  # of a share near 90 %, which the bounds allow to luck
    return [
        _mean(f"mean of the price, {name}", price, ratio),
        _mean(f"mean of the deflation, {name}", deflation, ratio),
        _covers(f"90 % interval of the mean ratio covers, {name}", mean, 0.88 - two_errors),
        _covers(f"90 % prediction interval of the price covers the next ratio, {name}", next_one, 0.88 - two_errors),
        _covers(f"95 % interval of the deflation covers, {name}", held, 0.93 - two_errors),
    ]


def _mean(what: str, values: Floats, truth: float) -> Figure:
    off = float(values.mean()) / truth - 1
    seen = f"{values.mean():.3f} ± {2 * values.std() / len(values) ** 0.5:.3f}, {len(values):,} runs"
    return Figure(what, f"within 5 % of {truth:.2f}", seen, abs(off) <= 0.05)


def _covers(what: str, hits: Floats, least: float) -> Figure:
    share = float(hits.mean())
    return Figure(what, f"at least {percent(least)}", f"{percent(share)} of {len(hits):,} runs", share >= least)


def draw(rng: np.random.Generator, ratio: float, spread: float) -> tuple[Floats, float]:
    """Rows of finding, its error, promise, its error; and the true ratio of one more experiment."""
    true = rng.uniform(0.08, 0.20, EXPERIMENTS)
    errors = PROMISE_ERROR * true
    promised = rng.normal(true, errors)
    while (promised <= 0).any():  # nobody tests what promises nothing
        promised = np.where(promised > 0, promised, rng.normal(true, errors))
    found = rng.normal(rng.normal(ratio, spread, EXPERIMENTS) * true, FINDING_ERROR)
    pairs = np.column_stack([found, np.full(EXPERIMENTS, FINDING_ERROR), promised, errors])
    return pairs, float(rng.normal(ratio, spread))


def as_finding(place: int, found: float, error: float, promised: float, promised_error: float) -> PastFinding:
    """A finding whose Wald ratio and error are these."""
    # With the covariance b V_D the error of ITT / FS is sqrt(V_R - b^2 V_D) / FS.
    v_d = 2e-5
    moments = IvMoments(found * STAGE, STAGE, (error * STAGE) ** 2 + found**2 * v_d, v_d, found * v_d, 10_000, 10_000)
    return PastFinding(
        name=f"test {place}",
        origin="file",
        source=f"test-{place}",
        variant="nudge",
        comparator="control",
        definition=DEFINITION,
        kind="proportion",
        moments=moments,
        verdict="CAUSES",
        started=DAY,
        ended=DAY,
        promised=promised,
        promised_error=promised_error,
    )


def as_trial(found: float, error: float, promised: float, promised_error: float) -> Trial:
    """The same as the calibration page has it."""
    return Trial("key", "name", promised, promised_error, found, error, None, None, "CAUSES", DAY.isoformat())
