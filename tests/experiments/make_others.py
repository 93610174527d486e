"""A nudge that moves other behaviours, too: its units as a file and as a stored experiment."""

from dataclasses import replace
from typing import Any

import numpy as np

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.effects import Encouragement, Report
from experiments.analyse.engine import analyze
from experiments.analyse.result import Opened
from experiments.plan.design import Design, Kind, Other, Outcome, Units
from experiments.plan.record import PlannedOther
from stats.instrument.other_behaviours import UnderOthers
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells
from tests.experiments.make_readout import CLEAN, TODAY, opened

METRIC = "window:21-27"
PLANNED = (PlannedOther("chat", 1, 0.0, 0.1, "promise"), PlannedOther("idle", 2, -0.1, 0.1, "person", "why"))
CHAT = Other("chat", 0.0, 0.1)
DESIGN = Design(variant="arm", control="control", outcomes=(METRIC,), behaviour="did", others=(CHAT,))


def world(
    n: int = 4_000, seed: int = 1, *, moved: float = 0.2, spill: float = 0.06, effect: float = 0.3, chat: float = 0.0
) -> dict[str, Any]:
    """A nudge moves the behaviour and `chat`, which keeps `chat` of those who do it; `idle` is moved by nothing."""
    units = draw_units(n, seed, moved=moved, effect=effect)
    rng = np.random.default_rng([seed, 7])
    chats = (rng.random(n) < 0.3 + spill * units["arm"]).astype(float)
    gained = (rng.random(n) < chat * chats).astype(float)
    idle = (rng.random(n) < 0.4).astype(float)
    value = np.maximum(units["value"], gained)
    return {**units, "value": value, "others": {"chat": chats, "idle": idle}}


def file_of(units: dict[str, Any], **changes: Any) -> Units:
    made = Units(
        labels=("control", "nudge"),
        arm=units["arm"].astype(np.int64),
        outcomes=(Outcome(METRIC, Kind.PROPORTION, units["value"]),),
        rows=len(units["arm"]),
        behaviour=units["reached"],
        other_names=tuple(units["others"]),
        others=np.column_stack(list(units["others"].values())),
    )
    return replace(made, **changes)


def one_segment(units: dict[str, Any]) -> dict[str, Any]:
    return {**units, "segment": np.zeros(len(units["arm"]), dtype=int)}


def judged(units: dict[str, Any], design: Design = DESIGN, **changes: Any) -> tuple[Report, Encouragement]:
    """The report of a file with the design's other behaviours, in their order."""
    listed = {other.name: units["others"][other.name] for other in design.others}
    report = analyze("file", design, file_of({**units, "others": listed}, **changes))
    row = report.outcomes[0].comparisons[0].encouragement
    assert row is not None
    return report, row


def stored(units: dict[str, Any], others: tuple[PlannedOther, ...], **plan: Any) -> Opened:
    planned = make_analysed(planned_units=len(units["arm"]), others=others, **plan)
    cells = make_cells(one_segment(units), segments=("",))
    return opened(analyse_answers(planned, make_answers(units, cells=cells), CLEAN, today=TODAY))


def first(found: Opened) -> Encouragement:
    """The behaviour's part of the first comparison."""
    row = found.report.outcomes[0].comparisons[0].encouragement
    assert row is not None
    return row


def ends(row: Encouragement) -> tuple[float, float]:
    """Both ends of the set under other behaviours."""
    under = row.under_others
    assert isinstance(under, UnderOthers)
    assert under.effect_set.low is not None
    assert under.effect_set.high is not None
    return under.effect_set.low, under.effect_set.high
