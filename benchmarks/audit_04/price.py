"""N9: the price of promises and the deflation, where promises are known to 30 %."""

from datetime import date
from typing import Any

import numpy as np

from aha.evidence.expected_gain import price_of
from aha.evidence.findings import Definition, PastFinding
from benchmarks.audit_04.figure import Figure, at_least, two_errors
from experiments.analyse.across.deflation import Trial, pool
from stats.iv_moments import IvMoments
from stats.results import computable
from stats.synthesis import random_effects, ratios_at_pool

RUNS, EXPERIMENTS, FINDING_ERROR, PROMISE_ERROR = 1_000, 10, 0.02, 0.3
STAGE = 0.3  # share of users whom each nudge moves
DAY = date(2026, 1, 1)
DEFINITION = Definition("friend_add", 3, 7, "window:21-27")

type Floats = np.ndarray


def figures(size: float) -> list[Figure]:
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
    luck = two_errors(0.9, runs)  # of a share near 90 %
    return [
        _mean(f"mean of the price, {name}", price, ratio),
        _mean(f"mean of the deflation, {name}", deflation, ratio),
        *(
            at_least(f"{what}, {name}", least - luck, float(hits.mean()), f"{runs:,} runs")
            for what, hits, least in (
                ("90 % interval of the mean ratio covers", mean, 0.88),
                ("90 % prediction interval of the price covers the next ratio", next_one, 0.88),
                ("95 % interval of the deflation covers", held, 0.93),
            )
        ),
    ]


def _mean(what: str, values: Floats, truth: float) -> Figure:
    off = float(values.mean()) / truth - 1
    seen = f"{values.mean():.3f} ± {2 * values.std() / len(values) ** 0.5:.3f}, {len(values):,} runs"
    return Figure(what, f"within 5 % of {truth:.2f}", seen, abs(off) <= 0.05)


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
    return past_finding(place, moments, promised=promised, promised_error=promised_error)


def past_finding(place: int, moments: IvMoments, **more: Any) -> PastFinding:
    names = {"name": f"test {place}", "source": f"test-{place}", "variant": "nudge", "comparator": "control"}
    given: dict[str, Any] = {"origin": "file", "kind": "proportion", "verdict": "CAUSES", "started": DAY, "ended": DAY}
    return PastFinding(definition=DEFINITION, moments=moments, **(names | given | more))


def as_trial(found: float, error: float, promised: float, promised_error: float) -> Trial:
    return Trial("key", "name", promised, promised_error, found, error, None, None, "CAUSES", DAY.isoformat())
