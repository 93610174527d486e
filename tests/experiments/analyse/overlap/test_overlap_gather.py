"""Who met two experiments, by hand, and what they did by arms of both."""

import json
from typing import Any

import pytest

from events.windows import Clock
from experiments.analyse.across.overlaps import Cells, Side, met_of
from experiments.analyse.gather.admission import AdmissionRule
from experiments.plan.derived import Question
from stats.results import NotComputable, Reason
from stats.summaries import Mean
from tests.experiments.ask import opened, rows_of
from tests.experiments.log import END, at, did

type Row = tuple[Any, ...]
ARMS = ("control", "nudge")


def met(user: str, experiment: str, arm: str, hours: float) -> Row:
    return (user, "Experiment Viewed", at(hours), json.dumps({"experiment_id": experiment, "variation_id": arm}))


def side(key: str, outcome: str = "window:2-3", **more: Any) -> Side:
    return Side(Question(key, ARMS, (outcome,), None, **more), None)


def asked(rows: list[Row], *sides: Side, until: Any = END) -> tuple[Any, Any, Cells | NotComputable]:
    with opened(rows_of(rows), END, Clock()) as questions, met_of(questions, sides) as found:
        return found.shared("a", "b"), found.exposed("a"), found.cells("a", "b", until)


ROWS = [
    met("u1", "a", "control", 1), met("u1", "b", "control", 2),
    met("u2", "a", "control", 1), met("u2", "b", "nudge", 2), did("u2", "play", 50),
    met("u3", "a", "nudge", 1), met("u3", "b", "nudge", 2),
    met("u4", "a", "nudge", 1), met("u4", "b", "nudge", 2), did("u4", "play", 50),
    met("u5", "a", "nudge", 1),  # not in b
    met("u6", "b", "nudge", 1),  # not in a
    met("u7", "a", "nudge", 1), met("u7", "a", "control", 2), met("u7", "b", "nudge", 2),  # first the nudge
    met("u8", "a", "1", 1), met("u8", "b", "0", 2),  # arms by their place
]  # fmt: skip


@pytest.mark.slow
def test_shared__by_arms__are_those_who_met_both_each_in_the_arm_met_first() -> None:
    shared, exposed, cells = asked(ROWS, side("a"), side("b"))

    assert shared == ((1, 1), (1, 3))
    assert exposed == (2, 5)
    assert not isinstance(cells, NotComputable)
    assert cells[0] == [Mean(1, 0.0, 0.0), Mean(1, 1.0, 0.0)]
    assert cells[1][0] == Mean(1, 0.0, 0.0)
    assert cells[1][1].n == 3
    assert cells[1][1].mean == pytest.approx(1 / 3)


@pytest.mark.slow
def test_cells__count_days_from_the_firsts_exposure() -> None:
    # u1 meets b first; 50 hours after that, and 26 after a: day 1 of a.
    rows = [met("u1", "b", "control", 0), met("u1", "a", "control", 24), did("u1", "play", 50)]

    with opened(rows_of(rows), END, Clock()) as questions, met_of(questions, [side("a"), side("b")]) as found:
        assert found.cells("a", "b", END)[0][0] == Mean(1, 0.0, 0.0)  # type: ignore[index]
        assert found.cells("b", "a", END)[0][0] == Mean(1, 1.0, 0.0)  # type: ignore[index]


@pytest.mark.slow
def test_until__later_exposures_and_immature_outcomes_are_left_out() -> None:
    rows = [
        met("u1", "a", "control", 1),
        met("u1", "b", "control", 2),
        met("u2", "a", "nudge", 1),
        met("u2", "b", "nudge", 200),
    ]

    _shared, _exposed, cells = asked(rows, side("a"), side("b"), until=END.replace(day=7))

    assert cells == [[Mean(1, 0.0, 0.0), Mean(0, 0.0, 0.0)], [Mean(0, 0.0, 0.0), Mean(0, 0.0, 0.0)]]


@pytest.mark.slow
def test_nobody_by_then__has_no_data() -> None:
    assert asked(ROWS, side("a"), side("b"), until=at(0.5).replace(tzinfo=END.tzinfo))[2] == NotComputable(
        Reason.NO_DATA
    )


@pytest.mark.slow
def test_ratio__is_linearised_in_each_cell() -> None:
    rows = [
        row
        for number, (bought, days) in enumerate([(4, 1), (0, 3)])
        for row in [
            met(f"u{number}", "a", "control", 1),
            met(f"u{number}", "b", "control", 1),
            *(did(f"u{number}", "buy", 2 + 0.01 * turn) for turn in range(bought)),
            *(did(f"u{number}", "visit", 2 + 24 * day) for day in range(days)),
        ]
    ]

    _shared, _exposed, cells = asked(rows, side("a", "count:buy:0-3 / active_days:0-3"), side("b"))

    assert not isinstance(cells, NotComputable)
    # sums 4 over 4: ratio 1; linearised (M - r K)/K0: (4 - 1)/2 and (0 - 3)/2, variance 2 * 1.5^2 = 4.5
    assert cells[0][0].mean == pytest.approx(1.0)
    assert cells[0][0].variance == pytest.approx(4.5)


def test_exposure_of_a_stranger__is_not_admitted() -> None:
    rows = [met("u1", "a", "control", 1), met("u1", "b", "control", 2)]
    with_ids = [(*row, None) for row in rows]
    none = AdmissionRule(frozenset(), lambda *_: pytest.fail("nobody speaks for this experiment"))
    log = rows_of(with_ids).append_column("message_id", [["assignment:1", "7:c:2"]])

    with opened(log, END, Clock()) as questions, met_of(questions, [side("a"), Side(side("b").asked, none)]) as found:
        assert found.shared("a", "b") == ((0, 0), (0, 0))
        assert found.exposed("a") == (1, 0)
