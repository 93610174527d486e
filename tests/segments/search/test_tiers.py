"""Tiers and separation: cuts, rates, Cliff's delta, equal exposure, and the planted drivers."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.simulation.worlds import NEGATIVE_CONTROLS
from segments.search import tiers
from segments.search.ranks import auc
from segments.search.tiers import (
    HIGH,
    MID,
    Cuts,
    Delta,
    EqualExposure,
    Separation,
    assign_tiers,
    cliffs_delta,
    find_cuts,
    separate,
)
from stats.results import NotComputable, Reason, computable
from tests.marks import first_in_ci
from tests.segments.worlds import WorldMatrix, world_matrix

SAMPLE = st.lists(st.integers(0, 5), min_size=2, max_size=30)


def delta_of(first: list[int], second: list[int]) -> Delta | NotComputable:
    rng = np.random.default_rng(0)
    return cliffs_delta(np.array(first, dtype=float), np.array(second, dtype=float), rng=rng, replicates=50)


@pytest.mark.slow
@given(first=SAMPLE, second=SAMPLE)
@settings(deadline=None)
def test_cliffs_delta__any_samples__is_brute_force_and_flips(first: list[int], second: list[int]) -> None:
    found, flipped = delta_of(first, second), delta_of(second, first)

    if len({*first, *second}) == 1:
        assert found == NotComputable(Reason.NO_VARIANCE)
        return
    brute = np.mean([int(b > a) - int(b < a) for a in first for b in second])
    assert computable(found)
    assert computable(flipped)
    assert found.estimate == pytest.approx(brute)
    assert flipped.estimate == pytest.approx(-brute)
    assert flipped.p_value == pytest.approx(found.p_value)
    assert 0 <= found.p_value <= 1


def test_cliffs_delta__large_samples__interval_agrees_with_delong() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.poisson(2.0, 2000).astype(float), rng.poisson(2.4, 3000).astype(float)

    found = cliffs_delta(first, second, rng=rng, replicates=2000)

    area = auc([np.concatenate([first, second])], np.arange(5000) >= 2000)
    assert computable(found)
    assert found.estimate == pytest.approx(2 * area.estimate - 1)
    assert found.low == pytest.approx(2 * area.low - 1, abs=0.005)
    assert found.high == pytest.approx(2 * area.high - 1, abs=0.005)


def test_cliffs_delta__groups_that_do_not_overlap__one_with_a_small_p() -> None:
    found = delta_of(list(range(20)), list(range(30, 60)))

    assert computable(found)
    assert (found.estimate, found.low, found.high) == pytest.approx((1, 1, 1))
    assert found.high <= 1
    assert 0 < found.p_value < 1e-6


def test_cliffs_delta__one_unit__refused() -> None:
    assert delta_of([1], [1, 2]) == NotComputable(Reason.TOO_FEW_UNITS, {"n": 1, "needed": 2})


@pytest.mark.parametrize(
    ("days", "cuts"),
    [
        ([1, 2, 3], Cuts(1, 2)),
        ([0, 0, 0, 1, 2, 3], Cuts(1, 2)),
        ([1] * 9 + [2, 7], Cuts(1, 2)),
        ([1, 7] + [28] * 9, Cuts(1, 7)),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], Cuts(3, 6)),
    ],
)
def test_find_cuts__any_days__nearest_to_terciles_and_no_empty_tier(days: list[int], cuts: Cuts) -> None:
    found = find_cuts(np.array(days))

    assert found == cuts
    assert set(assign_tiers(np.array(days), cuts).tolist()) - {-1} == {0, 1, 2}


def test_find_cuts__two_numbers_of_days__has_a_reason() -> None:
    assert find_cuts(np.array([0, 1, 1, 5])) == NotComputable(Reason.TOO_FEW_VALUES, {"n": 2, "needed": 3})


def test_assign_tiers__at_the_borders() -> None:
    assert assign_tiers(np.array([0, 1, 3, 4, 6, 7]), Cuts(3, 6)).tolist() == [-1, 0, 0, 1, 1, 2]


def small(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two behaviours of 800 units: the second group does the first twice as often per active day."""
    rng = np.random.default_rng(seed)
    second = np.arange(800) >= 400
    days = np.where(second, rng.integers(10, 20, 800), rng.integers(3, 8, 800))
    rates = np.column_stack([np.where(second, 1.0, 0.5), np.full(800, 0.3)])
    return rng.poisson(rates * days[:, None]), days, second


