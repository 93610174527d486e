"""What the warehouse would answer about a simulated world, straight from its arrays; and a small effort."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from aha.evidence.daily_trials import UnitDays
from aha.evidence.retention_curve import DayCount
from aha.study.discover import Answers, Effort
from aha.study.question import Inputs
from aha.study.ranking import attributes_of
from aha.study.window_guard import valid_windows
from events.metrics import Behaviour
from events.simulation import Simulation
from tests.aha.worlds import days_of

SMALL = Effort(
    permutations=99, replicates=50, step_replicates=49, repeats=1, max_explained=300, ladder_units=1_000, followed=1
)
INPUTS = Inputs("signup", (1, 3, 7), "window:21-27", max_times=5)


def answers_of(simulation: Simulation, inputs: Inputs = INPUTS, *, by_group: bool = False) -> Answers:
    """Everybody is mature; the curve is that of activity on days 0 to 27."""
    windows = valid_windows(inputs.days, inputs.definition, gap=inputs.gap)
    names = [behaviour.name for behaviour in simulation.world.behaviours]
    n = simulation.units
    unit, behaviour = np.divmod(np.arange(n * len(names)), len(names))
    counts = np.zeros((n, len(names), len(windows.valid)), dtype=np.int64)
    for place, y in enumerate(windows.valid):
        early = simulation.active_day < y
        np.add.at(counts[:, :, place], simulation.active_user[early], simulation.counts[early])
    people = simulation.people
    anchors = people.signup.astype("datetime64[us]")
    by_day = np.bincount(simulation.active_day, minlength=28)
    days = tuple(DayCount(day, int(by_day[day]), n) for day in range(28))
    return Answers(
        behaviours=tuple(Behaviour(name) for name in names),
        left_out=0,
        windows=windows,
        data_end=datetime(2026, 4, 6),  # noqa: DTZ001
        time_zone="UTC",
        signups=n + 7,
        excluded={"too_young": 7},
        unit_ids=np.asarray([f"u{number:06d}" for number in range(n)], dtype=np.object_),
        retained=simulation.retained,
        dates=anchors.astype("datetime64[D]"),
        segment=np.asarray([f"g{group}" for group in people.group], dtype=np.object_) if by_group else None,
        sample=np.arange(n),
        anchors=anchors,
        rows=(unit, np.asarray(names, dtype=object)[behaviour], counts.reshape(-1, len(windows.valid))),
        active_days=np.column_stack(
            [np.bincount(simulation.active_user[simulation.active_day < y], minlength=n) for y in windows.valid]
        ),
        attributes=attributes_of([{"platform": str(kind)} for kind in people.platform]),
        unit_days=days_of(simulation, windows.landmark),
        first_times={name: datetime(2026, 1, 1) for name in names},  # noqa: DTZ001
        first_sessions={},
        histogram=None,
        curve={"": days},
    )


def some(answers: Answers, rows: Any) -> Answers:
    """The same answers for some of the units."""
    unit, name, number = (np.asarray(part) for part in answers.rows)
    kept = np.isin(unit, rows)
    days = answers.unit_days
    days_kept = np.isin(days.unit, rows)
    place = np.full(answers.sample.size, -1)
    place[rows] = np.arange(len(rows))
    return replace(
        answers,
        signups=len(rows) + 7,
        unit_ids=answers.unit_ids[rows],
        retained=answers.retained[rows],
        dates=answers.dates[rows],
        segment=None if answers.segment is None else answers.segment[rows],
        sample=np.arange(len(rows)),
        anchors=answers.anchors[rows],
        rows=(place[unit[kept]], name[kept], number[kept]),
        active_days=answers.active_days[rows],
        unit_days=UnitDays(
            place[days.unit[days_kept]], days.day[days_kept], days.active[days_kept], days.counts[days_kept]
        ),
        attributes=replace(answers.attributes, values=answers.attributes.values[rows]),
    )


def keys_of(document: Any) -> Sequence[str]:
    """Every key path of a JSON document, lists as ``[]``."""
    found: set[str] = set()

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                found.add(f"{path}.{name}")
                walk(inner, f"{path}.{name}")
        elif isinstance(value, list):
            for inner in value:
                walk(inner, f"{path}[]")

    walk(document, "")
    return sorted(found)
