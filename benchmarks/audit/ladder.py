"""The adjustment ladder and the second null where the behaviour works through activity on later days."""

from dataclasses import dataclass

import numpy as np

from aha.evidence.ladder import Ladder
from aha.study.candidates import ALPHA, Evidence, ladder_of
from aha.study.choice import Pick
from aha.study.grid import count_cells, levels, thresholds
from aha.study.hold_out import split
from aha.study.null import grid_null
from aha.study.ranking import attributes_of
from aha.study.report_columns import grid_columns
from benchmarks.audit_04.figure import Figure, percent
from events.simulation import WORLDS, simulate
from events.simulation.worlds import TARGET
from stats.results import NotComputable, Reason, computable
from tests.aha.make import table_of_world

TITLE = "Discovery without what comes after the behaviour"
TEXT = """
World `daily_cause`: a coin decides who adds a friend on day 0; those who do come more often on days 1-6, and coming
keeps them (true effect .179 in the mean). A study with days 1 and 7 asks about "once within one day". Version 0.3 held
equal the activity and the counts of days 0-6, which the behaviour brings about: rungs 2 and 4 fell to -.015, the second
null gave .19 and the candidate was marked as mere activity. Now a cell's covariates end with its own window.
"""
SEEDS, UNITS, PERMUTATIONS = 20, 20_000, 199
DAYS = (1, 7)


@dataclass(frozen=True)
class Run:
    """One seed: the true effect on the users without a nudge, the ladder, p and z of the second null."""

    truth: float
    ladder: Ladder
    p_active: float
    z_active: float


def figures(size: float) -> list[Figure]:
    """Rungs and second null of the cell "once within one day"."""
    runs = [run(seed) for seed in range(max(round(SEEDS * size), 2))]
    n = len(runs)
    rows = []
    # docs/methods/evidence.md: rungs 2 and 4 no longer remove the effect, rung 4 covers the truth.
    for place, name in ((0, "raw"), (1, "Mantel-Haenszel"), (2, "AIPW, attributes"), (3, "AIPW, everything measured")):
        pairs = [(one.ladder.rungs[place].difference, one.truth) for one in runs]
        found = [(rung, truth) for rung, truth in pairs if computable(rung)]
        covers = sum(rung.low <= truth <= rung.high for rung, truth in found)
        error = np.mean([rung.estimate - truth for rung, truth in found]) if found else 0.0
        seen = f"covered in {covers} of {n}, mean error {100 * error:+.1f} points, computed in {len(found)}"
        what = f"Rung {place + 1}, {name}, cell of one day"
        rows.append(Figure(what, "covers the truth in at least 90 % of the runs", seen, covers >= 0.9 * n))
    activity = sum(one.p_active > ALPHA or one.z_active <= 0 for one in runs)
    worst = max(one.p_active for one in runs)
    rows.append(
        Figure(
            "Marked as mere activity (second null, adjusted p > .05)",
            "never",
            f"{percent(activity / n)} of {n} runs, largest p {worst:.3f}",
            activity == 0,
        )
    )
    return rows


def run(seed: int, units: int = UNITS, permutations: int = PERMUTATIONS) -> Run:
    """One seed without an experiment: nobody is nudged."""
    world = WORLDS["daily_cause"]
    simulation = simulate(world, units, seed, arms=np.full(units, -1))
    table = table_of_world(simulation, DAYS)
    times = thresholds(table, 5)
    grid = levels(table, times)
    null = grid_null(table, grid, rng=np.random.default_rng(seed), by_activity=True, permutations=permutations)
    cells = count_cells(grid, table.retained)
    columns = grid_columns(cells, NotComputable(Reason.NO_DATA), null, rng=np.random.default_rng(seed))
    attributes = attributes_of([{"platform": str(kind)} for kind in simulation.people.platform])
    evidence = Evidence(table, attributes, split(table), cells, columns, (), seed, units)
    ladder = ladder_of(evidence, TARGET, Pick(1, 1, 1.0))
    place = cells.find(TARGET, 1, 1)
    truth = float(simulation.retained_with_moment.mean() - simulation.retained_without.mean())
    p, z = columns.p_active[place], columns.z_active[place]
    return Run(truth, ladder, 1.0 if p is None else p, 0.0 if z is None else z)
