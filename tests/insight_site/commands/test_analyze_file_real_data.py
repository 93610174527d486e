"""Real experiments with known answers. Figures: shared data README, and the published sources named there.

File by file with their traps: tests/real. Here what one command says about each file.
"""

from pathlib import Path

import pytest

from tests.make import analysis

TOLERANCE = 1e-4


def test_cookie_cats__gate_40__retention_falls_and_the_outlier_is_named(real_data: Path) -> None:
    found = analysis(
        real_data / "ab/cookie_cats.csv",
        *("--unit", "userid", "--variant", "version", "--control", "gate_30"),
        *("--outcome", "retention_1", "--outcome", "retention_7", "--outcome", "sum_gamerounds"),
    )

    assert found["units"] == {"gate_30": 44700, "gate_40": 45489}
    day_1, day_7, rounds = (outcome["comparisons"][0] for outcome in found["outcomes"])
    assert [outcome["kind"] for outcome in found["outcomes"]] == ["proportion", "proportion", "mean"]
    assert day_1["difference"]["p_value"] == pytest.approx(0.0744, abs=TOLERANCE)
    assert day_7["difference"]["estimate"] == pytest.approx(-0.008201, abs=1e-6)
    assert day_7["difference"]["low"] == pytest.approx(-0.01328, abs=1e-5)
    assert day_7["difference"]["high"] == pytest.approx(-0.00312, abs=1e-5)
    assert day_7["difference"]["p_value"] == pytest.approx(0.001554, abs=1e-6)
    assert day_7["lift"]["estimate"] == pytest.approx(-0.0431, abs=TOLERANCE)
    assert (day_7["lift"]["low"], day_7["lift"]["high"]) == pytest.approx((-0.0689, -0.0166), abs=TOLERANCE)
    assert rounds["difference"]["p_value"] == pytest.approx(0.3759, abs=TOLERANCE)
    assert found["sample_ratio"]["passed"] is True
    assert found["sample_ratio"]["p_value"] == pytest.approx(0.008608, abs=1e-6)
    messages = {finding["check"]: finding for finding in found["health"]}
    assert messages["sample_ratio_watch"]["severity"] == "warning"
    assert "49,854" in messages["outlier"]["message"]
    assert "51.34 without" in messages["outlier"]["message"]


def test_cookie_cats__holm_over_two_outcomes__as_published(real_data: Path) -> None:
    found = analysis(
        real_data / "ab/cookie_cats.csv",
        *("--unit", "userid", "--variant", "version", "--control", "gate_30"),
        *("--outcome", "retention_1", "--outcome", "retention_7"),
    )

    adjusted = [outcome["comparisons"][0]["difference"]["adjusted_p_value"] for outcome in found["outcomes"]]
    assert adjusted == pytest.approx([0.0744, 0.003108], abs=TOLERANCE)
    assert found["verdict"]["code"] == "INCONCLUSIVE"
    assert found["outcomes"][1]["comparisons"][0]["verdict"]["code"] == "HARMS"


def test_hillstrom__each_row_a_customer__visits_rise(real_data: Path) -> None:
    found = analysis(
        real_data / "ab/hillstrom.csv",
        *("--variant", "segment", "--control", "No E-Mail"),
        *("--outcome", "visit", "--outcome", "conversion", "--outcome", "spend"),
    )

    assert found["units"] == {"No E-Mail": 21306, "Mens E-Mail": 21307, "Womens E-Mail": 21387}
    assert found["sample_ratio"]["p_value"] == pytest.approx(0.9037, abs=TOLERANCE)
    rows = {
        (outcome["name"], row["variant"]): row["difference"]
        for outcome in found["outcomes"]
        for row in outcome["comparisons"]
    }
    assert rows["visit", "Mens E-Mail"]["estimate"] == pytest.approx(0.076590, abs=1e-6)
    assert rows["visit", "Womens E-Mail"]["estimate"] == pytest.approx(0.045233, abs=1e-6)
    assert rows["conversion", "Womens E-Mail"]["p_value"] == pytest.approx(1.57e-4, rel=0.01)
    assert rows["spend", "Mens E-Mail"]["estimate"] == pytest.approx(0.769827, abs=1e-6)
    # The family has six comparisons; the largest adjusted p is its largest raw one (Welch, women's spend).
    assert max(row["adjusted_p_value"] for row in rows.values()) == pytest.approx(0.001129, abs=1e-6)


def test_hillstrom__visit_as_behaviour__wald_and_anderson_rubin(real_data: Path) -> None:
    # Either mail may lead, so that each set is at alpha/2: 95 %, as the reference has it, for alpha = .1.
    found = analysis(
        real_data / "ab/hillstrom.csv",
        *("--variant", "segment", "--control", "No E-Mail", "--outcome", "spend", "--behaviour", "visit"),
        *("--alpha", "0.1"),
    )

    mens, womens = (row["encouragement"] for row in found["outcomes"][0]["comparisons"])
    assert mens["effect"]["estimate"] == pytest.approx(10.0513, abs=TOLERANCE)
    assert mens["effect"]["standard_error"] == pytest.approx(1.8743, abs=1e-3)
    assert (mens["anderson_rubin"]["low"], mens["anderson_rubin"]["high"]) == pytest.approx((6.386, 13.761), abs=2e-3)
    assert womens["effect"]["estimate"] == pytest.approx(9.3828, abs=TOLERANCE)
    assert found["outcomes"][0]["comparisons"][0]["verdict"]["code"] == "CAUSES"


