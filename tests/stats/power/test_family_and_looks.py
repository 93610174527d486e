"""The plan that will judge: its level, its looks and their price, and the power to conclude that nothing matters."""

from dataclasses import replace
from math import sqrt

import pytest
from scipy import stats

from stats.power.family_and_looks import Critical, Method, Plan, critical_values, drift_needed, inflation
from stats.power.sample_size import power_at, power_no_material_effect, sample_size
from stats.sequential.boundaries import Spending, bounds
from tests.stats.make import computed
from tests.stats.power import planned_trials

SHARE = Plan(baseline=0.3)


@pytest.mark.parametrize("method", list(Method))
def test_size__two_primary_outcomes__are_as_many_comparisons_as_two_arms(method: Method) -> None:
    outcomes = computed(sample_size(replace(SHARE, primaries=2, method=method), 0.03))
    arms = computed(sample_size(replace(SHARE, shares=(1, 1, 1), method=method), 0.03))
    both = computed(sample_size(replace(SHARE, primaries=2, shares=(1, 1, 1), method=method), 0.03))

    assert outcomes.units == arms.units[:2]
    assert both.units[:2] == computed(sample_size(replace(SHARE, alpha=0.0125, method=method), 0.03)).units


def test_size__placebo__is_the_comparator_and_no_member() -> None:
    plain = computed(sample_size(SHARE, 0.03))
    placebo = replace(SHARE, shares=(2, 1, 1), placebo=2)

    assert placebo.level == 0.05
    assert computed(sample_size(placebo, 0.03)).units == (7525, 3763, 3763)
    assert power_at(placebo, 0.03, (10, *plain.units)) == pytest.approx(plain.power)


def test_times__number_and_list__are_the_registered_looks() -> None:
    plan = replace(SHARE, method=Method.GROUP_SEQUENTIAL, spending=Spending.POCOCK)

    assert replace(plan, looks=4).times == (0.25, 0.5, 0.75, 1.0)
    assert replace(plan, looks=(0.3, 1.0)).times == (0.3, 1.0)
    assert replace(plan, looks=(0.3, 1.0), method=Method.FIXED).times == (1.0,)
    assert critical_values(replace(plan, looks=(0.3, 1.0))).values == bounds((0.3, 1.0), spending=Spending.POCOCK)


@pytest.mark.parametrize(
    ("constants", "power", "published"),
    [
        # Jennison and Turnbull 2000, tables 2.1 and 2.2 (Pocock) and 2.3 and 2.4 (O'Brien-Fleming), alpha .05
        ((2.178,) * 2, 0.8, 1.110),
        ((2.289,) * 3, 0.8, 1.166),
        ((2.413,) * 5, 0.8, 1.228),
        ((2.413,) * 5, 0.9, 1.207),
        (tuple(2.040 * sqrt(5 / k) for k in range(1, 6)), 0.8, 1.028),
        (tuple(2.040 * sqrt(5 / k) for k in range(1, 6)), 0.9, 1.026),
    ],
)
def test_drift__published_constants__give_the_published_inflation(
    constants: tuple[float, ...], power: float, published: float
) -> None:
    looks = len(constants)
    critical = Critical(tuple((k + 1) / looks for k in range(looks)), constants)

    drift = drift_needed(critical, 1.0, power)

    assert (drift / (stats.norm.isf(0.025) + stats.norm.ppf(power))) ** 2 == pytest.approx(published, abs=0.0012)


@pytest.mark.parametrize(("spending", "wanted"), [(Spending.POCOCK, 1.213), (Spending.OBRIEN_FLEMING, 1.025)])
def test_inflation__five_looks_of_a_spending_plan__is_that_of_the_rulings(spending: Spending, wanted: float) -> None:
    assert inflation(replace(SHARE, method=Method.GROUP_SEQUENTIAL, spending=spending)) == pytest.approx(
        wanted, abs=0.003
    )


def test_inflation__of_one_look__is_none() -> None:
    assert inflation(SHARE) == pytest.approx(1.0)


def test_no_material_effect__size_of_the_closed_form__has_its_power() -> None:
    # Julious 2004, section 3.1: n = 2 sd^2 (z(1-alpha) + z(1-beta/2))^2 / margin^2 for a true difference of 0.
    n = 2 * ((stats.norm.isf(0.05) + stats.norm.isf(0.1)) / 0.1) ** 2

    found = power_no_material_effect(Plan(sd=1.0), 0.1, (round(n), round(n)))

    assert found == pytest.approx(0.8, abs=2e-4)


def test_no_material_effect__take_up_and_looks_and_few_units__lower_it() -> None:
    plain = power_no_material_effect(SHARE, 0.03, (4_000, 4_000))

    assert power_no_material_effect(replace(SHARE, take_up=0.5), 0.06, (4_000, 4_000)) == pytest.approx(plain)
    looks = replace(SHARE, method=Method.GROUP_SEQUENTIAL)
    assert power_no_material_effect(looks, 0.03, (4_000, 4_000)) < plain
    assert power_no_material_effect(SHARE, 0.03, (50, 50)) == 0.0


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan"), float("inf")])
def test_no_material_effect__impossible_margin__is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match=r"^margin must"):
        power_no_material_effect(SHARE, margin, (50, 50))


def test_no_material_effect__units_that_can_not_be__are_refused() -> None:
    with pytest.raises(ValueError, match="per-variant"):
        power_no_material_effect(SHARE, 0.1, (1, 50))
    with pytest.raises(ValueError, match="same variants"):
        power_no_material_effect(SHARE, 0.1, (50, 50, 50))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "plan"), planned_trials.PLANS)
def test_planner__experiments_of_the_planned_size__find_the_effect_as_often_as_promised(name: str, plan: Plan) -> None:
    """Version 0.3: .712, .721, .726 and .743 where .8 was promised."""
    seed = 701 + [one for one, _plan in planned_trials.PLANS].index(name)
    promised, real, _units = planned_trials.promised_and_real(plan, 5_000, seed=seed)

    assert real == pytest.approx(promised, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("place", "plan"), [(place, plan) for place, (_n, plan) in enumerate(planned_trials.MARGINS)])
def test_planner__no_effect__is_called_no_material_effect_as_often_as_promised(place: int, plan: Plan) -> None:
    promised, real = planned_trials.promised_and_real_margin(plan, 5_000, seed=751 + place)

    assert real == pytest.approx(promised, abs=0.02)


def test_inflation__five_looks__is_the_published_one() -> None:
    for spending, wanted in ((Spending.POCOCK, 1.213), (Spending.OBRIEN_FLEMING, 1.025)):
        plan = replace(planned_trials.LOOKS, spending=spending)
        assert inflation(plan) == pytest.approx(wanted, abs=0.003)
