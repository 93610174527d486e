"""Sizes, powers and durations: published figures, inverses of each other, and simulated experiments."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.power.family_and_looks import Method, Plan
from stats.power.sample_size import days_needed, dilution_curve, power_at, sample_size, smallest_effect
from stats.results import NotComputable, Reason
from stats.sequential.boundaries import Spending, bounds, sequence_multiplier, tightest_rho_squared
from tests.stats.make import computed
from tests.stats.test_reference import rows

SHARE = Plan(baseline=0.3)


@pytest.mark.parametrize("row", rows("power.csv"), ids=lambda row: row["id"])
def test_power__published_plans__give_the_published_figures(row: dict[str, str]) -> None:
    plan = Plan(
        baseline=float(row["baseline"]), sd=float(row["sd"]) if row["sd"] else None, power=float(row["power"] or 0.8)
    )
    units = (int(row["per_variant"] or 0),) * 2
    match row["kind"]:
        case "size":
            found = computed(sample_size(plan, float(row["effect"]))).exact
        case "total":
            found = computed(sample_size(plan, float(row["effect"]))).total
        case "power":
            found = power_at(plan, float(row["effect"]), units)
        case _:
            found = computed(smallest_effect(plan, units))

    assert found == pytest.approx(float(row["expected"]), abs=float(row["tolerance"]))


def test_dilution__example_of_the_methods__needs_206813_to_3313_per_variant() -> None:
    curve = dilution_curve(SHARE, 0.08)

    assert [(take_up, computed(size).units) for take_up, size in curve] == [
        (0.05, (206_813, 206_813)),
        (0.1, (51_896, 51_896)),
        (0.2, (13_069, 13_069)),
        (0.4, (3_313, 3_313)),
    ]


def test_dilution__take_up_that_would_leave_0_to_1__is_left_out() -> None:
    assert [take_up for take_up, _ in dilution_curve(Plan(baseline=0.95), 0.4)] == [0.05, 0.1]


plans = st.builds(
    Plan,
    baseline=st.floats(0.05, 0.6),
    sd=st.sampled_from([None, 0.5, 3.0]),
    alpha=st.floats(0.01, 0.1),
    power=st.floats(0.5, 0.95),
    shares=st.lists(st.floats(0.1, 1.0), min_size=2, max_size=4).map(tuple),
    take_up=st.floats(0.2, 1.0),
    method=st.sampled_from(Method),
    looks=st.one_of(st.integers(1, 6), st.sampled_from([(0.3, 0.6, 1.0), (1.0,)])),
    primaries=st.integers(1, 2),
    spending=st.sampled_from(Spending),
    r_squared=st.floats(0.0, 0.7),
    cluster_size=st.floats(1.0, 20.0),
    cluster_correlation=st.floats(0.0, 0.2),
)


@pytest.mark.slow
@given(plan=plans, effect=st.floats(0.02, 0.3), downwards=st.booleans())
@settings(max_examples=40, deadline=None)
def test_size__any_plan__reaches_the_power_and_its_effect_comes_back(
    plan: Plan, effect: float, downwards: bool
) -> None:
    # towards 1/2 or away from it, but never out of 0 to 1
    effect = -min(effect, plan.baseline / plan.take_up * 0.9) if downwards else effect

    size = computed(sample_size(plan, effect))
    found = computed(smallest_effect(plan, size.units, downwards=downwards))

    assert size.power >= plan.power - 1e-6
    assert found == pytest.approx(effect, rel=1e-6) or abs(found) < abs(effect)
    if min(size.units) > 200:  # where a unit more or less means nothing
        assert size.power == pytest.approx(plan.power, abs=0.01)
        assert found == pytest.approx(effect, rel=0.01)


@pytest.mark.slow
@given(baseline=st.floats(0.05, 0.6), effect=st.floats(0.02, 0.3), method=st.sampled_from(Method))
@settings(max_examples=30, deadline=None)
def test_power__outcome_turned_round__is_the_same(baseline: float, effect: float, method: Method) -> None:
    one = power_at(Plan(baseline=baseline, method=method), effect, (400, 300))
    other = power_at(Plan(baseline=1 - baseline, method=method), -effect, (400, 300))

    assert one == pytest.approx(other, abs=1e-9)


def test_size__unequal_split__needs_more_in_all_and_swaps_with_the_groups() -> None:
    plan = Plan(sd=1.0)
    equal, unequal = (computed(sample_size(replace(plan, shares=shares), 0.1)) for shares in ((1, 1), (9, 1)))

    assert unequal.total == pytest.approx(equal.total / (4 * 0.9 * 0.1), rel=0.002)
    assert unequal.units[0] == pytest.approx(9 * unequal.units[1], rel=0.002)
    assert sorted(computed(sample_size(replace(plan, shares=(1, 9)), 0.1)).units) == sorted(unequal.units)


@pytest.mark.parametrize("method", list(Method))
def test_size__three_variants__each_comparison_has_its_part_of_alpha(method: Method) -> None:
    three = computed(sample_size(replace(SHARE, shares=(1, 1, 1), method=method), 0.03))
    two = computed(sample_size(replace(SHARE, alpha=0.025, method=method), 0.03))

    assert three.units[:2] == two.units
    assert len(three.units) == 3


def test_size__covariates_and_clusters__scale_it() -> None:
    plain = computed(sample_size(SHARE, 0.03)).exact

    adjusted = computed(sample_size(replace(SHARE, r_squared=0.4), 0.03)).exact
    clustered = computed(sample_size(replace(SHARE, cluster_size=21, cluster_correlation=0.05), 0.03)).exact

    assert adjusted == pytest.approx(0.6 * plain)
    assert clustered == pytest.approx(2.0 * plain)


def test_size__sequential_plans__cost_a_few_percent_and_four_fifths() -> None:
    sizes = {
        method: computed(sample_size(Plan(baseline=0.3, power=0.9, method=method), 0.03)).exact for method in Method
    }
    one_look = computed(sample_size(Plan(baseline=0.3, power=0.9, method=Method.GROUP_SEQUENTIAL, looks=1), 0.03))

    assert sizes[Method.GROUP_SEQUENTIAL] / sizes[Method.FIXED] == pytest.approx(1.023, abs=0.002)
    assert sizes[Method.ALWAYS_VALID] / sizes[Method.FIXED] == pytest.approx(1.70, abs=0.02)
    assert one_look.exact == pytest.approx(sizes[Method.FIXED], rel=1e-9)


def test_formula__each_plan__is_named() -> None:
    names = [replace(SHARE, method=method, sd=sd).formula for method in Method for sd in (None, 1.0)]

    assert names == [
        "power.prop.test",
        "noncentral-t",
        "group_sequential-shares",
        "group_sequential-means",
        "always_valid-shares",
        "always_valid-means",
    ]


def test_size__effect_on_either_side_of_what_anybody_has__is_no_number() -> None:
    assert isinstance(sample_size(Plan(sd=1.0), 1e-7), NotComputable)
    assert sample_size(SHARE, 1e-7) == NotComputable(Reason.TOO_MANY_UNITS)
    assert computed(sample_size(SHARE, 3e-6)).total < 10**12


def test_size__huge_effect_on_a_mean__is_two_in_each_group() -> None:
    assert computed(sample_size(Plan(sd=0.001), 5.0)).units == (2, 2)


def test_size__share_that_becomes_certain__still_needs_units() -> None:
    assert computed(sample_size(Plan(baseline=0.9), 0.1)).units == (74, 74)
    assert computed(smallest_effect(Plan(baseline=0.9), (74, 74))) < 0.1


def test_smallest__units_on_either_side_of_what_the_largest_effect_needs__is_a_reason_or_a_number() -> None:
    few = smallest_effect(SHARE, (5, 5))
    enough = smallest_effect(SHARE, (6, 6))

    assert few == NotComputable(Reason.NO_DETECTABLE_EFFECT)
    assert 0.6 < computed(enough) <= 0.7


def test_smallest__two_units_of_a_mean__is_a_large_number() -> None:
    assert 3 < computed(smallest_effect(Plan(sd=1.0), (2, 2))) < 10


def test_smallest__clusters_that_leave_no_information__is_a_reason() -> None:
    plan = Plan(sd=1.0, cluster_size=20, cluster_correlation=1.0)

    assert power_at(plan, 1.0, (2, 2)) == 0.0
    assert smallest_effect(plan, (2, 2)) == NotComputable(Reason.NO_DETECTABLE_EFFECT)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"baseline": 0.0}, "baseline"),
        ({"baseline": 1.0}, "baseline"),
        ({"baseline": float("nan")}, "baseline"),
        ({"baseline": float("inf"), "sd": 1.0}, "baseline"),
        ({"sd": 0.0}, "sd"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 1.0}, "alpha"),
        ({"power": 0.05}, "power"),
        ({"power": 1.0}, "power"),
        ({"shares": (1.0,)}, "variants"),
        ({"shares": (1.0, 0.0)}, "split"),
        ({"take_up": 0.0}, "take-up"),
        ({"take_up": 1.01}, "take-up"),
        ({"looks": 0}, "looks"),
        ({"looks": 101}, "looks"),
        ({"looks": ()}, "looks"),
        ({"looks": (0.5, 0.9)}, "looks"),
        ({"looks": (0.5, 0.5, 1.0)}, "looks"),
        ({"looks": (0.0, 1.0)}, "looks"),
        ({"primaries": 0}, "primaries"),
        ({"placebo": 1}, "placebo"),
        ({"placebo": 0, "shares": (1.0, 1.0, 1.0)}, "placebo"),
        ({"placebo": 3, "shares": (1.0, 1.0, 1.0)}, "placebo"),
        ({"r_squared": 1.0}, "r-squared"),
        ({"cluster_size": 0.5}, "cluster-size"),
        ({"cluster_correlation": -0.1}, "cluster-correlation"),
    ],
)
def test_plan__impossible_value__is_refused_by_name(change: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} must"):
        replace(SHARE, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("effect", [0.0, 0.71, -0.31, 1.5, float("nan")])
def test_effect__impossible__is_refused(effect: float) -> None:
    with pytest.raises(ValueError, match=r"^effect"):
        sample_size(SHARE, effect)


def test_units__too_few_or_of_other_variants__are_refused() -> None:
    with pytest.raises(ValueError, match="per-variant"):
        power_at(SHARE, 0.1, (1, 50))
    with pytest.raises(ValueError, match="same variants"):
        power_at(SHARE, 0.1, (50, 50, 50))
    with pytest.raises(ValueError, match="per-variant"):
        smallest_effect(SHARE, (50, 1))
    with pytest.raises(ValueError, match="same variants"):
        smallest_effect(SHARE, (50,))


def test_days__enrolment_window_and_lateness__add_up() -> None:
    assert days_needed(1000, 100) == 10
    assert days_needed(1001, 100) == 11
    assert days_needed(1000, 100, coverage=0.5, window_end=7, lateness=2) == 20 + 8 + 2
    assert days_needed(1000, 100, window_end=0) == 11


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"daily_units": 0.0}, "daily-units"),
        ({"coverage": 0.0}, "coverage"),
        ({"coverage": 1.1}, "coverage"),
        ({"window_end": -1}, "window-end"),
        ({"lateness": -1}, "lateness"),
    ],
)
def test_days__impossible_value__is_refused_by_name(arguments: dict[str, float], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} must"):
        days_needed(1000, **{"daily_units": 100.0, **arguments})  # type: ignore[arg-type]


def rejected(plan: Plan, effect: float, units: tuple[int, ...], *, runs: int, seed: int) -> float:
    """Share of simulated experiments on a share that reject upwards at some planned look."""
    rng = np.random.default_rng(seed)
    times = np.array(plan.times)
    looks = len(times)
    n0, n1 = (np.round(size * times).astype(int) for size in units)
    p0, p1 = (
        rng.binomial(np.diff(n, prepend=0), p, size=(runs, looks)).cumsum(axis=1) / n
        for n, p in ((n0, plan.baseline), (n1, plan.baseline + effect))
    )
    pooled = (n0 * p0 + n1 * p1) / (n0 + n1)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))
    if plan.method is Method.FIXED:
        critical = np.array([stats.norm.isf(plan.alpha / 2)])
    elif plan.method is Method.GROUP_SEQUENTIAL:
        critical = np.array(bounds([float(time) for time in times], alpha=plan.alpha))
    else:
        error = np.sqrt(p0 * (1 - p0) / n0 + p1 * (1 - p1) / n1)
        rho_squared = tightest_rho_squared(sum(units), alpha=plan.alpha)
        critical = np.array([sequence_multiplier(n, rho_squared=rho_squared, alpha=plan.alpha) for n in n0 + n1])
    return float(((p1 - p0) / error >= critical).any(axis=1).mean())


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("power", [0.6, 0.8, 0.9])
def test_power__simulated_experiments__is_within_two_points(method: Method, power: float) -> None:
    plan = Plan(baseline=0.3, power=power, method=method)
    size = computed(sample_size(plan, 0.04))

    found = rejected(plan, 0.04, size.units, runs=20_000, seed=round(100 * power))

    assert found == pytest.approx(power, abs=0.003 + 4 * sqrt(power * (1 - power) / 20_000))


@pytest.mark.parametrize("method", list(Method))
def test_power__simulated_unequal_split__is_not_less_than_planned(method: Method) -> None:
    plan = Plan(baseline=0.05, shares=(4, 1), method=method)
    size = computed(sample_size(plan, 0.05))

    found = rejected(plan, 0.05, size.units, runs=20_000, seed=7)

    # The unpooled error falls with a share below 1/2 that is underestimated. For a share that doubles in the small
    # group an always valid plan therefore reaches 0.827 instead of 0.8 (docs/methods/power.md).
    above = 0.03 if method is Method.ALWAYS_VALID else 0.01
    assert -0.01 < found - 0.8 < above