def test_sesame__without_and_with_covariates__as_in_the_book(real_data: Path) -> None:
    options = ("--variant", "encouraged", "--control", "0", "--outcome", "postlet", "--behaviour", "watched")

    plain = analysis(real_data / "iv/sesame.csv", *options)["outcomes"][0]["comparisons"][0]["encouragement"]
    adjusted = analysis(
        real_data / "iv/sesame.csv",
        *options,
        *("--covariate", "prelet", "--covariate", "site:category", "--covariate", "setting"),
    )["outcomes"][0]["comparisons"][0]["encouragement"]

    assert plain["take_up"]["difference"] == pytest.approx(0.36244, abs=1e-5)
    assert plain["effect"]["estimate"] == pytest.approx(7.9340, abs=TOLERANCE)
    assert plain["effect"]["standard_error"] == pytest.approx(4.6363, abs=TOLERANCE)
    assert plain["anderson_rubin"]["shape"] == "interval"
    assert plain["anderson_rubin"]["low"] == pytest.approx(-2.3728, abs=TOLERANCE)
    assert plain["anderson_rubin"]["high"] == pytest.approx(16.8311, abs=TOLERANCE)
    assert plain["as_treated"] == pytest.approx(12.6894, abs=TOLERANCE)
    assert adjusted["adjusted_effect"]["estimate"] == pytest.approx(14.0340, abs=TOLERANCE)
    assert adjusted["adjusted_effect"]["standard_error"] == pytest.approx(4.0944, abs=TOLERANCE)
    assert adjusted["effect"] == plain["effect"]


def test_jtpa__offer_as_nudge__training_causes_earnings(real_data: Path) -> None:
    found = analysis(
        real_data / "iv/jtpa.csv",
        *("--variant", "assignmt", "--control", "0", "--outcome", "earnings", "--behaviour", "training"),
        *("--ratio", "0=1", "--ratio", "1=2"),
    )

    row = found["outcomes"][0]["comparisons"][0]
    assert row["encouragement"]["effect"]["estimate"] == pytest.approx(1848.83, abs=0.01)
    assert row["encouragement"]["effect"]["standard_error"] == pytest.approx(526.36, abs=0.1)
    assert row["encouragement"]["take_up"]["f_statistic"] == pytest.approx(11377, abs=1)
    assert row["encouragement"]["anderson_rubin"]["shape"] == "interval"
    assert row["verdict"]["code"] == "CAUSES"


def test_assistments__nine_covariates__lin_adjusts(real_data: Path) -> None:
    path = real_data / "ab/assistments_video_ab.csv"
    covariates = [name for name in path.open().readline().strip().split(",") if name.startswith("student_prior")]
    assert len(covariates) == 9

    found = analysis(
        path,
        *("--unit", "user_id", "--variant", "video", "--control", "FALSE", "--outcome", "completion"),
        *(part for name in covariates for part in ("--covariate", name)),
    )

    row = found["outcomes"][0]["comparisons"][0]
    assert row["difference"]["p_value"] == pytest.approx(0.1808, abs=TOLERANCE)
    assert row["covariate_adjusted"]["estimate"] == pytest.approx(0.059182, abs=1e-6)
    assert row["covariate_adjusted"]["standard_error"] == pytest.approx(0.0326, abs=5e-4)
    assert row["covariate_adjusted"]["variance_reduction"] > 0.18


def test_adsmart__totals_balance_but_days_dont__invalid(real_data: Path) -> None:
    found = analysis(
        real_data / "ab/AdSmartABdata.csv",
        *("--unit", "AuctionID", "--variant", "experiment", "--control", "control"),
        *("--outcome", "yes", "--segment", "date"),
    )

    assert found["verdict"]["code"] == "INVALID"
    assert found["sample_ratio"]["p_value"] == pytest.approx(0.4695, abs=TOLERANCE)
    assert found["sample_ratio"]["passed"] is False
    finding = found["health"][0]
    assert finding["check"] == "sample_ratio_by_segment"
    assert "7/3/2020 with control 1,545, exposed 470" in finding["message"]
    stratified = found["outcomes"][0]["comparisons"][0]["stratified"]
    assert stratified["odds_ratio"]["estimate"] == pytest.approx(1.2500, abs=TOLERANCE)
    assert stratified["cmh_p_value"] == pytest.approx(0.0140, abs=TOLERANCE)


def test_fast_food__stores_as_clusters__the_interval_widens(real_data: Path) -> None:
    path = real_data / "ab/fastfood_WA_Marketing-Campaign.csv"
    options = ("--variant", "Promotion", "--control", "1", "--outcome", "SalesInThousands")

    rows = analysis(path, *options)
    stores = analysis(path, *options, "--cluster", "LocationID")

    hint = next(finding for finding in rows["health"] if finding["check"] == "unit_of_assignment")
    assert "--cluster LocationID" in hint["message"]
    assert "548 rows, 137 groups" in hint["message"]
    assert all(finding["check"] != "unit_of_assignment" for finding in stores["health"])
    plain = rows["outcomes"][0]["comparisons"][0]["difference"]
    robust = stores["outcomes"][0]["comparisons"][0]["difference"]
    assert plain["estimate"] == pytest.approx(robust["estimate"], abs=1e-9) == pytest.approx(-10.7696, abs=TOLERANCE)
    # 3.2132 with the usual factor and all three arms in one regression; CR2 of two arms is Welch's over store means.
    assert robust["standard_error"] == pytest.approx(3.2320, abs=1e-3)
    assert robust["high"] - robust["low"] > 1.8 * (plain["high"] - plain["low"])
