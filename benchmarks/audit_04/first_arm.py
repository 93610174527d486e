"""N6: persons whose ids met two arms, where a nudge changes who has two ids and nothing else."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from benchmarks.audit_04.figure import Figure, percent
from experiments.analyse.codes import Code
from experiments.analyse.gather.answers import Answers, Audit, Block, Cells
from experiments.analyse.read_out import read_out
from experiments.analyse.result import Readout
from stats.results import computable
from tests.experiments.analyse.stored_world import ENDED, METRIC, MONDAY, TODAY, plan_of

TITLE = "Persons whose ids met two arms"
TEXT = """
0.4 left out persons whose ids had met different arms. A second id is made after the exposure, so a nudge that makes
people log in elsewhere changes who is left out: with .87 % of conflicts, below the 1 % rule, an effect of nothing was
found in 24 % of experiments. They now count in the arm met first. World: no effect on retention, which is .85 among
loyal people and .30 among the others; the loyal are those whom the nudge would make use a second device, of them fewer
use one without it; the second device draws its arm anew. The false findings are those of the difference at 5 %,
whatever the verdict says; the new check of first arms, which looks at no outcome, makes the verdict INVALID where the
nudge decides who meets another arm. A row has a world without such a nudge. "At most 6.5 %" is 5 % and two binomial
errors of 1,000 runs (1.4 points).
"""
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
        rate = false_findings(kept)
        found.append(Figure(f"{what}: arm met first", "at most 6.5 %", f"{percent(rate)} of {runs} runs", rate <= MOST))
        said = float(np.mean([one.verdict is not None and one.verdict.code is not Code.INVALID for one in kept]))
        found.append(Figure(f"{what}: the verdict isn't INVALID", "shown", f"{percent(said)} of {runs} runs", None))
        seen = f"{percent(false_findings(left))} of {len(left)} runs"
        found.append(Figure(f"{what}: left out, as in 0.4", "shown", seen, None))
    rng = np.random.default_rng(70)
    sound = [readout(draw(rng, 20_000, (0.015, 0.015), 0.015)) for _ in range(quiet)]
    broken = float(np.mean([any(finding.check == "first_variants" for finding in one.health) for one in sound]))
    most = 0.001 + 2 * np.sqrt(0.001 / quiet)
    what = "20,000 persons, second device 1.5 % in both arms: the first arms alarm"
    found.append(Figure(what, f"at most {percent(most)}", f"{percent(broken)} of {quiet} runs", bool(broken <= most)))
    return found


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


def readout(of: Persons, *, left_out: bool = False) -> Readout:
    """The product's analysis of these persons, at the end of a fixed plan; `left_out` as 0.4 took them."""
    n = of.single if left_out else of.single + of.double
    share = (of.single_kept if left_out else of.single_kept + of.double_kept) / n
    zero = np.zeros(2, dtype=np.int64)
    block = Block(("value",), n, share[:, None], (share * (1 - share) * n / (n - 1))[:, None, None])
    cells = Cells(
        variants=VARIANTS,
        segments=("",),
        weeks=(MONDAY,),
        covariates=(),
        levels=(),
        variant=np.arange(2),
        segment=zero,
        week=zero,
        covariate=np.empty((2, 0), dtype=np.int64),
        exposed=n,
        blocks={METRIC: block},
    )
    answers = Answers(
        data_end=datetime(2026, 4, 1, tzinfo=UTC),
        time_zone="UTC",
        day_mode="rolling",
        events=int(n.sum()),
        cells=cells,
        several_variants=0,
        unknown_variants={},
        no_signup=0,
        exposures_by_day=tuple((MONDAY, label, int(units)) for label, units in zip(VARIANTS, n, strict=True)),
        durations=(),
        curve=(),
        times=(),
        silent=(),
        late=(int(n.sum()), 0),
        bins={},
        latest_exposure=datetime(2026, 1, 5, tzinfo=UTC),
        last_mature_on=ENDED,
        identity_conflicts=0 if left_out else int(of.double.sum()),
        first_arms=()
        if left_out
        else tuple(("", label, int(units)) for label, units in zip(VARIANTS, of.double, strict=True)),
    )
    plan = plan_of(VARIANTS, int(n.sum()), claim=None)
    return read_out(plan, answers, Audit(0, 0, {}), today=TODAY)


def false_findings(readouts: list[Readout]) -> float:
    """Share in which the difference has p < .05."""
    return float(np.mean([_p(one) < 0.05 for one in readouts]))


def _p(one: Readout) -> float:
    if one.report is None:
        raise TypeError("the outcome is locked")
    difference = one.report.outcomes[0].comparisons[0].difference
    if not computable(difference):
        raise TypeError(difference.reason)
    return difference.p_value
