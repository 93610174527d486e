"""Features: shares and rates by hand, what is dropped and why, one unit like a million, JSON there and back."""

import json

import numpy as np
import pytest

from reporting import document as records
from segments.search.features import Drop, Dropped, Features, Preparation, learn_features
from stats.results import NotComputable, Reason
from tests.segments.make import small_table, world_table


def learnt(table: object, **options: object) -> Features:
    found = learn_features(table, **options)  # type: ignore[arg-type]
    assert isinstance(found, Features)
    return found


def test_shares__two_units_by_hand__of_rates_shrunk_by_one_day_of_the_population() -> None:
    # Rates: 12/10 and 6/10 a day. Unit 0: (10 + 1.2)/6 and (0 + .6)/6; unit 1: (2 + 1.2)/6 and (6 + .6)/6.
    table = small_table(np.array([[10.0, 0.0], [2.0, 6.0]]))

    found = learnt(table).preparation

    assert found.base_rates == pytest.approx((1.2, 0.6))
    raw = found.apply(table).values * np.array(found.scales) + np.array(found.means)
    capped = np.sqrt([[11.2 / 11.8, 0.6 / 11.8], [3.2 / 9.8, 6.6 / 9.8]])
    assert raw == pytest.approx(np.minimum(capped, found.caps))
    assert found.caps == pytest.approx(np.quantile(capped, 0.995, axis=0))


def test_shares__twice_as_much_of_everything__is_the_same_pattern() -> None:
    table = small_table(np.array([[10.0, 20.0], [5.0, 10.0], [20.0, 1.0], [3.0, 9.0]]))

    found = learnt(table, prior_days=1e-9).preparation
    values = found.apply(table).values

    assert values[0] == pytest.approx(values[1], abs=1e-6)
    assert found.scales[0] == found.scales[1]  # one common scale


def test_features__constant_duplicate_and_outcome__are_dropped_with_their_reason() -> None:
    rng = np.random.default_rng(1)
    free = rng.poisson(3.0, size=(500, 2)).astype(float)
    days = rng.integers(3, 12, 500).astype(float)
    often, rare = free[:, 0] * 2, free[:, 0]
    counts = np.column_stack([rare, often, free[:, 1], np.full(500, 4.0), days * 2, rng.poisson(2.0, 500)])
    table = small_table(counts, days)

    found = learnt(table, outcome_event="b5")

    assert found.preparation.behaviours == ("b1", "b2")
    assert set(found.dropped) == {
        Dropped("b0", Drop.NEAR_DUPLICATE, "b1"),
        Dropped("b3", Drop.CONSTANT),
        Dropped("b4", Drop.NEAR_DUPLICATE, "active_days"),
        Dropped("b5", Drop.OUTCOME),
    }


@pytest.mark.parametrize(("noise", "dropped"), [(0.20, True), (0.45, False)])
def test_near_duplicate__both_sides_of_the_limit(noise: float, dropped: bool) -> None:
    rng = np.random.default_rng(2)
    first = rng.gamma(4.0, 10.0, 2_000)
    second = first * np.exp(noise * rng.standard_normal(2_000) * 0.5)  # Spearman .98 and .93
    table = small_table(np.column_stack([first, second, rng.gamma(2.0, 10.0, 2_000)]))

    found = learnt(table)

    assert bool(found.dropped) is dropped


def test_features__event_of_the_outcome__its_variants_go_too() -> None:
    table = small_table(np.random.default_rng(3).poisson(5.0, size=(100, 4)).astype(float))
    renamed = table.__class__(
        table.unit_ids, ("buy", "buy[kind=gem]", "buyer", "craft"), *list(vars(table).values())[2:]
    )

    assert learnt(renamed, outcome_event="buy").preparation.behaviours == ("buyer", "craft")


def test_features__units_with_two_active_days__teach_nothing_and_are_not_enough() -> None:
    counts = np.random.default_rng(4).poisson(5.0, size=(100, 3)).astype(float)
    days = np.full(100, 3.0)
    alone = learnt(small_table(counts[50:], days[50:])).preparation
    days[:50], counts[:50] = 2.0, 999.0

    both = learnt(small_table(counts, days)).preparation

    assert both == alone
    assert both.enough(small_table(counts, days)).sum() == 50


def test_features__nothing_to_learn__says_why() -> None:
    quiet = small_table(np.ones((10, 3)), np.full(10, 2.0))
    single = small_table(np.column_stack([np.arange(10.0), np.ones(10)]))

    assert learn_features(quiet) == NotComputable(Reason.TOO_FEW_ACTIVE_UNITS, {"units": 0, "active_days": 3})
    assert learn_features(single) == NotComputable(Reason.TOO_FEW_FEATURES, {"features": 1, "needed": 2})


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_preparation__through_json__gives_the_same_bits_one_by_one_and_in_bulk(weight: float) -> None:
    table, _ = world_table("planted_groups", seed=1, units=1_000)
    found = learnt(table, activity_weight=weight).preparation

    read = records.load(Preparation, json.loads(json.dumps(records.dump(found))))

    assert read == found
    bulk = found.apply(table).values
    for row in (0, 1, 17, 999):
        assert np.array_equal(read.apply(table.take(np.array([row]))).values[0], bulk[row])


def test_activity_block__weight__scales_its_columns_and_zero_leaves_them_out() -> None:
    table, _ = world_table("planted_groups", seed=1, units=1_000)

    none, half, one = (learnt(table, activity_weight=weight).preparation.apply(table) for weight in (0.0, 0.5, 1.0))

    assert "active_days" not in none.names
    assert half.blocks[-4:] == ("activity",) * 4
    assert half.values[:, -4:] == pytest.approx(one.values[:, -4:] / 2)
