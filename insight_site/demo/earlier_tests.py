"""Three past experiments exported by another tool: earlier answers to the question of the demo's experiment."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow.csv as pc

from aha.evidence.findings import Definition, PastFinding
from events.simulation.generate import simulate
from events.simulation.many_tests import rows_of
from events.simulation.worlds import RETENTION, TARGET
from experiments.from_file.import_experiment import Told, import_experiment
from experiments.plan.design import Design
from insight_site.demo.made_up_users import WORLD

USERS = 3_000
# Name, share of users whom the nudge moves, and the nudge's direct effect: the letter retains users by itself.
TESTS = (
    ("Tutorial with friends, two years ago", 0.5, 0.0),
    ("Friends at the first quest, last year", 0.35, 0.0),
    ("Personal letter to new players, last year", 0.25, 1.2),
)
NAMES = tuple(name for name, _reached, _direct in TESTS)
LONG_AGO, APART, LENGTH = timedelta(days=700), timedelta(days=150), timedelta(days=60)
DESIGN = Design("variant", "control", ("retained",), unit="unit", behaviour="reached")


def import_earlier_tests(folder: Path, seed: int, today: date) -> tuple[PastFinding, ...]:
    """Write the three files and import them as `import_experiment` does.

    Args:
        folder: where the files are written.
        seed: of the demo; each test has users of its own.
        today: last day of the demo's time line.

    Raises:
        Refused: a file can't be imported.
    """
    kept: list[PastFinding] = []
    for number, (name, reached, direct) in enumerate(TESTS):
        world = replace(WORLD, name=f"past-{number}", take_up=reached, delta=direct)
        path = folder / f"past-{number}.csv"
        pc.write_csv(rows_of(simulate(world, USERS, seed + 10 + number)), path)
        first = today - LONG_AGO + number * APART
        told = Told(name, Definition(TARGET, WORLD.times, WORLD.within, RETENTION), first, first + LENGTH, {})
        kept += import_experiment(path, DESIGN, told).findings
    return tuple(kept)
