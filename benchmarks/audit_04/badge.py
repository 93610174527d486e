"""N13: how many catalogues of sound metrics show a red badge of false alarms."""

import numpy as np

from benchmarks.audit_04.figure import Figure, percent
from stats.false_alarms import FalseAlarms, Summary, false_alarms
from stats.results import Interval, computable

TITLE = "The badge of false alarms in a catalogue"
TEXT = """
In 0.4 a badge was red where one metric's 95 % interval excluded 5 %: of sound metrics 1 in 20, so a catalogue of 40
showed two. Now the interval holds for all metrics of the catalogue together (Bonferroni). The first rows draw the
alarms of 1,000 splits from the binomial law of a sound metric (the review found no other spread between metrics); the
next split 1,000 users of one law, shares and exponential means, with the product's own halves and tests, and put the
metrics together in catalogues of 40. The bound of 5 % is widened by two binomial errors of the catalogues. An unsound
metric has a rate of 15 %. Source: Wilson 1927; Dunn 1961.
"""
METRICS, SPLITS, USERS = 40, 1_000, 1_000
CATALOGUES, MADE = 4_000, 160


def figures(size: float) -> list[Figure]:
    rng = np.random.default_rng(13)
    runs = max(round(CATALOGUES * size), 100)
    sound = [[drawn(int(n)) for n in row] for row in rng.binomial(SPLITS, 0.05, (runs, METRICS))]
    most = 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)
    red = float(np.mean([any(one.is_off(METRICS) for one in row) for row in sound]))
    alone = float(np.mean([any(one.is_off() for one in row) for row in sound]))
    found = [
        Figure(
            f"{METRICS} sound metrics: a catalogue shows a red badge",
            f"at most {percent(most)}",
            f"{percent(red)} of {runs} catalogues",
            bool(red <= most),
        ),
        Figure(f"{METRICS} sound metrics, as in 0.4", "shown", f"{percent(alone)} of {runs} catalogues", None),
    ]
    unsound = [drawn(int(n)) for n in rng.binomial(SPLITS, 0.15, runs)]
    seen = float(np.mean([one.is_off(METRICS) for one in unsound]))
    what = f"an unsound metric among {METRICS}, rate 15 %: its badge is red"
    found.append(Figure(what, "at least 99 %", f"{percent(seen)} of {runs}", seen >= 0.99))
    number = max(round(MADE * size), 20)
    made = [check(place) for place in range(number)]
    off = sum(one.is_off(METRICS) for one in made)
    # One metric in 800 may be red, so that 40 of them are in at most 5 %.
    share, allowed = off / number, 0.05 / METRICS
    bound = allowed + 2 * np.sqrt(allowed / number)
    what = f"a sound metric among {METRICS}, tested on real halves: its badge is red"
    found.append(Figure(what, f"at most {percent(bound)}", f"{percent(share)} of {number}", bool(share <= bound)))
    plain = sum(one.is_off() for one in made) / number
    found.append(Figure("the same, as in 0.4", "shown", f"{percent(plain)} of {number}", None))
    return found


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
