"""Capped and quantile outcomes: counted on fingers, and a quantile's difference as arrays give it."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.plan.design import Kind
from stats.compare import compare_means
from stats.results import NotComputable, Reason, computable
from tests.experiments.ask import ask
from tests.experiments.log import END, PLAN, START, did, met
from tests.stats.test_quantiles import arm

CAPPED, MEDIAN = "capped:10:sum:buy:price:0-6", "quantile:50%:sum:buy:price:0-6"
PLAIN = replace(PLAN, outcomes=(CAPPED, MEDIAN), behaviour=None)


@pytest.mark.slow
def test_capped__sum_of_a_unit_is_cut__not_its_events() -> None:
    rows = [
        met("a", "control", 0),
        did("a", "buy", 1, price=7),
        did("a", "buy", 2, price=6),  # 13 in all
        met("b", "control", 0),
        did("b", "buy", 1, price=4),
        met("c", "nudge", 0),
    ]

    found = ask(rows, PLAIN, END).cells.blocks[CAPPED]

    assert found.means.ravel().tolist() == [7.0, 0.0]  # (10 + 4) / 2
    assert found.covariance.ravel().tolist() == [18.0, 0.0]


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", [None, "add"])
def test_quantile__from_counts__equals_the_one_from_all_units(behaviour: str | None) -> None:
    rng = np.random.default_rng(3)
    prices = {name: np.round(np.exp(3 + shift + 0.7 * rng.normal(size=400)), 2) for name, shift in
              (("control", 0.0), ("nudge", 0.2))}  # fmt: skip
    rows = [
        row
        for name, values in prices.items()
        for n, price in enumerate(values)
        for row in (
            met(f"{name}{n}", name, 0, segment="new" if n % 3 else "old"),
            did(f"{name}{n}", "buy", 1, price=float(price)),
        )
    ]
    rows += [did("control0", "add", 1), met("young", "nudge", 24 * 19), did("young", "buy", 24 * 19 + 1, price=1e6)]

    cells = ask(rows, replace(PLAIN, behaviour=behaviour), END).cells
    pair = CellData(cells, (MEDIAN,), {}).pair(MEDIAN, 1)

    expected = [arm(values, 0.5) for values in prices.values()]
    assert pair.kind is Kind.QUANTILE
    assert not pair.has_behaviour
    assert pair.by_segment() is None
    for found, by_hand in zip((pair.control, pair.variant), expected, strict=True):
        assert found.n == 400
        assert found.mean == pytest.approx(by_hand.mean)
        assert found.variance == pytest.approx(by_hand.variance)
    difference, plain = pair.difference(alpha=0.05), compare_means(*expected)
    assert computable(difference)
    assert computable(plain)
    assert difference.estimate == pytest.approx(plain.estimate, rel=0.02)  # weighted by segment
    assert difference.standard_error == pytest.approx(plain.standard_error, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("tied", "known"), [(4, True), (5, False)])
def test_quantile__units_on_it_in_one_arm__at_most_one_error_of_the_share(tied: int, known: bool) -> None:
    """64 units an arm: sqrt(64 / 4) is 4."""
    prices = {"control": np.arange(64.0), "nudge": np.arange(64.0)}
    prices["nudge"][31 : 31 + tied] = 31  # the 32nd of 64 is the median
    rows = [
        row
        for name, values in prices.items()
        for n, price in enumerate(values)
        for row in (met(f"{name}{n}", name, 0), did(f"{name}{n}", "buy", 1, price=float(price)))
    ]

    pair = CellData(ask(rows, PLAIN, END).cells, (MEDIAN,), {}).pair(MEDIAN, 1)

    found = pair.difference(alpha=0.05)
    assert computable(found) is known
    assert known or found == NotComputable(Reason.NO_DENSITY)


@pytest.mark.slow
def test_quantile__one_arm_without_density__has_no_difference() -> None:
    rows = [
        row
        for name, price in (("control", 5.0), ("nudge", 0.0))
        for n in range(60)
        for row in (met(f"{name}{n}", name, 0), did(f"{name}{n}", "buy", 1, price=price + (n if price else 0)))
    ]

    cells = ask(rows, PLAIN, START + timedelta(days=20)).cells

    assert isinstance(CellData(cells, (MEDIAN,), {}).pair(MEDIAN, 1).difference(alpha=0.05), NotComputable)
