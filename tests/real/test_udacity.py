"""Udacity's screener: daily totals, an unfinished follow-up, a denominator that is an outcome, days as units."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.ratio_of_sums import ratio_difference
from stats.compare import compare_proportions
from stats.srm import sample_ratio
from stats.summaries import Joint, Mean
from tests.real.load import Z95, analysis, checks, first, signed_z, table, units_of
from tests.stats.make import computed

ARMS = {"control": "control", "screener": "experiment"}
CLICKS = ("--variant", "arm", "--control", "control", "--outcome", "outcome")
# n of control and screener, their counts, difference and interval with the pooled error.
GROSS = ("Enrollments", (3785, 3423), -0.020555, (-0.029123, -0.011986))
NET = ("Payments", (2033, 1945), -0.004874, (-0.011605, 0.001857))


def days(real_data: Path) -> dict[str, pd.DataFrame]:
    return {arm: pd.read_csv(real_data / f"ab/udacity_freetrial_{name}.csv") for arm, name in ARMS.items()}


def clicks_file(real_data: Path, folder: Path, outcome: str, denominator: str = "Clicks") -> Path:
    """Every click as a row, days whose outcome isn't known yet left empty."""
    arms = {}
    for arm, frame in days(real_data).items():
        rows = frame[["Date", denominator, outcome]].dropna(subset=[denominator])
        arms[arm] = [(str(d), int(n), None if np.isnan(y) else int(y)) for d, n, y in rows.itertuples(index=False)]
    return table(folder, units_of(arms), f"{outcome}.csv")


def pooled_error(row: dict[str, float]) -> float:
    return row["estimate"] / signed_z(row)


@pytest.mark.parametrize(
    ("column", "counts", "share", "p_value"),
    [("Pageviews", (345543, 344660), 0.50064, 0.2884), ("Clicks", (28378, 28325), 0.50047, 0.8271)],
)
def test_udacity__invariants__hold(
    real_data: Path, column: str, counts: tuple[int, int], share: float, p_value: float
) -> None:
    totals = {arm: int(frame[column].sum()) for arm, frame in days(real_data).items()}
    assert tuple(totals.values()) == counts
    found = computed(sample_ratio(totals, dict.fromkeys(totals, 0.5)))
    assert found.p_value > 0.01
    # Known: the exact binomial p; chi-square without correction is a little smaller.
    assert found.p_value == pytest.approx(p_value, abs=6e-3)
    assert float(stats.binomtest(counts[0], sum(counts)).pvalue) == pytest.approx(p_value, abs=5e-5)
    assert counts[0] / sum(counts) == pytest.approx(share, abs=6e-6)


def test_udacity__click_through__does_not_differ(real_data: Path) -> None:
    arms = [Mean.from_counts(int(frame.Clicks.sum()), int(frame.Pageviews.sum())) for frame in days(real_data).values()]
    row = computed(compare_proportions(*arms))
    assert row.estimate == pytest.approx(0.000057, abs=6e-7)
    assert row.low < 0 < row.high


@pytest.mark.parametrize("known", [GROSS, NET], ids=["gross", "net"])
def test_udacity__clicks_of_unfinished_days__are_left_out_and_counted(
    real_data: Path, tmp_path: Path, known: tuple[str, tuple[int, int], float, tuple[float, float]]
) -> None:
    name, counts, effect, interval = known
    found = analysis(clicks_file(real_data, tmp_path, name), *CLICKS)

    assert found["units"] == {"control": 28378, "screener": 28325}
    values = found["outcomes"][0]["values"]
    assert [(value["n"], round(value["n"] * value["mean"])) for value in values.values()] == [
        (17293, counts[0]),
        (17260, counts[1]),
    ]
    row = first(found)["difference"]
    assert row["estimate"] == pytest.approx(effect, abs=6e-7)
    half = Z95 * pooled_error(row)
    # Known with 1.96 and the pooled error; ours inverts the same pooled test.
    assert (row["estimate"] - half, row["estimate"] + half) == pytest.approx(interval, abs=2e-6)
    assert (row["low"], row["high"]) == pytest.approx(interval, abs=6e-5)
    assert "22,150" in checks(found)["missing_values"]


