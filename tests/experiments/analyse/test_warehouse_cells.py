"""Cells of a warehouse against the same units as rows: the same comparisons, to the last digits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analyse.comparison.file_rows import RowData, RowPair
from experiments.analyse.comparison.warehouse_cells import CellData, CellPair
from experiments.plan.design import Kind, Outcome, Units
from stats.results import Estimate, computable
from tests.experiments.make_answers import draw_units, make_cells

METRIC = "window:21-27"


def _cell_pair(units: dict[str, Any], **options: Any) -> CellPair:
    cells = make_cells(units, outcomes=(METRIC,), **options)
    return CellData(cells, (METRIC,), {}).pair(METRIC, 1)


def _row_pair(units: dict[str, Any], *, behaviour: bool = True, covariates: bool = False) -> RowPair:
    dummies = np.column_stack([units["level"] == code for code in (1, 2)]).astype(float)
    rows = Units(
        labels=("control", "nudge"),
        arm=units["arm"],
        outcomes=(Outcome(METRIC, Kind.PROPORTION, units["value"]),),
        rows=len(units["arm"]),
        behaviour=units["reached"] if behaviour else None,
        covariates=dummies if covariates else None,
    )
    return RowData(rows).pair(METRIC, 1)


def _same(found: Any, expected: Any) -> None:
    assert computable(found)
    assert computable(expected)
    assert isinstance(found, Estimate)
    assert found.estimate == pytest.approx(expected.estimate, abs=1e-12)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-9)
    assert found.p_value == pytest.approx(expected.p_value, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_one_segment__is_the_row_analysis(seed: int) -> None:
    units = draw_units(400, seed, segment=np.zeros(400, dtype=int))
    cells, rows = _cell_pair(units, segments=("",)), _row_pair(units)

    _same(cells.difference(alpha=0.05), rows.difference(alpha=0.05))
    ours, theirs = cells.moments(), rows.moments()
    assert computable(ours)
    assert computable(theirs)
    assert (ours.itt, ours.v_r, ours.v_d, ours.c_rd) == pytest.approx((theirs.itt, theirs.v_r, theirs.v_d, theirs.c_rd))
    inequalities, expected = cells.inequalities(), rows.inequalities()
    assert computable(inequalities)
    assert computable(expected)
    assert sorted(inequalities.p_values) == pytest.approx(sorted(expected.p_values))


def test_plain_test_without_behaviour__is_the_score_test_of_rows() -> None:
    units = draw_units(segment=np.zeros(2_000, dtype=int))

    found = _cell_pair(units, segments=("",), behaviour=False).difference(alpha=0.05)

    _same(found, _row_pair(units, behaviour=False).difference(alpha=0.05))


def test_two_stage__with_covariates__is_linearmodels_on_rows() -> None:
    from linearmodels.iv import IV2SLS

    units = draw_units()
    exogenous = np.column_stack([np.ones(2_000), units["level"] == 1, units["level"] == 2, units["segment"]]).astype(
        float
    )
    expected = IV2SLS(units["value"], exogenous, units["reached"], units["arm"]).fit(cov_type="robust")

    found = _cell_pair(units).two_stage(alpha=0.05)

    assert found is not None
    assert computable(found)
    assert found.estimate == pytest.approx(float(expected.params.iloc[-1]), abs=1e-9)
    assert found.standard_error == pytest.approx(float(expected.std_errors.iloc[-1]), rel=1e-6)


def test_segments_with_other_weights__are_compared_inside_them() -> None:
    # Simpson: the segment that stays more often is nudged less; without strata the nudge would look harmful.
    rng = np.random.default_rng(4)
    n = 20_000
    segment = rng.integers(0, 2, n)
    arm = (rng.random(n) < np.where(segment == 1, 0.1, 0.9)).astype(int)
    kept = (rng.random(n) < 0.2 + 0.5 * segment + 0.05 * arm).astype(float)
    units = draw_units(n, arm=arm, segment=segment, value=kept)

    pair = _cell_pair(units, behaviour=False)
    found = pair.difference(alpha=0.05)

    assert computable(found)
    assert pair.variant.mean - pair.control.mean < -0.2
    assert found.low < 0.05 < found.high
    assert found.estimate > 0.02


def test_small_segments__lose_nobody() -> None:
    units = draw_units(2_000)
    units["segment"] = np.where(np.arange(2_000) < 30, 1, 0)

    pair = _cell_pair(units)

    assert sum(control.n + variant.n for _label, control, variant in pair.strata) == 2_000
    assert len(pair.strata) == 2  # the small one stands as "other": two units an arm are enough for a variance


def test_ratio__linearised_as_the_delta_method_does() -> None:
    from experiments.analyse.gather.answers import Block, Cells
    from stats.compare import by_z
    from stats.summaries import Joint

    rng = np.random.default_rng(2)
    arms = []
    for shift in (0.0, 0.4):
        below = rng.poisson(5, 500) + 1.0
        arms.append(np.column_stack([below * (2 + shift) + rng.normal(0, 1, 500), below]))
    joints = [Joint.from_columns(arm) for arm in arms]
    block = Block(
        ("value", "denominator"),
        np.array([500, 500]),
        np.array([joint.means for joint in joints]),
        np.array([joint.covariance for joint in joints]),
    )
    zeros = np.zeros(2, dtype=np.int64)
    metric = "sum:buy:amount:0-6 / active_days:0-6"
    cells = Cells(
        ("control", "nudge"),
        ("",),
        (),
        (),
        (),
        np.array([0, 1]),
        zeros,
        zeros,
        np.empty((2, 0), dtype=np.int64),
        np.array([500, 500]),
        {metric: block},
    )

    found = CellData(cells, (metric,), {}).pair(metric, 1).difference(alpha=0.05)

    ratios = [arm[:, 0].sum() / arm[:, 1].sum() for arm in arms]
    # The linearised values (M - rK)/mean(K) have the ratio's influence as their own mean's error.
    errors = [
        np.var((m - r * k) / k.mean(), ddof=1) / 500 for (m, k), r in zip((arm.T for arm in arms), ratios, strict=True)
    ]
    _same(found, by_z(ratios[1] - ratios[0], sum(errors) ** 0.5, 0.05, "unpooled-z"))


def test_level__of_each_arm__counts_mature_units_alone() -> None:
    units = draw_units(mature=np.arange(2_000) < 1_500)
    data = CellData(make_cells(units), (METRIC,), {})

    control, nudge = (data.level(METRIC, code, alpha=0.05) for code in (0, 1))

    assert control.n + nudge.n == 1_500
    inside = (units["arm"] == 1) & units["mature"]
    assert nudge.mean == pytest.approx(units["value"][inside].mean())
