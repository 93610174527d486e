"""Units for whom an SQL metric has a row: told of all while the outcome is locked, by group and tested afterwards."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.audit_04 import rows_by_arm
from experiments.analyse.gather.answers import Answers
from experiments.analyse.health.values import check_rows
from experiments.analyse.outcome_lock import units_by_arm
from stats.compare import compare_proportions
from stats.results import computable
from stats.summaries import Mean
from tests.experiments.analyse.health.make_context import codes, halves, only, stored
from tests.experiments.ask import ask
from tests.experiments.log import END, PLAN, did, met
from tests.experiments.make_answers import make_analysed, make_answers, make_cells
from tests.marks import first_in_ci
from tests.rates import at_least, at_most

CALLS = rows_by_arm.METRIC


def with_rows(control: int, nudge: int, n: int = 1_000) -> Answers:
    """So many of n units an arm have a row; one segment."""
    arm = np.repeat([0, 1], n)
    units = {"arm": arm, **dict.fromkeys(("segment", "level", "week"), np.zeros_like(arm))}
    units |= {"value": arm.astype(float), "mature": np.ones(2 * n, dtype=bool)}
    cells = make_cells(units, outcomes=(CALLS,), behaviour=False)
    block = replace(cells.blocks[CALLS], rows=np.array([control, nudge]))
    return make_answers({**units, "times": arm, "reached": arm}, cells=replace(cells, blocks={CALLS: block}))


@pytest.mark.parametrize("nudge", [441, 442, 443, 444, 445, 446])
def test_rows__warn_where_the_test_of_shares_would_call_it_an_effect(nudge: int) -> None:
    plain = compare_proportions(Mean.from_counts(400, 1_000), Mean.from_counts(nudge, 1_000))
    assert computable(plain)

    found = only(check_rows, stored(with_rows(400, nudge), make_analysed(primary=(CALLS,))))

    differ = abs(plain.estimate) / plain.standard_error > 1.959964
    assert found.check == ("rows_differ" if differ else "rows_by_group")
    assert found.details["shares"] == f"control 40.0%, nudge {nudge / 10:.1f}%"


@pytest.mark.parametrize(("alpha", "check"), [(0.05, "rows_differ"), (0.01, "rows_by_group")])
def test_rows__threshold_is_the_plans_alpha(alpha: float, check: str) -> None:
    assert codes(check_rows, stored(with_rows(400, 450), make_analysed(primary=(CALLS,), alpha=alpha))) == [check]


def test_rows__outcome_locked__groups_arent_told_apart() -> None:
    plan = make_analysed(primary=(CALLS,), enrolment_ended=None)

    found = only(check_rows, stored(with_rows(100, 900), plan, final=False))

    assert (found.check, dict(found.details)) == ("rows", {"outcome": CALLS, "share": 0.5})


def test_rows__other_metrics__are_not_asked() -> None:
    assert codes(check_rows, stored(halves(1_000, 1_000))) == []


@pytest.mark.slow
@pytest.mark.parametrize("metric", [CALLS, CALLS.replace("sql:", "capped:50:sql:", 1)])
def test_rows__counted_on_fingers(metric: str) -> None:
    """A NULL is no row; who is too young counts nowhere."""
    rows = [
        met("a", "control", 0),
        did("a", "call", 1, ms=100),
        met("b", "control", 0),
        did("b", "open", 1),  # a row whose value is NULL
        met("c", "nudge", 0),  # none
        met("d", "nudge", 0),
        did("d", "call", 1, ms=20),
        did("d", "call", 2, ms=40),
        met("e", "nudge", 0),
        did("e", "call", 24 * 9, ms=40),  # after the window
        met("young", "nudge", 24 * 19),
        did("young", "call", 24 * 19 + 1, ms=1),
    ]

    cells = ask(rows, replace(PLAN, outcomes=(metric, "window:2-3"), behaviour=None), END).cells

    block, other = cells.blocks[metric], cells.blocks["window:2-3"]
    assert block.rows is not None
    assert list(units_by_arm(cells, block.rows).values()) == [1, 1]
    assert list(units_by_arm(cells, block.n).values()) == [2, 3]
    assert other.rows is None


@pytest.mark.parametrize("runs", first_in_ci([150, 1_000]))
def test_rows__simulated__warn_of_the_shift_and_rarely_else(runs: int) -> None:
    rng = np.random.default_rng(20261218)

    moved = rows_by_arm.count(rng, rows_by_arm.MOVED, runs)
    alike = [rows_by_arm.count(rng, world, runs)["rows_differ"] for world in rows_by_arm.ALIKE]

    assert at_least(moved["rows_differ"], runs, 0.85)
    assert all(at_most(warned, runs, 0.05) for warned in alike)
