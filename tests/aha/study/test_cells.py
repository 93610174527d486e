"""Cells against scikit-learn, a slow pandas grid, published intervals, identities (docs/methods/discovery.md)."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score, matthews_corrcoef

from aha.study.cells import Cells, describe, jaccard, odds_ratio, phi, phi_limits, risk_ratio
from aha.study.grid import CountTable, count_cells, levels, thresholds
from aha.study.numbers import Interval
from stats.results import NotComputable, Reason
from tests.aha.make import table_of

TIMES = (1, 2, 3, 5)


@st.composite
def tables(draw: st.DrawFn) -> CountTable:
    rows = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.booleans()), min_size=1, max_size=40))
    counts = [(min(one, two), max(one, two)) for one, two, _ in rows]
    return table_of(counts, [int(kept) for *_, kept in rows], days=(1, 3))


@pytest.mark.slow
@given(tables())
@settings(max_examples=25, deadline=None)
def test_cells__any_table__equal_a_slow_pandas_grid_and_scikit_learn(table: CountTable) -> None:
    cells = count_cells(levels(table, [TIMES]), table.retained)

    records = describe(cells, table.behaviours, rng=np.random.default_rng(1))

    assert [(record.days, record.times) for record in records] == [(y, z) for y in (1, 3) for z in TIMES]
    for record in records:
        did = pd.Series(table.counts[:, 0, table.days.index(record.days)] >= record.times)
        stayed = pd.Series(table.retained)
        assert (record.a, record.b, record.c, record.o) == (
            (~did & stayed).sum(),
            (did & stayed).sum(),
            (did & ~stayed).sum(),
            (~did & ~stayed).sum(),
        )
        if isinstance(record.phi, Interval):
            assert record.phi.estimate == pytest.approx(matthews_corrcoef(stayed, did), abs=1e-12)
        else:
            assert did.nunique() == 1 or stayed.nunique() == 1
        if isinstance(record.j, Interval):
            assert record.j.estimate == pytest.approx(jaccard_score(stayed, did), abs=1e-12)


counts = st.integers(1, 500)


@given(counts, counts, counts, counts)
def test_metrics__any_counts__obey_the_identities(a: int, b: int, c: int, o: int) -> None:
    n = a + b + c + o
    cell = [np.array([part]) for part in (a, b, c, o)]
    ppv, recall, j = b / (b + c), b / (a + b), jaccard(*cell[:3])[0]

    assert 1 / j == pytest.approx(1 / ppv + 1 / recall - 1)
    assert j <= min(ppv, recall)
    table = np.array([[b, c], [a, o]], dtype=float)
    expected = table.sum(1, keepdims=True) * table.sum(0) / n
    assert n * phi(*cell)[0] ** 2 == pytest.approx(((table - expected) ** 2 / expected).sum())


def test_ratio__seven_of_34_against_one__equals_the_published_one() -> None:
    # Fagerland, Lydersen and Laake 2015 (docs/methods/known_answers.md): doers 7/34, others 1/34.
    ratio = risk_ratio(*(np.array([part]) for part in (1, 7, 27, 33)))

    assert [round(float(part[0]), 2) for part in ratio] == [7.0, 0.91, 53.87]


def test_odds_ratio__an_empty_count__adds_a_half_everywhere() -> None:
    value, low, high = odds_ratio(*(np.array([part]) for part in (0, 5, 3, 8)))

    assert value[0] == pytest.approx(5.5 * 8.5 / (0.5 * 3.5))
    assert low[0] < value[0] < high[0]


def test_phi_limits__large_sample__agree_with_the_bootstrap_of_users() -> None:
    rng = np.random.default_rng(3)
    did, stayed = rng.random((2, 400)) < np.array([[0.4], [0.5]])
    cell = [int((d & s).sum()) for d, s in ((~did, stayed), (did, stayed), (did, ~stayed), (~did, ~stayed))]
    drawn = rng.integers(0, 400, size=(600, 400))
    slow = np.quantile([np.corrcoef(stayed[row], did[row])[0, 1] for row in drawn], [0.025, 0.975])

    low, high = phi_limits(*(np.array([part]) for part in cell), rng=rng)

    np.testing.assert_allclose([low[0], high[0]], slow, atol=0.02)


@pytest.mark.parametrize("zero", ["nobody did it", "everybody did it", "nobody stayed", "everybody stayed"])
def test_describe__a_margin_of_zero__gives_reasons_and_no_number_that_is_none(zero: str) -> None:
    did, stayed = {
        "nobody did it": ([0, 0, 0], [1, 0, 1]),
        "everybody did it": ([1, 1, 1], [1, 0, 1]),
        "nobody stayed": ([1, 0, 1], [0, 0, 0]),
        "everybody stayed": ([1, 0, 1], [1, 1, 1]),
    }[zero]
    table = table_of([[count] for count in did], stayed)

    cells = count_cells(levels(table, [(1,)]), table.retained)
    record = describe(cells, table.behaviours, rng=np.random.default_rng(1))[0]

    assert record.phi == NotComputable(Reason.NO_DATA)
    numbers: list[Any] = [value for value in vars(record).values() if isinstance(value, Interval)]
    assert all(np.isfinite([value.estimate, value.low, value.high]).all() for value in numbers)


def test_beats_everybody__j_at_the_base__does_not() -> None:
    # Everybody retained or not did it: B/(A+B+C) = (A+B)/n exactly when A = O = 0.
    cells = Cells(*((part,) for part in (0, 1, 1, 0, 30, 70, 0)))
    better = Cells(*((part,) for part in (0, 1, 1, 0, 30, 69, 1)))

    rng = np.random.default_rng(1)

    assert not describe(cells, ("x",), rng=rng)[0].beats_everybody
    assert describe(better, ("x",), rng=rng)[0].beats_everybody


def test_thresholds__tenth_of_doers_above_ten__takes_deciles() -> None:
    rare = table_of([[count] for count in [0] * 5 + [1] * 8 + [10] * 2], [0] * 15)
    often = table_of([[count] for count in [0] * 5 + list(range(1, 101))], [0] * 105)

    assert thresholds(rare) == (tuple(range(1, 11)),)
    assert thresholds(often) == ((1, 11, 21, 31, 41, 50, 60, 70, 80, 90),)
    assert thresholds(often, 3) == ((1, 2, 3),)


def test_representative__identical_doers__count_once() -> None:
    table = table_of([[0], [2], [2], [5]], [0, 1, 0, 1])

    grid = levels(table, [(1, 2, 3, 4, 5, 6)])

    assert grid.representative.tolist() == [0, 0, 2, 2, 2, 5]


def test_phi_limits__no_cell__are_empty() -> None:
    none = np.zeros(0, dtype=np.int64)

    low, high = phi_limits(none, none, none, none, rng=np.random.default_rng(1))

    assert low.shape == high.shape == (0,)
