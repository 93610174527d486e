"""N6: persons whose ids met two arms, where a nudge changes who has two ids and nothing else."""

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.audit_04.figure import Figure, at_most, percent, shown
from benchmarks.audit_04.stored_cells import cells_of
from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.codes import Code
from experiments.analyse.gather.answers import Audit, Block
from experiments.analyse.result import AnalysisResult, Opened
from stats.results import computable
from tests.experiments.analyse.stored_world import METRIC, MONDAY, TODAY, answers_of, plan_of

VARIANTS = ("control", "nudge")
# Of a readout that takes a tenth of a second; what is shown beside the bounds takes fewer.
RUNS, SOUND, SHOWN, MOST = 1_000, 200, 100, 0.065
LOYAL, OTHER = 0.85, 0.30
WORLDS = ((20_000, 0.010, 0.025), (100_000, 0.010, 0.025), (200_000, 0.012, 0.022))


@dataclass(frozen=True)
class Persons:
    """Of each arm, as drawn first: those with one arm and those with two, and how many of each were kept."""

    single: np.ndarray
    single_kept: np.ndarray
    double: np.ndarray
    double_kept: np.ndarray


def figures(size: float) -> list[Figure]:
    runs, quiet, few = (max(round(number * size), 20) for number in (RUNS, SOUND, SHOWN))
    found = []
    for place, (persons, without, nudged) in enumerate(WORLDS):
        rng = np.random.default_rng(60 + place)
        drawn = [draw(rng, persons, (without, nudged), nudged) for _ in range(runs)]
        what = f"{persons:,} persons, second device {percent(without)} -> {percent(nudged)}"
        kept = [readout(one) for one in drawn]
        left = [readout(one, left_out=True) for one in drawn[:few]]
        said = float(np.mean([one.verdict is not None and one.verdict.code is not Code.INVALID for one in kept]))
        found += [
            at_most(f"{what}: arm met first", MOST, false_findings(kept), f"{runs} runs"),
            shown(f"{what}: the verdict isn't INVALID", f"{percent(said)} of {runs} runs"),
            shown(f"{what}: left out, as in 0.4", f"{percent(false_findings(left))} of {len(left)} runs"),
        ]
    rng = np.random.default_rng(70)
    sound = [readout(draw(rng, 20_000, (0.015, 0.015), 0.015)) for _ in range(quiet)]
    broken = float(np.mean([any(finding.check == "first_variants" for finding in one.health) for one in sound]))
    what = "20,000 persons, second device 1.5 % in both arms: the first arms alarm"
    return [*found, at_most(what, 0.001 + 2 * np.sqrt(0.001 / quiet), broken, f"{quiet} runs")]


def draw(rng: np.random.Generator, persons: int, second: tuple[float, float], loyal: float) -> Persons:
    """Persons by the arm of their first id; of the loyal a share that depends on it has a second id."""
    arms = np.array(second)
    n = rng.multinomial(persons, (0.5, 0.5))
    devoted = rng.binomial(n, loyal)
    # The second id draws its arm anew, so half of those who have one meet both.
    double = rng.binomial(devoted, arms / loyal / 2)
    single = n - double
    single_kept = rng.binomial(devoted - double, LOYAL) + rng.binomial(n - devoted, OTHER)
    return Persons(single, single_kept, double, rng.binomial(double, LOYAL))


def readout(of: Persons, *, left_out: bool = False) -> AnalysisResult:
    """The product's analysis of these persons, at the end of a fixed plan; `left_out` as 0.4 took them."""
    n = of.single if left_out else of.single + of.double
    share = (of.single_kept if left_out else of.single_kept + of.double_kept) / n
    block = Block(("value",), n, share[:, None], (share * (1 - share) * n / (n - 1))[:, None, None])
    answers = answers_of(cells_of(VARIANTS, np.arange(2), {METRIC: block}, weeks=(MONDAY,)))
    if not left_out:
        arms = tuple(("", label, int(units)) for label, units in zip(VARIANTS, of.double, strict=True))
        answers = replace(answers, identity_conflicts=int(of.double.sum()), first_arms=arms)
    return analyse_answers(plan_of(VARIANTS, int(n.sum()), claim=None), answers, Audit(0, 0, {}), today=TODAY)


def false_findings(readouts: list[AnalysisResult]) -> float:
    return float(np.mean([_p(one) < 0.05 for one in readouts]))


def _p(one: AnalysisResult) -> float:
    if not isinstance(one, Opened):
        raise TypeError("the outcome is locked")
    difference = one.report.outcomes[0].comparisons[0].difference
    if not computable(difference):
        raise TypeError(difference.reason)
    return difference.p_value
