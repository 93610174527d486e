"""How much exclusion must fail: closed forms, a grid, groups without first stage, coverage."""

from dataclasses import replace
from math import copysign, sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from stats.cells import joint_of_counts
from stats.instrument.anderson_rubin import Shape
from stats.instrument.encouragement import anderson_rubin, first_stage
from stats.instrument.exclusion import (
    blind_spot,
    breakdown_value,
    default_range,
    sensitivity,
    union_of_sets,
    unmoved_group,
    zero_first_stage,
)
from stats.instrument.validity import inequalities_from_counts
from stats.iv_moments import IvMoments, iv_moments
from stats.results import NotComputable, Reason
from tests.rates import at_least
from tests.stats.make import computed

Z = float(stats.norm.isf(0.025))
# ITT .06 with error .01, first stage .2 with error .02, correlation .3.
STRONG = IvMoments(0.06, 0.2, 1e-4, 4e-4, 0.6e-4, 5_000, 5_000)
WEAK = replace(STRONG, first_stage=0.03)

MOMENTS = st.builds(
    lambda itt, first, error_r, error_d, rho: IvMoments(
        itt, first, error_r**2, error_d**2, rho * error_r * error_d, 500, 500
    ),
    st.floats(-0.5, 0.5),
    st.floats(-0.9, 0.9),
    st.floats(0.001, 0.1),
    st.floats(0.001, 0.1),
    st.floats(-0.9, 0.9),
)


# ── Breakdown ─────────────────────────────────────────────────────────────────
def test_breakdown__gain_and_loss__is_the_end_nearer_to_nothing() -> None:
    assert breakdown_value(STRONG, Z) == pytest.approx(0.06 - Z * 0.01)
    assert breakdown_value(replace(STRONG, itt=-0.06), Z) == pytest.approx(-(0.06 - Z * 0.01))
    # At a look its own critical value counts.
    assert breakdown_value(STRONG, 4.88) == pytest.approx(0.06 - 4.88 * 0.01)


def test_breakdown__effect_not_proved__has_none() -> None:
    missing = NotComputable(Reason.NUDGE_NOT_PROVED)
    assert breakdown_value(STRONG, 6.0) == breakdown_value(STRONG, 7.0) == missing
    assert breakdown_value(replace(STRONG, itt=0.0, v_r=0.0), Z) == missing
    assert computed(breakdown_value(STRONG, 5.99)) > 0
    for wrong in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="critical"):
            breakdown_value(STRONG, wrong)


@given(MOMENTS, st.floats(0.5, 5))
def test_breakdown__any_moments__is_where_the_set_takes_in_no_effect(moments: IvMoments, critical: float) -> None:
    found = breakdown_value(moments, critical)
    if isinstance(found, NotComputable):
        assert anderson_rubin(moments, q=critical**2).contains(0.0) or abs(moments.itt) - critical * sqrt(
            moments.v_r
        ) == pytest.approx(0, abs=1e-12)
        return
    step = 0.01 * critical * copysign(sqrt(moments.v_r), found)
    assume(abs(found) > abs(step))
    for direct, inside in ((found - step, False), (found + step, True)):
        assert anderson_rubin(replace(moments, itt=moments.itt - direct), q=critical**2).contains(0.0) is inside


# ── Sets under a direct effect ────────────────────────────────────────────────
def test_default_range__either_sign__holds_the_breakdown_itself() -> None:
    for value in (0.0137, -0.2, 1234.5):
        found = default_range(value)
        assert (found[0], found[8], len(found)) == (0.0, value, 13)
        assert found[-1] == pytest.approx(1.5 * value)


@pytest.mark.parametrize("moments", [STRONG, replace(STRONG, itt=-0.06), WEAK])
def test_sensitivity__each_direct_effect__is_the_grids_set(moments: IvMoments) -> None:
    """Brute force: every b of a grid, by the inequality as docs/methods/encouragement.md writes it."""
    rows = sensitivity(moments, default_range(computed(breakdown_value(moments, Z))), critical=Z)
    reach = 3 if moments.first_stage > 0.1 else 1_000
    grid = np.linspace(-reach, reach, 20_001)
    for row in rows:
        kept = (moments.itt - row.direct - grid * moments.first_stage) ** 2 <= Z**2 * (
            moments.v_r - 2 * grid * moments.c_rd + grid**2 * moments.v_d
        )
        if row.shape is Shape.INTERVAL:
            assert (row.low, row.high) == pytest.approx((grid[kept].min(), grid[kept].max()), abs=4e-4)
        else:
            assert kept[0]
            assert kept[-1]
            assert (row.shape is Shape.LINE) == bool(kept.all())
    assert (rows[0].low, rows[0].high) == (anderson_rubin(moments).low, anderson_rubin(moments).high)


