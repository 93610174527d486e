"""Attack B2: nudges that keep users by being seen, with a placebo of equal salience."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from benchmarks.audit.frame.figure import Figure, percent
from experiments.analyse.codes import Code
from experiments.analyse.engine import analyze
from experiments.plan.design import Design, Kind, Outcome, Units

TITLE = "A placebo of equal salience"
TEXT = """
Version 0.3 tested placebo against control first and went on with nudge against control: CAUSES in up to 27 % of
experiments whose behaviour does nothing, and a true effect of 15 points written off in 62 to 93 %. Now nudge against
placebo is the comparison, always. World: 20 % always-takers, compliers as named, retention .5, .3 and .25 of
always-takers, compliers and never-takers; nudge and placebo both keep g more of everybody; 10,000 units an arm,
analysed as files. Source: docs/methods/encouragement.md.
"""
UNITS = 10_000
# Enough for a bound two points away from what a valid test gives; rows without a bound take fewer.
RUNS, SHOWN_RUNS = 1_000, 200
DESIGN = Design("arm", "control", ("kept",), behaviour="did", placebo="placebo")


@dataclass(frozen=True)
class Seen:
    """Verdicts of one world: codes, and runs in which the placebo was shown to leave the behaviour alone."""

    codes: Counter[Code]
    shown: int
    runs: int

    def share(self, *codes: Code) -> float:
        return sum(self.codes[code] for code in codes) / self.runs


def figures(size: float) -> list[Figure]:
    runs, fewer = (max(round(number * size), 10) for number in (RUNS, SHOWN_RUNS))
    found = []
    for place, direct in enumerate((0.010, 0.015, 0.020)):
        seen = world(runs, 10_000 * place, direct=direct, effect=0.0, take_up=0.2)
        share = seen.share(Code.CAUSES, Code.HARMS)
        what = f"g {direct:.3f}, the behaviour does nothing, take-up .20: CAUSES or HARMS"
        found.append(Figure(what, "at most 7 %", told(share, seen), share <= 0.07))
    for place, (direct, take_up) in enumerate(((0.010, 0.2), (0.015, 0.2), (0.020, 0.2), (0.020, 0.17)), start=10):
        seen = world(runs, 10_000 * place, direct=direct, effect=0.15, take_up=take_up)
        share = seen.share(Code.CAUSES)
        what = f"g {direct:.3f}, a true effect of 15 points, take-up {take_up:.2f}: CAUSES"
        found.append(Figure(what, "at least 95 %", told(share, seen), share >= 0.95))
    for place, take_up in enumerate((0.15, 0.10, 0.05), start=20):
        real = world(fewer, 10_000 * place, direct=0.020, effect=0.15, take_up=take_up)
        what = f"g .020, a true effect of 15 points, take-up {take_up:.2f}: CAUSES"
        found.append(Figure(what, "shown", told(real.share(Code.CAUSES), real), None))
        null = world(fewer, 10_000 * (place + 10), direct=0.020, effect=0.0, take_up=take_up)
        what = f"g .020, the behaviour does nothing, take-up {take_up:.2f}: CAUSES or HARMS"
        found.append(Figure(what, "shown", told(null.share(Code.CAUSES, Code.HARMS), null), None))
    return found


def told(share: float, seen: Seen) -> str:
    return f"{percent(share)} of {seen.runs}; the placebo was shown to be inert in {percent(seen.shown / seen.runs, 0)}"


def world(runs: int, first_seed: int, *, direct: float, effect: float, take_up: float) -> Seen:
    codes, shown = Counter[Code](), 0
    for seed in range(first_seed, first_seed + runs):
        report = analyze("audit", DESIGN, draw(seed, direct, effect, take_up))
        nudge = next(row for row in report.outcomes[0].comparisons if row.variant == "nudge")
        codes[report.verdict.code] += 1
        shown += nudge.encouragement is not None and nudge.encouragement.comparator_reason is None
    return Seen(codes, shown, runs)


def draw(seed: int, direct: float, effect: float, take_up: float) -> Units:
    rng = np.random.default_rng(seed)
    arm, kind = np.repeat([0, 1, 2], UNITS), rng.random(3 * UNITS)
    moved = (arm == 1) & (kind >= 0.2) & (kind < 0.2 + take_up)
    base = np.where(kind < 0.2, 0.5, np.where(kind < 0.2 + take_up, 0.3, 0.25))
    kept = rng.random(3 * UNITS) < base + direct * (arm > 0) + effect * moved
    return Units(
        ("control", "nudge", "placebo"),
        arm,
        (Outcome("kept", Kind.PROPORTION, kept.astype(float)),),
        3 * UNITS,
        behaviour=((kind < 0.2) | moved).astype(float),
    )
