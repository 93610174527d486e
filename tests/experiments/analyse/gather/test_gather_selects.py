"""Funnels and SQL metrics as outcomes of an experiment: counted on fingers, compared like shares and means."""

from dataclasses import replace

import pytest

from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.plan.design import Kind, kind_of
from runs.refusals import Refused
from stats.results import computable
from tests.experiments.ask import ask
from tests.experiments.log import END, PLAN, did, met

FUNNEL = "funnel:open:buy:0-6"
SQL = "sql:0-6:SELECT user_id, sum(number('price')) AS value FROM events WHERE event = 'buy' GROUP BY user_id"
CAPPED, MEDIAN = f"capped:6:{SQL}", f"quantile:50%:{SQL}"
ASKED = replace(PLAN, outcomes=(FUNNEL, SQL, CAPPED, MEDIAN, "count:buy:0-6"), behaviour=None)
ROWS = [
    met("a", "control", 0),
    did("a", "open", 1),
    did("a", "buy", 2, price=5),
    met("b", "control", 0),
    did("b", "buy", 1, price=7),
    did("b", "open", 2),
    met("c", "nudge", 0),
    did("c", "open", 1),
    did("c", "open", 3),
    did("c", "buy", 3, price=1),
    did("c", "buy", 24 * 7, price=90),  # day 7
    did("d", "buy", -1, price=50),  # before the exposure
    met("d", "nudge", 0),
    met("young", "nudge", 24 * 19),
]


@pytest.mark.slow
def test_outcomes__hand_written_log__are_what_fingers_count() -> None:
    cells = ask(ROWS, ASKED, END).cells
    found = {name: cells.blocks[name].means[:2, 0].tolist() for name in ASKED.outcomes}

    assert found[FUNNEL] == [0.5, 0.5]
    assert found[SQL] == [6.0, 0.5]  # (5 + 7) / 2, (1 + 0) / 2
    assert found[CAPPED] == [5.5, 0.5]
    assert cells.blocks[SQL].n.tolist() == [2, 2, 0]  # the young one came in another week
    assert found["count:buy:0-6"] == [1.0, 0.5]


@pytest.mark.slow
def test_behaviour__beside_a_funnel_and_an_sql_metric__is_counted_too() -> None:
    asked = replace(
        PLAN, outcomes=("funnel:open:buy:2-6", SQL.replace("0-6", "2-6")), behaviour="open", times=2, days=2
    )

    blocks = ask(ROWS, asked, END).cells.blocks

    assert blocks[asked.outcomes[0]].names == ("value", "reached", "times")
    assert blocks[asked.outcomes[0]].means[:2, 1].tolist() == [0.0, 0.5]  # only c opened twice


def test_kinds__of_the_new_outcomes() -> None:
    assert [kind_of(text) for text in ASKED.outcomes[:4]] == [Kind.PROPORTION, Kind.MEAN, Kind.MEAN, Kind.QUANTILE]


@pytest.mark.slow
def test_difference__of_a_funnel_and_of_an_sql_metric__has_an_interval() -> None:
    rows = [
        row
        for arm, every in (("control", 3), ("nudge", 2))
        for n in range(120)
        for row in (
            met(f"{arm}{n}", arm, 0),
            did(f"{arm}{n}", "open", 1),
            did(f"{arm}{n}", "buy", 2 if n % every == 0 else 0.5, price=n % 7),
        )
    ]
    data = CellData(ask(rows, ASKED, END).cells, (FUNNEL, SQL), {})

    for outcome in (FUNNEL, SQL):
        found = data.pair(outcome, 1).difference(alpha=0.05)
        assert computable(found)
        assert found.low < found.estimate < found.high
    assert computable(found := data.pair(FUNNEL, 1).difference(alpha=0.05))
    assert found.estimate == pytest.approx(1 / 2 - 1 / 3)


@pytest.mark.parametrize("outcome", ["funnel:open:sell:0-6", SQL.replace("'buy'", "'sell'")])
def test_event__that_the_log_hasnt__is_named(outcome: str) -> None:
    with pytest.raises(Refused, match="no event 'sell'"):
        ask(ROWS, replace(ASKED, outcomes=(outcome,)), END)
