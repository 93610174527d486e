"""Finding N7: the arm that leads the report is the one that chance favoured most."""

from collections import Counter
from dataclasses import replace
from math import sqrt

import numpy as np

from benchmarks.audit_04.figure import Figure, percent
from benchmarks.audit_04.placebo_kept import BEHAVIOUR, OUTCOME, draw, judged, shares
from experiments.analyse.codes import Code
from experiments.analyse.effects import Comparison, OutcomeReport
from experiments.analyse.engine import leading_comparison
from experiments.plan.design import Design
from stats.results import computable

TITLE = "The leading of several nudges"
TEXT = """With several nudges the report's verdict is that of the smallest adjusted p. In version 0.4 its set and its
breakdown value (|ITT| - c sqrt(V_R)) stood at the level of one comparison: above the true direct effect in 2.4, 6.6 and
9.1 % of experiments with one, three and five arms. Now c is that of alpha over the arms that could lead. World: 20 %
always-takers, each nudge moves 20 %; retention .5, .3 and .25 of always-takers, compliers and never-takers; the
behaviour does nothing and each nudge keeps 2 points more of everybody; 10,000 units an arm. The two one-sided tests of
"no effect that matters" stay at each arm's own level: choosing the smallest p is a choice against them (last row).
Drawn as counts and judged by the whole engine. Source: docs/methods/encouragement.md; Conley, Hansen and Rossi 2012;
Holm 1979. Bounds of rates are widened by two binomial errors of the runs."""

RUNS, SEED = 4_000, 20_261_202
UNITS, COMPLIERS, DIRECT = 10_000, 0.2, 0.02
MARGIN = 0.1
DESIGN = Design("variant", "control", (OUTCOME,), behaviour=BEHAVIOUR, stored=True)


def figures(size: float) -> list[Figure]:
    """Rates for one, three and five arms, and the test of "no effect that matters" at its margin."""
    runs, rng = max(round(RUNS * size), 60), np.random.default_rng(SEED)
    found = [row for arms in (1, 3, 5) for row in _of_arms(arms, runs, rng)]
    codes = Counter(row.verdict.code for row, _ in _leading(3, runs // 2, rng, direct=0.0, effect=MARGIN))
    wrong, slack = codes[Code.NO_MATERIAL_EFFECT] / (runs // 2), 2 * sqrt(0.05 * 0.95 / (runs // 2))
    told = f"{percent(wrong)} of {runs // 2:,}; CAUSES {percent(codes[Code.CAUSES] / (runs // 2))}"
    what = f"3 arms, the behaviour worth the margin of {MARGIN}, no direct effect: NO_MATERIAL_EFFECT"
    return [*found, Figure(what, f"at most {percent(0.05 + slack)}", told, wrong <= 0.05 + slack)]


def _of_arms(arms: int, runs: int, rng: np.random.Generator) -> list[Figure]:
    seen = _leading(arms, runs, rng, direct=DIRECT, effect=0.0)
    causes = [row for row, _ in seen if row.verdict.code is Code.CAUSES]
    above = sum(_above(row) for row, _ in seen) / runs
    anywhere = sum(any(map(_above, outcome.comparisons)) for _, outcome in seen) / runs
    of_causes = sum(map(_above, causes)) / max(len(causes), 1)
    hold_none = sum(float(row.verdict.details["effect_low"]) <= 0 for row in causes)
    bound = 0.03 + 2 * sqrt(0.03 * 0.97 / runs)
    where = f"{arms} arm{'s' * (arms > 1)}"
    return [
        Figure(
            f"{where}: the leading arm's breakdown value is above its direct effect, of all runs",
            f"at most {percent(bound)}",
            f"{percent(above)} of {runs:,}",
            above <= bound,
        ),
        Figure(
            f"{where}: that of any arm is, of all runs",
            f"at most {percent(bound)}",
            f"{percent(anywhere)} of {runs:,}",
            anywhere <= bound,
        ),
        Figure(f"{where}: of the runs that say CAUSES", "shown", f"{percent(of_causes)} of {len(causes):,}", None),
        Figure(
            f"{where}: sentences of CAUSES whose set holds 0", "none", f"{hold_none} of {len(causes):,}", hold_none == 0
        ),
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
