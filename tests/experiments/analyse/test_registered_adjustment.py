"""The registered adjustment: one answer from rows and cells, and verdict, looks and set that rest on it."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.comparison.file_rows import RowData, RowPair
from experiments.analyse.comparison.warehouse_cells import CellData, CellPair
from experiments.analyse.effects import leading
from experiments.analyse.gather.answers import Audit
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Opened
from experiments.plan.analysed import Analysed
from experiments.plan.design import Kind, Outcome, Units
from experiments.plan.record import DAYS_BEFORE, Explained, Predictor
from stats.adjustment import lin
from stats.instrument.anderson_rubin import anderson_rubin
from stats.results import Estimate, computable
from stats.summaries import Joint
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells
from tests.stats.make import computed

METRIC = "window:21-27"
WORTH = Explained(0.1, 0.05, 0.15, 2_000, 700)
MODEL = Predictor(
    METRIC, "signup", "logit", -1.0, {"platform": {"": 0.0, "android": 0.5, "ios": 1.5}}, WORTH, 2_700,
    date(2025, 10, 1), date(2025, 12, 24),
)  # fmt: skip


def drawn(n: int = 600, seed: int = 1, **changes: Any) -> dict[str, Any]:
    """Units whose platform matters for what they do."""
    units = draw_units(n, seed, **changes)
    rng = np.random.default_rng([seed, 1])
    units["value"] = (rng.random(n) < 0.15 + 0.3 * units["level"] + 0.15 * units["reached"]).astype(float)
    return units


def cells(units: dict[str, Any], adjustment: str = "lin", prediction: Any = None, **options: Any) -> CellPair:
    made = make_cells(units, outcomes=(METRIC,), **options)
    return CellData(made, (METRIC,), {}, True, adjustment, prediction).pair(METRIC, 1)


def rows(units: dict[str, Any], *, adjusted: bool = True, columns: Any = None) -> RowPair:
    dummies = np.column_stack([units["level"] == code for code in (1, 2)]).astype(float)
    found = Units(
        labels=("control", "nudge"),
        arm=units["arm"],
        outcomes=(Outcome(METRIC, Kind.PROPORTION, units["value"]),),
        rows=len(units["arm"]),
        behaviour=units["reached"],
        covariates=dummies if columns is None else columns,
    )
    return RowData(found, adjusted).pair(METRIC, 1)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_one_segment__cells_and_rows__say_the_same(seed: int) -> None:
    units = drawn(seed=seed, segment=np.zeros(600, dtype=int))
    ours, theirs = cells(units, segments=("",)), rows(units)

    assert vars(computed(ours.moments())) == pytest.approx(vars(computed(theirs.moments())))
    assert ours.take_up() == pytest.approx(theirs.take_up())
    for name in ("difference", "lift", "unadjusted", "adjusted"):
        one, other = (computed(getattr(pair, name)(alpha=0.05)) for pair in (ours, theirs))
        assert (one.estimate, one.low, one.high) == pytest.approx((other.estimate, other.low, other.high))
        assert one.method == other.method


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.2))
def test_set__leaves_out_zero__exactly_where_the_registered_test_rejects(seed: int, effect: float) -> None:
    units = drawn(seed=seed, effect=effect)
    pair = cells(units)
    test, moments = computed(pair.difference(alpha=0.05)), computed(pair.moments())

    assert moments.itt == pytest.approx(test.estimate)
    assert anderson_rubin(moments).contains(0.0) == (test.p_value >= 0.05)


def test_unadjusted__beside_the_registered_one__is_what_nobody_registered_gives() -> None:
    units = drawn()
    registered, plain = cells(units), cells(units, "unadjusted")

    assert registered.unadjusted(alpha=0.05) == plain.difference(alpha=0.05)
    assert plain.unadjusted(alpha=0.05) is None
    one, other = (computed(pair.difference(alpha=0.05)) for pair in (registered, plain))
    assert one.method == "lin-adjustment"
    assert one.standard_error < other.standard_error


def test_segments__unequal_split__are_adjusted_inside_with_the_weights_of_the_plain_comparison() -> None:
    units = drawn(4_000, 3)
    rng = np.random.default_rng(5)
    units["arm"] = (rng.random(4_000) < np.where(units["segment"] == 1, 0.2, 0.7)).astype(int)
    effects, weights = [], []
    dummies = np.column_stack([units["level"] == code for code in (1, 2)])
    for segment in (0, 1):
        arms = [(units["segment"] == segment) & (units["arm"] == arm) for arm in (0, 1)]
        found = [Joint.from_columns(np.column_stack([units["value"], dummies])[arm]) for arm in arms]
        effects.append(computed(lin(*found)))
        weights.append(found[0].n * found[1].n / (found[0].n + found[1].n))
    shares = np.array(weights) / sum(weights)

    test = computed(cells(units).difference(alpha=0.05))

    assert test.estimate == pytest.approx(sum(s * one.estimate for s, one in zip(shares, effects, strict=True)))
    error = sum((s * one.standard_error) ** 2 for s, one in zip(shares, effects, strict=True)) ** 0.5
    assert test.standard_error == pytest.approx(error)


def test_predicted__adjusts_for_one_number_of_each_cell() -> None:
    units = drawn(2_000, 4, segment=np.zeros(2_000, dtype=int))
    scores = MODEL.score(("platform",), [("",), ("android",), ("ios",)])[units["level"]]

    ours = computed(cells(units, "lin_predicted", MODEL, segments=("",)).difference(alpha=0.05))

    theirs = computed(rows(units, columns=scores[:, None]).difference(alpha=0.05))
    assert (ours.estimate, ours.standard_error) == pytest.approx((theirs.estimate, theirs.standard_error))


def test_days_before__enter_as_a_number() -> None:
    units = drawn(2_000, 5, segment=np.zeros(2_000, dtype=int))
    made = make_cells(units, outcomes=(METRIC,), segments=("",))
    made = type(made)(**{**vars(made), "covariates": (DAYS_BEFORE,), "levels": (("0", "3", "14"),)})
    days = np.array([0.0, 3.0, 14.0])[units["level"]]

    ours = computed(CellData(made, (METRIC,), {}, True, "lin").pair(METRIC, 1).difference(alpha=0.05))

    theirs = computed(rows(units, columns=days[:, None]).difference(alpha=0.05))
    assert (ours.estimate, ours.standard_error) == pytest.approx((theirs.estimate, theirs.standard_error))


def test_clusters__too_few_for_the_covariates__are_compared_without_them() -> None:
    units = drawn(600, 6)
    cluster = np.arange(600) // 60
    arm = cluster % 2
    made = rows({**units, "arm": arm})
    few = type(made)(**{**vars(made), "cluster": cluster})
    plain = type(made)(**{**vars(made), "cluster": cluster, "by_lin": False})

    assert few.difference(alpha=0.05) == plain.difference(alpha=0.05)
    assert few.moments() == plain.moments()
    many = type(made)(**{**vars(made), "cluster": np.arange(600) // 5})
    assert computed(many.difference(alpha=0.05)).method == "lin-adjustment-clustered"


# ── The whole report ──────────────────────────────────────────────────────────
def read(plan: Analysed, units: dict[str, Any]) -> AnalysisResult:
    made = make_answers(units, cells=make_cells(units, outcomes=(METRIC,)))
    return analyse_answers(plan, made, Audit(0, 0, {}), today=date(2026, 4, 1))


@pytest.mark.parametrize(("adjustment", "prediction"), [("lin", None), ("lin_predicted", MODEL)])
def test_report__registered__rests_on_the_adjusted_comparison(adjustment: str, prediction: Any) -> None:
    units = drawn(6_000, 7)
    plan = make_analysed(covariates=("platform",), adjustment=adjustment, prediction=prediction)

    found = read(plan, units)

    assert isinstance(found, Opened)
    row = leading(found.report)
    told = row.encouragement
    assert isinstance(row.difference, Estimate)
    assert row.difference.method == "lin-adjustment"
    assert found.path[-1].estimate == row.difference.estimate
    assert isinstance(row.unadjusted, Estimate)
    assert row.unadjusted.method == "unpooled-z"
    assert told is not None
    assert computable(told.take_up)
    assert computable(told.effect)
    assert told.effect.estimate == pytest.approx(row.difference.estimate / told.take_up.difference)
    assert told.take_up.variant - told.take_up.control == pytest.approx(told.take_up.difference)
    assert READOUT.read(READOUT.store(found)) == found


def test_report__not_registered__is_as_before() -> None:
    units = drawn(6_000, 7)

    found = read(make_analysed(covariates=("platform",)), units)

    assert isinstance(found, Opened)
    row = leading(found.report)
    assert computed(row.difference).method == "unpooled-z"
    assert row.unadjusted is None
    assert row.covariate_adjusted is not None
    assert computed(row.covariate_adjusted).method == "lin-adjustment"
