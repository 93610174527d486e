"""Fast food: weeks of one store are copies, so stores are the unit; markets known beforehand belong in the analysis."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stats.adjustment import cluster_difference
from stats.iv_moments import iv_moments_adjusted
from tests.real.load import analysis, checks, first
from tests.stats.make import computed

PROMOTIONS = ("--variant", "Promotion", "--control", "1", "--outcome", "SalesInThousands")
FILE = "ab/fastfood_WA_Marketing-Campaign.csv"


def test_fast_food__levels__and_stores_as_what_was_assigned(real_data: Path) -> None:
    found = analysis(real_data / FILE, *PROMOTIONS, "--cluster", "LocationID")
    values = found["outcomes"][0]["values"]
    assert (found["rows"], found["excluded"]) == (548, {})
    assert [value["mean"] for value in values.values()] == pytest.approx([58.0990, 47.3294, 55.3645], abs=5e-5)
    # 43, 47 and 47 stores, four weeks each: the split is tested on stores, not on rows.
    assert list(found["units"].values()) == [4 * 43, 4 * 47, 4 * 47]
    expected = sum((n - 137 / 3) ** 2 / (137 / 3) for n in (43, 47, 47))
    assert found["sample_ratio"]["statistic"] == pytest.approx(expected, abs=1e-9)


def test_fast_food__rows_taken_for_units__look_three_times_as_sure_and_are_warned_of(real_data: Path) -> None:
    rows = analysis(real_data / FILE, *PROMOTIONS)
    stores = analysis(real_data / FILE, *PROMOTIONS, "--cluster", "LocationID")
    assert "unit_of_assignment" in checks(rows)
    assert "unit_of_assignment" not in checks(stores)
    for variant, known in ((0, 3.2132), (1, 3.3988)):
        plain, robust = (first(found, variant=variant)["difference"] for found in (rows, stores))
        # 1.7038 with one variance for all three arms; Welch has each arm's own.
        assert plain["standard_error"] == pytest.approx(1.7038, rel=0.05)
        # Known with the usual factor over three arms; CR2 of two arms is .6 % larger (the stores' means by Welch).
        assert robust["standard_error"] == pytest.approx(known, rel=0.01)
        assert robust["p_value"] > 100 * plain["p_value"] or plain["p_value"] > 0.05


def test_fast_food__promotion_2__loses_by_stores_and_3_is_open(real_data: Path) -> None:
    """Known from ANOVA and Tukey over store means: 2-1 p 0.004, 3-1 p 0.69."""
    found = analysis(real_data / FILE, *PROMOTIONS, "--cluster", "LocationID")
    two, three = (first(found, variant=variant) for variant in (0, 1))
    assert two["difference"]["estimate"] == pytest.approx(-10.770, abs=5e-4)
    assert three["difference"]["estimate"] == pytest.approx(-2.735, abs=5e-4)
    assert (two["verdict"]["code"], three["verdict"]["code"]) == ("HARMS", "INCONCLUSIVE")
    assert two["difference"]["adjusted_p_value"] == pytest.approx(0.003990, abs=0.002)


def test_fast_food__3_against_2__is_the_known_gain(real_data: Path) -> None:
    frame = pd.read_csv(real_data / FILE)
    arm = frame.Promotion.map({1: 2, 2: 0, 3: 1}).to_numpy(float)
    row = computed(cluster_difference(frame.SalesInThousands.to_numpy(float), arm, frame.LocationID.to_numpy()))
    assert row.estimate == pytest.approx(8.035, abs=5e-4)
    # Tukey's interval allows for three comparisons: [0.39, 15.68], p 0.0371; ours is of this comparison alone.
    assert 0.39 < row.low < row.high < 15.68
    assert row.p_value < 0.0371


@pytest.mark.parametrize(("variant", "effect", "error"), [(2, -9.718, 0.514), (3, -4.925, 0.542)])
def test_fast_food__a_dummy_per_market__gives_the_known_effects(
    real_data: Path, variant: int, effect: float, error: float
) -> None:
    frame = pd.read_csv(real_data / FILE)
    other = (frame.Promotion == 5 - variant).to_numpy(float)
    x = np.column_stack([pd.get_dummies(frame.MarketID).to_numpy(float), other])
    nudge, sales = (frame.Promotion == variant).to_numpy(float), frame.SalesInThousands.to_numpy(float)
    found = computed(iv_moments_adjusted(sales, nudge, nudge, x, clusters=frame.LocationID.to_numpy()))
    # The known errors have the usual factor; CR2, which allows for eleven dummies, is up to a twentieth larger.
    assert found.itt == pytest.approx(effect, abs=5.1e-4)
    assert error < found.v_r**0.5 < 1.05 * error


def test_fast_food__markets_as_segments__turn_nothing_into_a_loss(real_data: Path) -> None:
    """On the command line: within markets promotion 3 loses 4.9 thousand, without them it "does nothing"."""
    found = analysis(real_data / FILE, *PROMOTIONS, "--cluster", "LocationID", "--segment", "MarketID")
    for variant, effect in ((0, -9.718), (1, -4.925)):
        row = first(found, variant=variant)
        within = row["stratified"]["risk_difference"]
        # Mantel-Haenszel weights of two arms, not a regression of three: the same effect within a tenth.
        assert within["estimate"] == pytest.approx(effect, abs=0.1)
        assert within["standard_error"] < row["difference"]["standard_error"] / 5
        assert within["high"] < 0
    assert first(found, variant=1)["difference"]["high"] > 0


def test_fast_food__ten_market_dummies_on_43_stores__are_refused_not_guessed(real_data: Path) -> None:
    options = ("--cluster", "LocationID", "--covariate", "MarketID:category")
    found = analysis(real_data / FILE, *PROMOTIONS, *options)
    assert "Too few clusters" in first(found)["covariate_adjusted"]["not_computable"]
