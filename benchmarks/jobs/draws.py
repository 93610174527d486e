"""One evaluation in process, without a door: ours beside growthbook-python."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from benchmarks.harness.django_store import own_django
from benchmarks.harness.job import Figures, Job, Side
from benchmarks.harness.peers import growthbook_folder
from benchmarks.harness.room import Room

THEIRS = """
import json, sys, time
from growthbook import GrowthBook
features, ids = json.load(sys.stdin)
book = GrowthBook(attributes={"id": "x"}, features=features)
started = time.process_time()
for unit in ids:
    book.set_attributes({"id": unit})
    book.eval_feature("bench")
print(len(ids) / (time.process_time() - started))
"""


@contextmanager
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """The same flag of three arms on both sides."""
    with own_django():
        from experiments.draw.bucketing_many import choose_all, read_units, unit_hashes
        from experiments.draw.evaluation import Arm, Flag, Row, draw
        from experiments.serve.payload import features

        row = Row(None, None, 0.8, (0.34, 0.33, 0.33))
        arms = tuple(Arm(n, f"arm{n}", f"arm{n}", f"arm{n}") for n in range(3))
        flag = Flag(1, "bench", "bench", "bench", 1, "running", "none", arms, (row,), "9f2c41d07ab3")
        units = options["units"]
        ids = [f"{n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}" for n in range(units)]
        given = json.dumps([features([flag], datetime.now(UTC)), ids]).encode()
        environment = {"PYTHONPATH": str(growthbook_folder())}

        def ours(_turn: int) -> Figures:
            begun = time.process_time()
            for unit in ids:
                draw(flag, unit, is_new=True, row=row)
            single, begun = time.process_time() - begun, time.process_time()
            choose_all(unit_hashes(flag.seed, read_units(ids)), row.ranges)
            return {"evaluations/s": units / single, "read and drawn at once/s": units / (time.process_time() - begun)}

        def theirs(_turn: int) -> Figures:
            command = [sys.executable, "-c", THEIRS]
            done = subprocess.run(command, input=given, env=environment, capture_output=True, check=True)
            return {"evaluations/s": float(done.stdout)}

        yield Side("Insight", ours), Side("growthbook-python, one object kept", theirs)


JOBS = (
    Job(
        "draws",
        "evaluation in process",
        """A flag of three arms with partial coverage, ids of 32 letters, by processor time of one core, without a
        door, a database or a sticky row. An analysis draws the arms of all exposed units again, many at once.""",
        "growthbook-python 4.0.0",
        {"tiny": {"units": 500, "rounds": 2}, "quick": {"units": 50_000}, "full": {"units": 200_000}},
        opened,
    ),
)