@pytest.mark.slow
def test_separate__rates__are_ratios_of_sums_with_the_delta_interval() -> None:
    counts, days, second = small()

    found = separate(counts, days, first=~second, second=second, names=("a", "b"), seed=1, replicates=50)

    assert computable(found)
    a, b = found.contrasts
    ratio = counts[second, 0].sum() / days[second].sum()
    rng = np.random.default_rng(9)
    rows = [rng.choice(np.flatnonzero(second), size=400) for _ in range(2000)]
    drawn = [counts[row, 0].sum() / days[row].sum() for row in rows]
    assert a.second.estimate == pytest.approx(ratio)
    assert a.second.high - a.second.low == pytest.approx(2 * 1.96 * np.std(drawn), rel=0.08)
    assert a.difference.estimate == pytest.approx(a.second.estimate - a.first.estimate)
    assert 0.4 < a.difference.low < 0.5 < a.difference.high < 0.6
    assert b.difference.low < 0 < b.difference.high
    assert found.exposure_days == 3


@pytest.mark.slow
def test_separate__swapped_groups__flip_the_signs() -> None:
    counts, days, second = small()

    one = separate(counts, days, first=~second, second=second, names=("a", "b"), seed=1, replicates=20)
    two = separate(counts, days, first=second, second=~second, names=("a", "b"), seed=1, replicates=20)

    assert computable(one)
    assert computable(two)
    for before, after in zip(one.contrasts, two.contrasts, strict=True):
        assert computable(before.smd)
        assert computable(after.smd)
        assert computable(before.delta)
        assert computable(after.delta)
        assert after.difference.estimate == pytest.approx(-before.difference.estimate)
        assert after.smd == pytest.approx(-before.smd)
        assert after.delta.estimate == pytest.approx(-before.delta.estimate)


