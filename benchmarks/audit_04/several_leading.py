"""N7: the arm that leads the report is the one that chance favoured most."""

from collections import Counter
from dataclasses import replace

import numpy as np

from benchmarks.audit_04.figure import Figure, at_most, percent, shown, two_errors
from benchmarks.audit_04.placebo_kept import BEHAVIOUR, OUTCOME, draw, judged, shares
from experiments.analyse.codes import Code
from experiments.analyse.effects import Comparison, OutcomeReport
from experiments.analyse.engine import leading_comparison
from experiments.plan.design import Design
from stats.results import computable

RUNS, SEED = 4_000, 20_261_202
UNITS, COMPLIERS, DIRECT = 10_000, 0.2, 0.02
MARGIN = 0.1
DESIGN = Design("variant", "control", (OUTCOME,), behaviour=BEHAVIOUR, stored=True)


def figures(size: float) -> list[Figure]:
    """Rates for one, three and five arms, and the test of "no effect that matters" at its margin."""
    runs, rng = max(round(RUNS * size), 60), np.random.default_rng(SEED)
    found = [row for arms in (1, 3, 5) for row in _of_arms(arms, runs, rng)]
    half = runs // 2
    codes = Counter(row.verdict.code for row, _ in _leading(3, half, rng, direct=0.0, effect=MARGIN))
    wrong, of = codes[Code.NO_MATERIAL_EFFECT] / half, f"{half:,}; CAUSES {percent(codes[Code.CAUSES] / half)}"
    what = f"3 arms, the behaviour worth the margin of {MARGIN}, no direct effect: NO_MATERIAL_EFFECT"
    return [*found, at_most(what, 0.05 + two_errors(0.05, half), wrong, of)]


def _of_arms(arms: int, runs: int, rng: np.random.Generator) -> list[Figure]:
    seen = _leading(arms, runs, rng, direct=DIRECT, effect=0.0)
    causes = [row for row, _ in seen if row.verdict.code is Code.CAUSES]
    above = sum(_above(row) for row, _ in seen) / runs
    anywhere = sum(any(map(_above, outcome.comparisons)) for _, outcome in seen) / runs
    of_causes = sum(map(_above, causes)) / max(len(causes), 1)
    hold_none = sum(float(row.verdict.details["effect_low"]) <= 0 for row in causes)
    bound, of = 0.03 + two_errors(0.03, runs), f"{len(causes):,}"
    where = f"{arms} arm{'s' * (arms > 1)}"
    what = f"{where}: the leading arm's breakdown value is above its direct effect, of all runs"
    return [
        at_most(what, bound, above, f"{runs:,}"),
        at_most(f"{where}: that of any arm is, of all runs", bound, anywhere, f"{runs:,}"),
        shown(f"{where}: of the runs that say CAUSES", f"{percent(of_causes)} of {of}"),
        Figure(f"{where}: sentences of CAUSES whose set holds 0", "none", f"{hold_none} of {of}", hold_none == 0),
    ]


def _leading(
    arms: int, runs: int, rng: np.random.Generator, *, direct: float, effect: float
) -> list[tuple[Comparison, OutcomeReport]]:
    """The leading comparison of each run, with the whole outcome."""
    design = DESIGN if direct else replace(DESIGN, margin=MARGIN)
    labels = ("control", *(f"nudge {place + 1}" for place in range(arms)))
    control = draw(UNITS, runs, rng, shares(COMPLIERS, 0.0, 0.0, 0.0))
    nudges = [draw(UNITS, runs, rng, shares(COMPLIERS, COMPLIERS, direct, effect)) for _ in range(arms)]
    found = []
    for run in range(runs):
        outcome = judged(design, labels, [control[run], *(nudge[run] for nudge in nudges)])
        found.append((leading_comparison(design, outcome), outcome))
    return found


def _above(row: Comparison) -> bool:
    told = row.encouragement
    return told is not None and computable(told.breakdown) and told.breakdown > DIRECT
