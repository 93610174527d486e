"""A behaviour that does nothing, nudged by something that keeps users by itself: what does the sentence say?"""

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.audit_04.figure import Figure, percent
from experiments.analyse.comparison.warehouse_data import CellData
from experiments.analyse.effects import Comparison
from experiments.analyse.engine import Judgement, compare_all
from experiments.analyse.gather.answers import Block, Cells
from experiments.plan.design import Design
from experiments.report.behaviour.breakdown import breakdown_text
from experiments.report.verdict import verdict_sentence
from stats.counts import joint_of_counts
from stats.five_moments import iv_moments
from stats.instrument.exclusion import breakdown_value
from stats.results import computable

TITLE = "Exclusion: how much would undo the verdict"
TEXT = """20 % of the users reach the behaviour anyway, 20 % only if nudged, 60 % never; their retention is .5, .3 and
.25 and the behaviour does nothing to it. Being nudged adds g to everybody's. No test can see a g of 10 points or less
here, at any number of units, so CAUSES is said, and what counts is that its sentence names a breakdown value below g
(docs/methods/encouragement.md: |ITT| - c sqrt(V_R); Conley, Hansen, Rossi 2012). Its share over all runs comes from the
moments, the verdicts from the whole engine on the same summaries."""

RUNS, VERDICTS, SEED = 20_000, 1_000, 20261125
SIZES, DIRECT = (10_000, 100_000), (0.01, 0.02, 0.05, 0.10)
ALWAYS, COMPLIERS = 0.2, 0.2
RETENTION = (0.5, 0.3, 0.25)  # always-takers, compliers, never-takers
OUTCOME = "window:21-27"
DESIGN = Design(variant="variant", control="control", outcomes=(OUTCOME,), behaviour="3 friends", stored=True)

type Table = npt.NDArray[np.int64]


def figures(size: float) -> list[Figure]:
    """Two figures for each direct effect and number of units."""
    rng = np.random.default_rng(SEED)
    found: list[Figure] = []
    for n in SIZES:
        for direct in DIRECT:
            found += _figures(n, direct, max(round(RUNS * size), 200), max(round(VERDICTS * size), 40), rng)
    return found


def _figures(n: int, direct: float, runs: int, verdicts: int, rng: np.random.Generator) -> list[Figure]:
    controls, variants = (
        draw(n, 0.0, nudged=False, runs=runs, rng=rng),
        draw(n, direct, nudged=True, runs=runs, rng=rng),
    )
    below = sum(_below(control, variant, direct) for control, variant in zip(controls, variants, strict=True))
    rows = [judged(*pair) for pair in zip(controls[:verdicts], variants[:verdicts], strict=True)]
    causes = [row for row in rows if row.verdict.code == "CAUSES"]
    named = [row for row in causes if _names_value(row)]
    right = sum(float(row.verdict.details["breakdown"]) < direct for row in named)
    where = f"g = {100 * direct:.0f} points, {n:,} an arm"
    share = len(causes) / len(rows)
    judges = share >= 0.25
    return [
        Figure(
            f"{where}: breakdown value below g or none, over all runs",
            "at least 97 %",
            f"{percent(below / runs)} of {runs:,}",
            below / runs >= 0.97,
        ),
        Figure(
            f"{where}: where CAUSES is said, its sentence names a value, and it is below g",
            "all name one; below g in at least 90 % where a quarter of the runs say it",
            f"CAUSES {percent(share, 0)} of {len(rows):,}; named {len(named)} of {len(causes)}; "
            f"below g {percent(right / max(len(named), 1))}",
            len(named) == len(causes) and (not judges or right >= 0.9 * len(causes)),
        ),
    ]


def shares(direct: float, *, nudged: bool) -> npt.NDArray[np.float64]:
    """P(R = r, D = d) of one arm, as [r][d] in one row."""
    kinds = (ALWAYS, COMPLIERS, 1 - ALWAYS - COMPLIERS)
    table = np.zeros((2, 2))
    for share, kept, does in zip(kinds, RETENTION, (True, nudged, False), strict=True):
        table[1, int(does)] += share * (kept + direct)
        table[0, int(does)] += share * (1 - kept - direct)
    return table.ravel()


def draw(n: int, direct: float, *, nudged: bool, runs: int, rng: np.random.Generator) -> Table:
    """Counts of one arm, [run][r][d]."""
    return rng.multinomial(n, shares(direct, nudged=nudged), size=runs).reshape(runs, 2, 2)


def _below(control: Table, variant: Table, direct: float) -> bool:
    moments = iv_moments(joint_of_counts(control), joint_of_counts(variant))
    if not computable(moments):
        return True
    value = breakdown_value(moments, float(stats.norm.isf(0.025)))
    return not computable(value) or value < direct


def judged(control: Table, variant: Table) -> Comparison:
    """The engine's comparison of both arms."""
    arms = [joint_of_counts(control), joint_of_counts(variant)]
    sizes = np.array([arm.n for arm in arms], dtype=np.int64)
    zero = np.zeros(2, dtype=np.int64)
    block = Block(
        ("value", "reached"), sizes, np.array([arm.means for arm in arms]), np.array([arm.covariance for arm in arms])
    )
    cells = Cells(
        variants=("control", "nudge"),
        segments=("",),
        weeks=(),
        covariates=(),
        levels=(),
        variant=np.array([0, 1]),
        segment=zero,
        week=zero,
        covariate=np.empty((2, 0), dtype=np.int64),
        exposed=sizes,
        blocks={OUTCOME: block},
    )
    return compare_all(DESIGN, CellData(cells, (OUTCOME,), {}), Judgement())[0].comparisons[0]


def _names_value(row: Comparison) -> bool:
    """The sentence as people read it holds the value."""
    value = row.verdict.details.get("breakdown")
    if not isinstance(value, float):
        return False
    sentence = verdict_sentence(row.verdict)
    return f"more than {breakdown_text(value, share=True)} of users" in sentence