@pytest.fixture
def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model of all behaviours is most of the time of a separation, and says nothing of a delta."""
    monkeypatch.setattr(tiers, "rank_features", lambda *_args, **_more: NotComputable(Reason.TOO_FEW_FOR_MODEL))


def deltas_of_equals(seeds: int, *, shape: float | None, drawn: bool) -> tuple[float, float]:
    """Mean Cliff's delta and its standard error over data sets of 600 units that do it alike, on 3 or on 20 days.

    `shape` makes days bursty (gamma rates of that shape); `drawn` compares three drawn days instead of thinned counts.
    """
    second = np.arange(600) >= 300
    days = np.where(second, 20, 3)
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        rate = 0.5 if shape is None else rng.gamma(shape, 0.5 / shape, size=(600, 20))
        by_day = rng.poisson(rate, size=(600, 20)) * (np.arange(20) < days[:, None])
        equal = EqualExposure(by_day[:, :3].sum(axis=1)[:, None], 3) if drawn else None
        counts = by_day.sum(axis=1)[:, None]
        separation = separate(
            counts, days, first=~second, second=second, names=("inert",), seed=seed, equal=equal, replicates=10
        )
        assert computable(separation)
        assert (separation.thinned, separation.exposure_days) == (not drawn, 3)
        delta = separation.contrasts[0].delta
        assert computable(delta)
        found.append(delta.estimate)
    return float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(seeds))


@pytest.mark.slow
@pytest.mark.usefixtures("_no_model")
def test_separate__same_rate_but_more_days__no_bias_where_raw_rates_have_one() -> None:
    # Rates from 3 days come in thirds, those from 20 in twentieths: a rank measure of raw rates sees that alone.
    rng = np.random.default_rng(4)
    few, many = rng.poisson(0.3 * 3, 2000) / 3, rng.poisson(0.3 * 20, 2000) / 20

    raw = cliffs_delta(few, many, rng=rng, replicates=100)
    mean, error = deltas_of_equals(12, shape=None, drawn=False)

    assert computable(raw)
    assert raw.low > 0
    assert abs(mean) < 3 * error


@pytest.mark.slow
@pytest.mark.usefixtures("_no_model")
def test_separate__events_in_bursts__drawn_days_are_fair_where_thinning_is_not() -> None:
    thinned, thinned_error = deltas_of_equals(30, shape=0.3, drawn=False)
    drawn, drawn_error = deltas_of_equals(30, shape=0.3, drawn=True)

    assert thinned > 4 * thinned_error
    assert abs(drawn) < 3 * drawn_error


@pytest.mark.slow
def test_separate__behaviour_nobody_did__has_a_reason_and_leaves_the_family() -> None:
    counts, days, second = small()
    counts = np.column_stack([counts, np.zeros(800, dtype=int)])

    found = separate(counts, days, first=~second, second=second, names=("a", "b", "c"), seed=1, replicates=20)

    assert computable(found)
    assert found.contrasts[2].smd == NotComputable(Reason.NO_VARIANCE)
    assert found.contrasts[2].delta == NotComputable(Reason.NO_VARIANCE)
    b = found.contrasts[1].delta
    assert computable(b)
    assert b.adjusted_p_value == pytest.approx(min(b.p_value, 1))


@pytest.mark.parametrize("flaw", ["overlap", "inactive"])
def test_separate__groups_that_make_no_sense__raise(flaw: str) -> None:
    counts, days, second = small()
    first = np.ones(800, dtype=bool) if flaw == "overlap" else ~second
    days = np.zeros(800, dtype=int) if flaw == "inactive" else days

    with pytest.raises(ValueError, match="groups must not overlap"):
        separate(counts, days, first=first, second=second, names=("a", "b"), seed=1)


def test_separate__group_of_one__refused() -> None:
    counts, days, second = small()
    one = np.arange(800) == 0

    found = separate(counts, days, first=one, second=second, names=("a", "b"), seed=1)

    assert isinstance(found, NotComputable)
    assert found.reason is Reason.TOO_FEW_UNITS


@cache
def mid_against_high(name: str) -> tuple[WorldMatrix, Separation]:
    world = world_matrix(name, 10_000, 3, 28)
    cuts = find_cuts(world.active_days)
    assert computable(cuts)
    tier = assign_tiers(world.active_days, cuts)
    found = separate(world.counts, world.active_days, first=tier == MID, second=tier == HIGH, names=world.names, seed=1)
    assert computable(found)
    return world, found


@pytest.mark.slow
@pytest.mark.parametrize("name", first_in_ci(["planted_groups", "step"]))
def test_separate__world__planted_driver_among_the_first_three(name: str) -> None:
    _, found = mid_against_high(name)
    assert computable(found.importance)
    assert computable(found.importance.ranking)

    first = [member for group in found.importance.ranking.groups[:3] for member in group.members]

    by_delta = sorted(found.contrasts, key=lambda c: -abs(c.delta.estimate) if computable(c.delta) else 0)
    assert {"chat", "friend_add"} & set(first)
    assert {"chat", "friend_add"} & {contrast.name for contrast in by_delta[:3]}


@pytest.mark.slow
@pytest.mark.parametrize("name", first_in_ci(["planted_groups", "step"]))
def test_separate__world__negative_controls_separate_nothing(name: str) -> None:
    _, found = mid_against_high(name)
    controls = [contrast for contrast in found.contrasts if contrast.name in NEGATIVE_CONTROLS]

    assert len(controls) == 7
    for contrast in controls:
        assert computable(contrast.delta)
        assert contrast.delta.adjusted_p_value > 0.05
        assert abs(contrast.delta.estimate) < 0.05
