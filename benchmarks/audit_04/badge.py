"""N13: how many catalogues of sound metrics show a red badge of false alarms."""

import numpy as np

from benchmarks.audit_04.figure import Figure, at_least, at_most, percent, shown, two_errors
from stats.false_alarms import FalseAlarms, Summary, false_alarms
from stats.results import Interval, computable

METRICS, SPLITS, USERS = 40, 1_000, 1_000
CATALOGUES, MADE = 4_000, 160


def figures(size: float) -> list[Figure]:
    rng = np.random.default_rng(13)
    runs, number = max(round(CATALOGUES * size), 100), max(round(MADE * size), 20)
    sound = [[drawn(int(n)) for n in row] for row in rng.binomial(SPLITS, 0.05, (runs, METRICS))]
    red = float(np.mean([any(one.is_off(METRICS) for one in row) for row in sound]))
    alone = float(np.mean([any(one.is_off() for one in row) for row in sound]))
    unsound = float(np.mean([drawn(int(n)).is_off(METRICS) for n in rng.binomial(SPLITS, 0.15, runs)]))
    made = [check(place) for place in range(number)]
    off, plain = (sum(one.is_off(metrics) for one in made) / number for metrics in (METRICS, 1))
    allowed = 0.05 / METRICS  # one metric in 800 may be red, so that 40 of them are in at most 5 %
    catalogues, metrics = f"{METRICS} sound metrics", f"a sound metric among {METRICS}, tested on real halves"
    return [
        at_most(f"{catalogues}: a catalogue shows a red badge", 0.05 + two_errors(0.05, runs), red,
                f"{runs} catalogues"),
        shown(f"{catalogues}, as in 0.4", f"{percent(alone)} of {runs} catalogues"),
        at_least(f"an unsound metric among {METRICS}, rate 15 %: its badge is red", 0.99, unsound, f"{runs}",
                 "at least 99 %"),
        at_most(f"{metrics}: its badge is red", allowed + 2 * np.sqrt(allowed / number), off, f"{number}"),
        shown("the same, as in 0.4", f"{percent(plain)} of {number}"),
    ]  # fmt: skip


def drawn(alarms: int) -> FalseAlarms:
    """A check with so many alarms."""
    rate = Interval(alarms / SPLITS, 0.0, 1.0, 0.95, "wilson-interval")
    return FalseAlarms(alarms, SPLITS, 0, USERS, rate, 0.05)


def check(seed: int) -> FalseAlarms:
    """A sound metric, a share or an exponential mean in turn, by the product's own splits and tests."""
    rng = np.random.default_rng(seed)
    is_share = seed % 2 == 0
    values = (rng.random(USERS) < 0.3).astype(np.float64) if is_share else rng.exponential(1.0, USERS)
    keys = rng.integers(0, 2**63, USERS).astype(np.uint64)
    summary = Summary.SHARE if is_share else Summary.MEAN
    found = false_alarms(values, keys, summary=summary, splits=SPLITS, seed=seed)
    if not computable(found):
        raise TypeError(found.reason)
    return found