def test_udacity__gross_falls_and_net_stays__verdicts_follow_the_denominator(real_data: Path, tmp_path: Path) -> None:
    files = [clicks_file(real_data, tmp_path, name) for name in ("Enrollments", "Payments")]
    codes = [analysis(path, *CLICKS)["verdict"]["code"] for path in files]
    assert codes == ["HARMS", "INCONCLUSIVE"]


def test_udacity__unknown_taken_for_zero__is_the_wrong_answer_that_the_report_does_not_give(
    real_data: Path, tmp_path: Path
) -> None:
    path = clicks_file(real_data, tmp_path, "Enrollments")
    zeros = table(tmp_path, pd.read_csv(path).fillna({"outcome": 0}).astype({"outcome": int}), "zeros.csv")
    assert first(analysis(zeros, *CLICKS))["difference"]["estimate"] == pytest.approx(-0.012531, abs=6e-7)
    assert first(analysis(path, *CLICKS))["difference"]["estimate"] == pytest.approx(-0.020555, abs=6e-7)


def test_udacity__payments_per_enrolment__rises_because_fewer_enrol(real_data: Path, tmp_path: Path) -> None:
    """The filter is an outcome: the gain vanishes among those who were assigned, and the group sizes give it away."""
    found = analysis(clicks_file(real_data, tmp_path, "Payments", "Enrollments"), *CLICKS)
    row = first(found)["difference"]
    assert row["estimate"] == pytest.approx(0.031095, abs=6e-7)
    half = Z95 * pooled_error(row)
    assert (row["estimate"] - half, row["estimate"] + half) == pytest.approx((0.008104, 0.054085), abs=2e-6)
    assert row["p_value"] < 0.05
    assert found["verdict"]["code"] == "INVALID"
    assert found["sample_ratio"]["passed"] is False


def test_udacity__days_as_units__vary_more_than_clicks_do(real_data: Path) -> None:
    """Paired by day the error is 0.005623, not the binomial 0.004370; days as clusters say the same kind of thing."""
    arms = [frame.dropna() for frame in days(real_data).values()]
    rates = [(frame.Enrollments / frame.Clicks).to_numpy() for frame in arms]
    gap = Mean.from_values(rates[1] - rates[0])
    assert (gap.n, int((rates[1] > rates[0]).sum())) == (23, 4)
    assert (gap.variance / gap.n) ** 0.5 == pytest.approx(0.005623, abs=6e-7)

    whole = [Mean.from_counts(int(frame.Enrollments.sum()), int(frame.Clicks.sum())) for frame in arms]
    binomial = computed(compare_proportions(*whole))
    assert binomial.estimate / -float(stats.norm.isf(binomial.p_value / 2)) == pytest.approx(0.004370, abs=3e-6)
    pairs = [Joint.from_columns(frame[["Enrollments", "Clicks"]].to_numpy(float)) for frame in arms]
    by_day = computed(ratio_difference(*pairs))
    assert by_day.estimate == pytest.approx(binomial.estimate, abs=1e-12)
    assert by_day.standard_error > 1.2 * binomial.standard_error


def test_udacity__sign_test_over_days__up_on_4_and_10(real_data: Path) -> None:
    control, screener = (frame.dropna() for frame in days(real_data).values())
    for name, up, p_value in (("Enrollments", 4, 0.002599), ("Payments", 10, 0.6776)):
        counted = int((screener[name] / screener.Clicks > control[name] / control.Clicks).sum())
        assert counted == up
        assert float(stats.binomtest(up, 23).pvalue) == pytest.approx(p_value, abs=5e-5)