def test_sensitivity__at_the_breakdown__just_takes_in_no_effect() -> None:
    rows = sensitivity(STRONG, default_range(computed(breakdown_value(STRONG, Z))), critical=Z)
    lows = [row.low for row in rows if row.low is not None]
    assert lows[8] == pytest.approx(0, abs=1e-9)
    assert all(low > 0 for low in lows[:8])
    assert all(low < 0 for low in lows[9:])
    with pytest.raises(ValueError, match="critical"):
        sensitivity(STRONG, (0.0,), critical=0.0)


def test_union__between_two_direct_effects__holds_every_set_between() -> None:
    found = union_of_sets(STRONG, -0.01, 0.04, critical=Z)
    rows = sensitivity(STRONG, np.linspace(-0.01, 0.04, 51).tolist(), critical=Z)
    assert found.low == pytest.approx(min(row.low for row in rows if row.low is not None))
    assert found.high == pytest.approx(max(row.high for row in rows if row.high is not None))
    assert union_of_sets(WEAK, 0.0, 0.01, critical=Z).shape is Shape.LINE
    with pytest.raises(ValueError, match="larger"):
        union_of_sets(STRONG, 0.02, 0.01, critical=Z)


# ── Blind spot ────────────────────────────────────────────────────────────────
def test_blind_spot__the_audits_world__is_ten_points() -> None:
    """Compliers' share .2 times their retention .3, over never-takers' share .6 (audit of 0.3, B1)."""
    arms = [joint_of_counts(counts_of(0.0, nudged=nudged)) for nudged in (False, True)]
    assert blind_spot(*arms) == pytest.approx(0.2 * 0.3 / 0.6, abs=1e-6)
    # A loss breaks R = 0 first among never-takers (.2 * .7 / .6), R = 1 among always-takers (.2 * .3 / .2).
    assert blind_spot(*arms, sign=-1) == pytest.approx(0.2 * 0.7 / 0.6, abs=1e-6)


def test_blind_spot__direct_effect_on_both_sides__is_seen_only_beyond() -> None:
    for direct, seen in ((0.099, False), (0.101, True)):
        tables = [counts_of(0.0, nudged=False), counts_of(direct, nudged=True)]
        assert (computed(inequalities_from_counts(*tables)).p_value < 0.05) is seen


def test_blind_spot__always_takers_first__is_the_smaller_limit() -> None:
    """Nobody but always-takers and compliers: 1 - E[R1 | compliers] over always-takers decides."""
    control, variant = [[300_000, 100_000], [100_000, 500_000]], [[0, 300_000], [0, 700_000]]
    # Compliers .4 gain from .25 to (.7 - .5) / .4 = .5; always-takers .6; never-takers none.
    assert blind_spot(joint_of_counts(control), joint_of_counts(variant)) == pytest.approx(0.4 * 0.5 / 0.6, abs=1e-6)


def test_blind_spot__nobody_moved_or_moved_back__has_none() -> None:
    one, other = joint_of_counts([[60, 20], [10, 10]]), joint_of_counts([[40, 30], [10, 20]])
    assert blind_spot(other, one) == NotComputable(Reason.NO_FIRST_STAGE)
    assert blind_spot(one, one) == NotComputable(Reason.NO_FIRST_STAGE)
    everybody = joint_of_counts([[50, 0], [50, 0]]), joint_of_counts([[0, 50], [0, 50]])
    assert blind_spot(*everybody) == NotComputable(Reason.NO_DATA)


def shares(direct: float, *, nudged: bool) -> np.ndarray:
    """P(R = r, D = d) of one arm, as [r][d] in one row: the behaviour does nothing, the nudge adds to everybody."""
    kinds = (0.2, 0.2, 0.6)  # always-takers, compliers, never-takers
    table = np.zeros((2, 2))
    for share, kept, does in zip(kinds, (0.5, 0.3, 0.25), (True, nudged, False), strict=True):
        table[1, int(does)] += share * (kept + direct)
        table[0, int(does)] += share * (1 - kept - direct)
    return table.ravel()


def counts_of(direct: float, *, nudged: bool, n: int = 10_000_000) -> list[list[int]]:
    """Expected counts of this world."""
    table = np.rint(shares(direct, nudged=nudged) * n).astype(int).reshape(2, 2)
    rows: list[list[int]] = table.tolist()
    return rows


# ── A group that the nudge can't move ─────────────────────────────────────────
def group(first: float, error: float, n: int = 2_000) -> IvMoments:
    return IvMoments(0.02, first, 1e-4, error**2, 0.0, n, n)


