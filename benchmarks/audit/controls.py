"""Calibration by negative controls: how often one more of them is called stronger than the rest."""

import numpy as np

from aha.evidence.aipw import normal_difference
from aha.evidence.sensitivity import calibrate, empirical_null
from benchmarks.audit.frame.figure import Figure, percent
from stats.results import computable

TITLE = "Negative controls"
TEXT = """
A candidate without effect is drawn from the same law as its negative controls: systematic error with a spread of
its own plus sampling error. Calibration may call it stronger than them in 5 % of the runs. Version 0.3 took mean and
spread of the controls as known; now the candidate is compared with the prediction interval of one more control, the
spread by REML, t with k - 1 degrees of freedom (Higgins, Thompson, Spiegelhalter 2009).
"""
RUNS = 6_000
LAWS = ((0.03, 0.008, (0.196, 0.140, 0.117, 0.076)), (0.02, 0.02, (0.127, 0.118, 0.100, 0.070)))
CONTROLS = (5, 7, 10, 20)


def figures(size: float) -> list[Figure]:
    """False alarms for both laws of the review and every number of controls."""
    runs = max(round(RUNS * size), 50)
    return [
        _figure(spread, error, k, old, runs)
        for spread, error, before in LAWS
        for k, old in zip(CONTROLS, before, strict=True)
    ]


def false_alarms(spread: float, error: float, k: int, runs: int) -> float:
    """Share of runs in which a candidate from the law of its controls comes out with p below .05."""
    rng = np.random.default_rng([round(1000 * spread), round(1000 * error), k])
    drawn = rng.normal(0.0, np.hypot(spread, error), (runs, k + 1))
    alarms = 0
    for row in drawn:
        *controls, candidate = (normal_difference(float(x), error, alpha=0.05) for x in row)
        null = empirical_null(controls)
        alarms += computable(null) and calibrate(candidate, null).p_value < 0.05
    return alarms / runs


def _figure(spread: float, error: float, k: int, old: float, runs: int) -> Figure:
    seen = false_alarms(spread, error, k, runs)
    what = f"{k} controls, spread {100 * spread:g} points, standard error {100 * error:g} points: false alarms"
    # docs/methods/evidence.md, "Negative controls": at most 6 % at k = 5, 7, 10, 20.
    return Figure(what, "at most 6 %", f"{percent(seen)} of {runs:,} (0.3: {percent(old)})", seen <= 0.06)
