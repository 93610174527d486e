"""The sample ratio of a running experiment, looked at every night."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.audit_04.figure import Figure, percent
from experiments.analyse.health.split import SAMPLE_RATIO_ALARM
from experiments.analyse.health.stored_context import MATURE, OVERALL, SEGMENTS
from stats.srm import split_evidence

TITLE = "Sample ratio every night"
TEXT = """90 nights, ten segments of equal size, 500 units a night, a plan of 50:50; a unit is mature 14 nights after it
came. Each night the product's tests look at all units, at the mature ones and at each segment: a Bayes factor of
Dirichlet priors around the plan, alarm at 1/.001 divided by the test's share of the error rate
(`experiments.analyse.health.split`). Beside it the chi-square at .001 (.001/10 inside segments) that 0.3 used each
night. A true 49:51 is what a fixed chi-square at .001 finds with power .8 in 42,686 units. Sources: Lindon, Malek
2022; docs/methods/integrity.md."""

NIGHTS, GROUPS, LAG = 90, 10, 14
SOUND = (28, 60, 90)
FIXED = 42_686  # (z(.0005) + z(.2))^2 .25 / .01^2
type Floats = npt.NDArray[np.float64]


def figures(size: float = 1.0) -> list[Figure]:
    """False alarms of a sound experiment, and how soon 49:51 is found. `size` 1.0: 20,000 runs."""
    runs = max(round(20_000 * size), 500)
    rng = np.random.default_rng(13)
    first, fixed = _sound(runs, rng)
    found = [
        Figure(
            f"sound 50:50, INVALID at some of {nights} nights",
            "at most .3 %" if nights == NIGHTS else "",
            f"{percent(float((first < nights).mean()), 2)} of {runs:,} runs (chi-square each night: "
            f"{percent(float((fixed < nights).mean()))})",
            bool((first < nights).mean() <= 0.003) if nights == NIGHTS else None,
        )
        for nights in SOUND
    ]
    power = found_by(1.5, runs, rng)
    found.append(
        Figure(
            "true 49:51, found within 1.5 times the units of the fixed test at power .8",
            "at least 80 %",
            f"{percent(power)} of {runs:,} runs",
            power >= 0.8,
        )
    )
    for arms in ((50, 0), (600, 400)):
        hit = alarms(np.array(arms, dtype=np.float64), OVERALL)
        found.append(
            Figure(f"plan 50:50, seen {arms[0]}:{arms[1]}", "alarm", "alarm" if hit else "no alarm", bool(hit))
        )
    return found


def alarms(seen: Floats, share: float) -> npt.NDArray[np.bool_]:
    """Whether the nightly test of these counts alarms, with its share of the error rate."""
    return np.asarray(split_evidence(seen, np.array([0.5, 0.5])) > np.log(1 / (share * SAMPLE_RATIO_ALARM)))


def found_by(times: float, runs: int, rng: np.random.Generator) -> float:
    """Share of runs with 49:51 that alarm within so many times the fixed test's units, looked at every night."""
    per_night = int(times * FIXED / NIGHTS)
    return float(
        alarms(_both(rng.binomial(per_night, 0.49, (runs, NIGHTS)).cumsum(axis=1), per_night), OVERALL).any(1).mean()
    )


def _sound(runs: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first night with an alarm in each run, NIGHTS when there is none: the product's test, and the chi-square."""
    parts = [rng.binomial(50, 0.5, (runs, NIGHTS)).astype(np.int32).cumsum(axis=1) for _ in range(GROUPS)]
    whole = sum(parts[1:], parts[0])
    mature = np.concatenate([np.zeros((runs, LAG)), whole[:, :-LAG]], axis=1)
    units = 500 * np.arange(1, NIGHTS + 1)
    nightly = alarms(_both(whole, 500), OVERALL)
    nightly |= alarms(np.stack([mature, np.maximum(units - 500 * LAG, 0) - mature], axis=-1), MATURE)
    fixed = _fixed(whole, units, SAMPLE_RATIO_ALARM)
    fixed |= _fixed(mature, np.maximum(units - 500 * LAG, 0), SAMPLE_RATIO_ALARM)
    for part in parts:
        nightly |= alarms(_both(part, 50), SEGMENTS / GROUPS)
        fixed |= _fixed(part, units / GROUPS, SAMPLE_RATIO_ALARM / GROUPS)
    return _first(nightly), _first(fixed)


def _both(ones: npt.NDArray[np.int64], per_night: int) -> Floats:
    return np.stack([ones, per_night * np.arange(1, NIGHTS + 1) - ones], axis=-1).astype(np.float64)


def _fixed(ones: npt.NDArray[Any], units: npt.NDArray[Any], alpha: float) -> npt.NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        statistic = (2 * ones - units) ** 2 / units
    return np.asarray((units >= 100) & (statistic > stats.chi2.isf(alpha, 1)))


def _first(hits: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return np.where(hits.any(axis=1), hits.argmax(axis=1), NIGHTS)