def test_unmoved_group__interval_inside_the_band__is_found() -> None:
    z90 = float(stats.norm.isf(0.05))  # level 1 - 2 alpha
    just_in, just_out = (0.05 - 1e-6) / z90, (0.05 + 1e-6) / z90
    found = unmoved_group(STRONG, {"old": group(0.0, just_in)})
    assert found is not None
    assert found == ("old", 0.1)
    assert unmoved_group(STRONG, {"old": group(0.0, just_out)}) is None
    # Two groups share the error rate, so that trying many makes none pass.
    assert unmoved_group(STRONG, {"old": group(0.0, just_in), "new": group(0.3, 0.01)}) is None
    assert unmoved_group(STRONG, {}) is None


def test_unmoved_group__several__is_the_largest_and_never_a_tiny_one() -> None:
    found = unmoved_group(
        STRONG,
        {
            "a": group(0.0, 0.001),
            "b": group(0.01, 0.001, 3_000),
            "tiny": group(0.0, 0.0, 49),
            "flat": replace(group(0.0, 0.0, 9_000), v_r=0.0),
            "none": NotComputable(Reason.TOO_FEW_UNITS),
        },
    )
    assert found == ("b", 0.05)


def test_zero_first_stage__set__is_that_of_the_others_less_the_direct_effect() -> None:
    inside = IvMoments(0.03, 0.0, 4e-4, 1e-6, 0.0, 1_000, 1_000)
    found = zero_first_stage(inside, STRONG, label="old", take_up=first_stage(inside, 0.9, 0.9), band=0.05)
    assert (found.direct.low, found.direct.high) == pytest.approx((0.03 - Z * 0.02, 0.03 + Z * 0.02))
    by_hand = anderson_rubin(replace(STRONG, itt=0.03, v_r=5e-4))
    assert (found.effect_set, found.units, found.group) == (by_hand, 2_000, "old")
    # Between clusters the part with fewer degrees of freedom gives the critical value.
    few = replace(inside, degrees_of_freedom=5.0)
    wide = zero_first_stage(few, STRONG, label="old", take_up=found.take_up, band=0.05).effect_set
    assert wide.low is not None
    assert by_hand.low is not None
    assert wide.low < by_hand.low


@pytest.mark.slow
def test_zero_first_stage__direct_effect_at_work__set_covers_the_truth() -> None:
    """Being nudged adds 5 points to everybody, the behaviour 20 to those who do it: without the group 0 % coverage."""
    rng, plain, mended, runs = np.random.default_rng(3), 0, 0, 1_000
    for _ in range(runs):
        others = _arms(rng, 8_000, always=0.2, compliers=0.3)
        inside = _arms(rng, 6_000, always=0.9, compliers=0.0)
        plain += anderson_rubin(others).contains(0.2)
        found = zero_first_stage(inside, others, label="old", take_up=first_stage(inside, 0.9, 0.9), band=0.05)
        mended += found.effect_set.contains(0.2)
    # The 99.9 % binomial band of 1,000 trials at .95; the plain set misses.
    assert 926 <= mended <= 972
    assert plain < 500


def _arms(rng: np.random.Generator, n: int, *, always: float, compliers: float) -> IvMoments:
    arms = []
    for nudged in (False, True):
        did = rng.random(n) < always + compliers * nudged
        kept = rng.random(n) < 0.25 + 0.2 * did + 0.05 * nudged
        arms.append(
            joint_of_counts(
                [
                    [int((~kept & ~did).sum()), int((~kept & did).sum())],
                    [int((kept & ~did).sum()), int((kept & did).sum())],
                ]
            )
        )
    return computed(iv_moments(*arms))


@pytest.mark.slow
def test_sensitivity__true_direct_effect__set_covers_in_95_of_100() -> None:
    rng, covered, runs = np.random.default_rng(4), 0, 1_000
    for _ in range(runs):
        row = sensitivity(_arms(rng, 3_000, always=0.2, compliers=0.3), (0.05,), critical=Z)[0]
        covered += row.low is not None and row.high is not None and row.low <= 0.2 <= row.high
    assert 926 <= covered <= 972


@pytest.mark.slow
@pytest.mark.parametrize("direct", [0.01, 0.05])
def test_breakdown__behaviour_that_does_nothing__is_below_the_direct_effect(direct: float) -> None:
    """Or there is none: in 97.5 % of all runs by construction."""
    rng, runs, below = np.random.default_rng(20261125), 2_000, 0
    arms = [rng.multinomial(10_000, shares(g * direct, nudged=bool(g)), size=runs).reshape(runs, 2, 2) for g in (0, 1)]
    for control, variant in zip(*arms, strict=True):
        value = breakdown_value(computed(iv_moments(joint_of_counts(control), joint_of_counts(variant))), Z)
        below += isinstance(value, NotComputable) or value < direct
    assert at_least(below, runs, 0.975)
