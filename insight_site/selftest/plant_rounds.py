"""Plant repeatedly, run the same analyses on each copy, and count the results. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aha.study.grid import CountTable
from experiments.analyse.codes import Code
from experiments.draw.bucketing_many import UnitIds, read_units
from insight_site.selftest.planted_analysis import AnalysisSays, analyse_planted
from insight_site.selftest.planted_study import StudySays, study_planted
from insight_site.selftest.planted_styles import LIKE_THE_TRUTH, StylesSay, search_planted
from insight_site.selftest.planting.moment_choice import counts_of
from insight_site.selftest.planting.planted_nudge import run_experiment
from insight_site.selftest.planting.planted_outcomes import Ground, Plant, plant
from insight_site.selftest.selftest_result import Asked, Asks, Tally
from runs.parallel import each
from runs.progress import Progress
from segments.search.features import UnitTable
from stats.results import NotComputable

STUDIED = (Plant.NOTHING, Plant.CORRELATION, Plant.THRESHOLD, Plant.SMOOTH)
PLANTS_OF_STYLES = 20  # a segment search takes as long as many studies: one per so many plants
NUMBERS = {plant: number for number, plant in enumerate(Plant)}
type Said = dict[tuple[Plant | None, Asks], bool]


@dataclass(frozen=True)
class Rounds:
    """Results of all rounds of one self-test.

    Attributes:
        tallies: counts of findings.
        studies: results on planted thresholds, to explain why one was missed.
    """

    tallies: tuple[Tally, ...]
    studies: tuple[StudySays, ...]


def plant_and_ask(ground: Ground, small: CountTable, asked: Asked, *, seed: int, progress: Progress) -> Rounds:
    """All plants of outcomes: studies and experiments.

    Args:
        ground: the data that effects are planted into.
        small: the table that studies use (`planted_study.looked_at`).
        asked: number of plants, and their effect.
        seed: of every draw.
        progress: progress callback.
    """
    units = read_units([str(unit) for unit in ground.table.unit_ids])
    kinds = [kind for kind in Plant if kind is not Plant.SEGMENT or ground.trait is not None]
    jobs = [(kind, number) for number in range(asked.plants) for kind in kinds]
    done = each(
        jobs, lambda job, inner: _ask(ground, small, asked, units, job, seed, inner), of=len(jobs), progress=progress
    )
    thresholds = [study for (kind, _), (_, study) in zip(jobs, done, strict=True) if kind is Plant.THRESHOLD and study]
    return Rounds(count(said for said, _ in done), tuple(thresholds))


def _ask(
    ground: Ground,
    small: CountTable,
    asked: Asked,
    units: UnitIds,
    job: tuple[Plant, int],
    seed: int,
    progress: Progress,
) -> tuple[Said, StudySays | None]:
    """One copy: a study of unprompted behaviour, and an experiment with a nudge."""
    kind, number = job
    progress("plants", 0.0)
    keys = (seed, NUMBERS[kind], number)
    said: Said = {}
    study = None
    if kind in STUDIED:
        rng = np.random.default_rng((*keys, 0))
        retained = plant(ground, kind, counts_of(ground.table, ground.moment), rng)
        study = study_planted(small, ground.moment, retained, rng=rng)
        said |= dict(_of_study(kind, study))
    progress("plants", 0.7)
    name = f"selftest-{seed}-{kind}-{number}"
    rng = np.random.default_rng((*keys, 1))
    planted = run_experiment(ground, kind, units, name=name, take_up=asked.take_up, rng=rng)
    said |= dict(_of_analysis(kind, analyse_planted(planted, ground.table.unit_ids, ground.trait)))
    return said, study


def _of_study(kind: Plant, study: StudySays) -> Iterator[tuple[tuple[Plant, Asks], bool]]:
    if kind is Plant.NOTHING:
        yield (kind, Asks.LUCK), study.beats_luck
        yield (kind, Asks.ACTIVE), study.beats_active
    else:
        yield (kind, Asks.CANDIDATE), study.candidate
    if kind is Plant.THRESHOLD:
        yield (kind, Asks.JUMP), study.at_moment
    else:
        yield (kind, Asks.WRONG_JUMP), study.any_jump


def _of_analysis(kind: Plant, analysis: AnalysisSays) -> Iterator[tuple[tuple[Plant, Asks], bool]]:
    if kind in (Plant.NOTHING, Plant.CORRELATION):
        yield (kind, Asks.WRONG_VERDICT), analysis.verdict in (Code.CAUSES, Code.HARMS)
        if analysis.segments_differ is not None:
            yield (kind, Asks.WRONG_SEGMENTS), analysis.segments_differ
    elif kind is Plant.SEGMENT:
        if analysis.segments_differ is not None:
            yield (kind, Asks.SEGMENTS), analysis.segments_differ
    else:
        yield (kind, Asks.CAUSES), analysis.verdict is Code.CAUSES
    if analysis.covers is not None and kind is not Plant.NOTHING:
        yield (kind, Asks.TRUTH_OUTSIDE), not analysis.covers


def search_for_styles(
    table: UnitTable, asked: Asked, *, seed: int, progress: Progress
) -> tuple[tuple[Tally, ...], NotComputable | None]:
    """All plants of play styles; or why there are none."""
    rounds = max(1, asked.plants // PLANTS_OF_STYLES)
    found: list[Said] = []
    for number in range(rounds):
        for place, (planted, asks) in enumerate(((True, Asks.STYLES), (False, Asks.WRONG_STYLES))):
            progress("styles", (number + place / 2) / rounds)
            rng = np.random.default_rng((seed, len(NUMBERS), number, int(planted)))
            says = search_planted(table, planted=planted, rng=rng, seed=seed + number)
            if not isinstance(says, StylesSay):
                return (), says
            right = says.agreement >= LIKE_THE_TRUTH or not planted
            found.append({(None, asks): says.found and right})
    return count(found), None


def count(answers: "Iterator[Said] | list[Said]") -> tuple[Tally, ...]:
    """Tallies of findings, in the order of the plants and questions."""
    n: Counter[tuple[Plant | None, Asks]] = Counter()
    yes: Counter[tuple[Plant | None, Asks]] = Counter()
    for said in answers:
        n.update(said.keys())
        yes.update(key for key, answer in said.items() if answer)
    order = {kind: number for number, kind in enumerate((*Plant, None))}
    asks = {one: number for number, one in enumerate(Asks)}
    keys = sorted(n, key=lambda key: (order[key[0]], asks[key[1]]))
    return tuple(Tally(*key, yes[key], n[key]) for key in keys)
