"""AdSmart: the same counts under three denominators, and an allocation that changed while the totals look balanced."""

from pathlib import Path

import pandas as pd
import pytest

from stats.stratified import cmh_test, odds_ratio
from stats.summaries import Mean
from tests.real.load import Known, analysis, checks, first, same_shares, table
from tests.stats.make import computed

ASK = ("--unit", "AuctionID", "--variant", "experiment", "--control", "control")
AMONG_ANSWERED = Known(
    (264, 586), (308, 657), 0.018286, (-0.037202, 0.073773), 0.6457, 0.5185, (0.0406, -0.0779, 0.1743)
)
EVERYBODY = Known((264, 4071), (308, 4006), 0.012036, (0.000843, 0.023229), 2.1083, 0.0350, (0.1856, 0.0118, 0.3892))
ANSWERED = Known((586, 4071), (657, 4006), 0.020059, (0.004319, 0.035799), 2.4979, 0.0125, (0.1394, 0.0284, 0.2623))


def survey(real_data: Path, folder: Path) -> Path:
    """The survey with both denominators: `asked` is empty for those who didn't answer."""
    frame = pd.read_csv(real_data / "ab/AdSmartABdata.csv", dtype=str)
    answered = (frame["Yes"].astype(int) + frame["No"].astype(int)) > 0
    frame["answered"] = answered.astype(int)
    frame["asked"] = frame["Yes"].where(answered, "")
    return table(folder, frame)


def test_adsmart__three_denominators__each_names_its_own(real_data: Path, tmp_path: Path) -> None:
    outcomes = ("--outcome", "yes", "--outcome", "asked", "--outcome", "answered")
    found = analysis(survey(real_data, tmp_path), *ASK, *outcomes)

    everybody, asked, answered = found["outcomes"]
    same_shares(everybody, 0, EVERYBODY)
    same_shares(asked, 0, AMONG_ANSWERED)
    same_shares(answered, 0, ANSWERED)
    # The report says how many have no answer, and that the advertisement changed who answers.
    assert f"{8077 - 586 - 657:,}" in " ".join(checks(found).values())
    assert found["sample_ratio"]["p_value"] == pytest.approx(0.4695, abs=5e-5)


def test_adsmart__stratified_by_date__gives_both_ratios(real_data: Path, tmp_path: Path) -> None:
    found = analysis(survey(real_data, tmp_path), *ASK, "--outcome", "yes", "--outcome", "asked", "--segment", "date")
    everybody, asked = (first(found, position)["stratified"] for position in (0, 1))
    assert everybody["odds_ratio"]["estimate"] == pytest.approx(1.2500, abs=6e-5)
    assert everybody["cmh_p_value"] == pytest.approx(0.0140, abs=6e-5)
    assert everybody["pooled_segments"] == []
    # Days with fewer than 50 answers in an arm are one stratum here (docs/methods/comparison.md, "Mantel-Haenszel
    # difference"); the README keeps all eight.
    assert len(asked["pooled_segments"]) > 1
    assert asked["cmh_p_value"] == pytest.approx(0.5908, abs=2e-3)
    assert found["verdict"]["code"] == "INVALID"


@pytest.mark.parametrize(("answered", "ratio", "p_value"), [(False, 1.2500, 0.0140), (True, 1.0665, 0.5908)])
def test_adsmart__eight_dates__give_ratio_and_test_without_pooling(
    real_data: Path, answered: bool, ratio: float, p_value: float
) -> None:
    frame = pd.read_csv(real_data / "ab/AdSmartABdata.csv")
    frame = frame[(frame.Yes + frame.No > 0) | (not answered)]
    strata = [
        tuple(Mean.from_values(day.loc[day.Experiment == arm, "Yes"].astype(float)) for arm in ("control", "exposed"))
        for _, day in frame.groupby("Date")
    ]
    assert len(strata) == 8
    assert computed(odds_ratio(strata)).estimate == pytest.approx(ratio, abs=5e-5)  # type: ignore[arg-type]
    assert computed(cmh_test(strata))[1] == pytest.approx(p_value, abs=5e-5)  # type: ignore[arg-type]


def test_adsmart__dates__are_tied_to_the_arm(real_data: Path) -> None:
    """Chi-square 761.5 on 7 df: the dates as covariates of the balance check, which must alarm."""
    found = analysis(real_data / "ab/AdSmartABdata.csv", *ASK, "--outcome", "yes", "--covariate", "date:category")
    assert "imbalance" in checks(found)


def test_adsmart__by_hour__names_the_hour_that_was_not_split(real_data: Path) -> None:
    found = analysis(real_data / "ab/AdSmartABdata.csv", *ASK, "--outcome", "yes", "--segment", "hour")
    assert "15 with control 1,673, exposed 222" in checks(found)["sample_ratio_by_segment"]
    assert found["verdict"]["code"] == "INVALID"


def test_adsmart__totals_alone__see_nothing(real_data: Path) -> None:
    """The trap itself: without days the split looks right, so the report must be asked with them."""
    found = analysis(real_data / "ab/AdSmartABdata.csv", *ASK, "--outcome", "yes")
    assert found["sample_ratio"]["passed"] is True
    assert not any(check.startswith("sample_ratio") for check in checks(found))
