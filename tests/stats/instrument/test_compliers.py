"""Complier shares, levels and traits, and the bounds for everybody, against users whose type is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.cells import joint_of_counts
from stats.instrument.bounds import Bounds, balke_pearl, bounds_of_shares
from stats.instrument.compliers import complier_levels, complier_shares, complier_trait
from stats.instrument.encouragement import iv_moments, wald
from stats.results import NotComputable, Reason
from stats.summaries import Joint
from tests.stats.make import computed

TABLES = st.lists(st.integers(1, 400), min_size=4, max_size=4).map(lambda c: np.array(c).reshape(2, 2))
# Shares of (type, R0, R1) with type 0 always-taker, 1 complier, 2 never-taker.
WORLDS = st.lists(st.integers(0, 40), min_size=12, max_size=12).map(lambda w: np.array(w, dtype=float).reshape(3, 2, 2))


def shares_of(world: np.ndarray) -> np.ndarray:
    """p[g][r][d] of a world of always-takers, compliers and never-takers, exactly."""
    p = np.zeros((2, 2, 2))
    for kind, (without, nudged) in enumerate(((1, 1), (0, 1), (0, 0))):
        for g, did in enumerate((without, nudged)):
            for r0 in (0, 1):
                for r1 in (0, 1):
                    p[g, r1 if did else r0, did] += world[kind, r0, r1]
    return np.asarray(p / world.sum())


def units(seed: int, n: int = 4000) -> tuple[np.ndarray, ...]:
    """X, G, D, R, complier, R0, R1 of simulated users: X raises the chance to be a complier."""
    rng = np.random.default_rng(seed)
    x, g, u = rng.random(n) < 0.3, rng.random(n) < 0.5, rng.random(n)
    always, never = u < 0.2, u > np.where(x, 0.8, 0.5)
    complier = ~always & ~never
    d = always | (complier & g)
    r0 = rng.random(n) < 0.3 + 0.2 * complier
    r1 = r0 | (rng.random(n) < 0.25)
    return x, g, d, np.where(d, r1, r0), complier, r0, r1


def arms(g: np.ndarray, *columns: np.ndarray) -> tuple[Joint, Joint]:
    matrix = np.column_stack(columns).astype(float)
    return Joint.from_columns(matrix[~g]), Joint.from_columns(matrix[g])


def test_shares__sesame__are_the_published_ones(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "iv" / "sesame.csv")
    pair = arms(frame.encouraged.to_numpy() == 1, frame.postlet.to_numpy(), frame.watched.to_numpy())
    found = computed(complier_shares(*pair))
    kinds = (found.compliers, found.always_takers, found.never_takers)
    assert [kind.estimate for kind in kinds] == pytest.approx([0.3624, 0.5455, 0.0921], abs=5e-5)
    levels = computed(complier_levels(*pair))
    assert levels.nudged.value - levels.control.value == pytest.approx(7.9340, abs=5e-5)
    assert levels.nudged.error == NotComputable(Reason.NOT_A_PROPORTION)
    assert not levels.impossible


@settings(max_examples=80, deadline=None)
@given(TABLES, TABLES)
def test_levels__any_counts__differ_by_the_wald_ratio(control: np.ndarray, variant: np.ndarray) -> None:
    pair = joint_of_counts(control), joint_of_counts(variant)
    ratio, levels = wald(computed(iv_moments(*pair))), complier_levels(*pair)
    if isinstance(levels, NotComputable):
        assert levels == NotComputable(Reason.NO_FIRST_STAGE)
        return
    shares = computed(complier_shares(*pair))
    assert shares.compliers.estimate + shares.always_takers.estimate + shares.never_takers.estimate == pytest.approx(1)
    if not isinstance(ratio, NotComputable):
        assert levels.nudged.value - levels.control.value == pytest.approx(ratio.estimate, rel=1e-7, abs=1e-7)
    error = computed(levels.nudged.error)
    assert error.estimate == pytest.approx(levels.nudged.value, rel=1e-8)


def test_levels__rows_of_products__give_the_same_error() -> None:
    _, g, d, r, *_ = units(1)
    levels = computed(complier_levels(*arms(g, r, d)))
    for level, outcome in ((levels.nudged, r * d), (levels.control, r * (d.astype(float) - 1))):
        by_rows = computed(wald(computed(iv_moments(*arms(g, outcome, d)))))
        assert (level.value, computed(level.error).standard_error) == pytest.approx(
            (by_rows.estimate, by_rows.standard_error), rel=1e-9
        )


def test_levels__direct_effect_of_the_nudge__raises_the_flag() -> None:
    fine = complier_levels(joint_of_counts([[400, 50], [100, 50]]), joint_of_counts([[250, 150], [60, 140]]))
    # Nudged users who didn't do it are retained far more often than any control user.
    broken = complier_levels(joint_of_counts([[500, 50], [20, 30]]), joint_of_counts([[100, 100], [350, 50]]))
    assert not computed(fine).impossible
    assert computed(broken).control.impossible


def test_trait__simulated_compliers__is_found_within_its_interval() -> None:
    x, g, d, _, complier, *_ = units(5, 20_000)
    found = computed(complier_trait(*arms(g, x, d)))
    error = computed(found.compliers.error)
    assert found.everybody == pytest.approx(float(x.mean()))
    assert error.low < float(x[complier].mean()) < error.high
    assert computed(found.ratio) == pytest.approx(found.compliers.value / float(x.mean()))
    assert error.high - error.low < 0.1


def test_compliers__nothing_moved_or_numeric_behaviour__say_so() -> None:
    same = joint_of_counts([[10, 10], [10, 10]])
    assert complier_levels(same, same) == NotComputable(Reason.NO_FIRST_STAGE)
    assert complier_trait(same, same) == NotComputable(Reason.NO_FIRST_STAGE)
    numeric = Joint.from_columns([[1.0, 0.5], [2.0, 3.0], [1.0, 2.0]])
    assert complier_shares(numeric, numeric) == NotComputable(Reason.NOT_A_PROPORTION)
    none = joint_of_counts([[0, 0], [0, 0]])
    assert complier_levels(none, same) == NotComputable(Reason.TOO_FEW_UNITS, {"n": 0, "needed": 2})


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(WORLDS)
def test_bounds__worlds_without_defiers__hold_the_truth_and_the_closed_form(world: np.ndarray) -> None:
    if world.sum() == 0:
        return
    p = shares_of(world)
    found = computed(bounds_of_shares(p))
    truth = float((world[:, 0, 1].sum() - world[:, 1, 0].sum()) / world.sum())
    always, never = world[0].sum() / world.sum(), world[2].sum() / world.sum()
    known = p[1, 1, 1] - p[0, 1, 0]
    assert found.low - 1e-7 <= truth <= found.high + 1e-7
    assert (found.low, found.high) == pytest.approx((known - always, known + never), abs=1e-7)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(WORLDS)
def test_bounds__from_counts__agree_with_the_closed_form(world: np.ndarray) -> None:
    counts = np.rint(shares_of(world + 1) * (world + 1).sum()).astype(int)
    pair = joint_of_counts(counts[0]), joint_of_counts(counts[1])
    found = computed(balke_pearl(*pair))
    shares = counts / counts.sum(axis=(1, 2), keepdims=True)
    # Robins 1989, Manski 1990: without defiers always-takers without, never-takers with the behaviour are all 0 or 1.
    known, always, never = shares[1, 1, 1] - shares[0, 1, 0], shares[0, :, 1].sum(), shares[1, :, 0].sum()
    assert (found.low, found.high) == pytest.approx((known - always, known + never), abs=1e-7)
    assert found.high - found.low == pytest.approx(1 - computed(iv_moments(*pair)).first_stage)


def test_bounds__lipid_trial__are_the_published_ones() -> None:
    """Balke and Pearl 1997, section 4.1: cholestyramine, shares p(y, d | z); effect between .392 and .780."""
    p = [[[0.919, 0.0], [0.081, 0.0]], [[0.315, 0.139], [0.073, 0.473]]]
    found = computed(bounds_of_shares(p))
    assert (found.low, found.high) == pytest.approx((0.392, 0.780), abs=5e-4)
    # Shares without their numbers of units have no limits, and without limits no sign is said.
    assert found.direction == 0


def test_bounds__outcome_moved_without_the_behaviour__contradict_the_model() -> None:
    assert bounds_of_shares([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]]]) == NotComputable(
        Reason.MODEL_CONTRADICTED
    )
    none = joint_of_counts([[0, 0], [0, 0]])
    assert balke_pearl(none, none) == NotComputable(Reason.NO_DATA)
    with pytest.raises(ValueError, match="sum to 1"):
        bounds_of_shares([[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]]])


def test_bounds__sign__is_said_only_when_zero_is_outside_the_limits() -> None:
    ends = ((-0.1, 0.2), (0.0, 0.2), (0.01, 0.2), (-0.2, -0.01), (-0.2, 0.0))
    assert [Bounds(0.05, 0.1, *both).direction for both in ends] == [0, 0, 1, -1, 0]
    # Until now the bounds themselves decided, which take the shares as exact.
    assert Bounds(0.01, 0.2).direction == 0


@pytest.mark.slow
@pytest.mark.once
def test_bounds_and_levels__simulated_world__hold_the_truth() -> None:
    """Errors cover in 95 % of 400 samples; bounds of many users hold the effect on everybody."""
    covered = 0
    for seed in range(400):
        _, g, d, r, *_ = units(seed)
        level = computed(computed(complier_levels(*arms(g, r, d))).nudged.error)
        # The population's level: .5 + .5 * .25.
        covered += level.low <= 0.625 <= level.high
    # The 99.9 % binomial band of 400 trials at .95.
    assert 365 <= covered <= 394
    _, g, d, r, _, r0, r1 = units(1, 400_000)
    found = computed(balke_pearl(*arms(g, r, d)))
    assert found.low < float(r1.mean() - r0.mean()) < found.high
