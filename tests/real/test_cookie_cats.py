"""Cookie Cats: two arms on retention, a sample-ratio watch, one outlier, and ways to filter the answer away."""

from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from stats.compare import compare_means
from stats.stratified import cmh_test
from stats.summaries import Mean
from tests.real.load import Known, analysis, checks, first, same_shares, table
from tests.stats.make import computed

GATES = ("--unit", "userid", "--variant", "version", "--control", "gate_30")
DAY_1 = Known(
    (20034, 44700), (20119, 45489), -0.005905, (-0.012392, 0.000582), -1.7841, 0.0744, (-0.0132, -0.0274, 0.0013)
)
DAY_7 = Known(
    (8502, 44700), (8279, 45489), -0.008201, (-0.013282, -0.003121), -3.1644, 0.001554, (-0.0431, -0.0689, -0.0166)
)


def cookie_cats(real_data: Path) -> pd.DataFrame:
    return pd.read_csv(real_data / "ab/cookie_cats.csv")


def test_cookie_cats__both_retentions__give_every_figure_of_the_table(real_data: Path) -> None:
    found = analysis(real_data / "ab/cookie_cats.csv", *GATES, "--outcome", "retention_1", "--outcome", "retention_7")

    same_shares(found["outcomes"][0], 0, DAY_1)
    same_shares(found["outcomes"][1], 0, DAY_7)
    assert found["excluded"] == {}
    assert found["sample_ratio"]["statistic"] == pytest.approx(6.9024, abs=5e-5)


@pytest.mark.parametrize(("known", "chi_square"), [(DAY_1, 3.1830), (DAY_7, 10.0132)])
def test_cookie_cats__one_stratum__gives_pearsons_chi_square(known: Known, chi_square: float) -> None:
    arms = Mean.from_counts(*known.control), Mean.from_counts(*known.treatment)
    statistic, p_value = computed(cmh_test([arms]))
    n = known.control[1] + known.treatment[1]
    # Cochran-Mantel-Haenszel has the variance with n - 1 where Pearson has n.
    assert statistic * n / (n - 1) == pytest.approx(chi_square, abs=6e-5)
    assert p_value == pytest.approx(known.p, rel=3e-3)


def test_cookie_cats__rounds__are_decided_by_one_player_and_the_report_names_him(real_data: Path) -> None:
    found = analysis(real_data / "ab/cookie_cats.csv", *GATES, "--outcome", "sum_gamerounds")
    values, row = found["outcomes"][0]["values"], first(found)
    assert values["gate_30"]["mean"] == pytest.approx(52.4563, abs=5e-5)
    assert values["gate_40"]["mean"] == pytest.approx(51.2988, abs=5e-5)
    assert values["gate_30"]["standard_error"] ** 2 * 44700 == pytest.approx(65903, abs=0.5)
    assert row["difference"]["estimate"] / row["difference"]["standard_error"] == pytest.approx(-0.8854, abs=5e-5)
    assert row["verdict"]["code"] == "INCONCLUSIVE"
    assert "49,854" in checks(found)["outlier"]

    frame = cookie_cats(real_data)
    frame = frame[frame.sum_gamerounds < 49854]
    arms = [Mean.from_values(frame.loc[frame.version == gate, "sum_gamerounds"]) for gate in ("gate_30", "gate_40")]
    assert arms[0].mean == pytest.approx(51.3421, abs=5e-5)
    assert arms[0].variance == pytest.approx(10416, abs=0.5)
    assert computed(compare_means(*arms)).p_value == pytest.approx(0.9495, abs=5e-5)


def test_cookie_cats__without_the_outlier__no_finding_is_left(real_data: Path, tmp_path: Path) -> None:
    frame = cookie_cats(real_data)
    rest = table(tmp_path, frame[frame.sum_gamerounds < 49854])
    assert "outlier" not in checks(analysis(rest, *GATES, "--outcome", "sum_gamerounds"))


def test_cookie_cats__players_who_reached_the_gate__are_not_the_experiment(real_data: Path, tmp_path: Path) -> None:
    """The filter comes after assignment: it doubles the effect, and the report on everybody isn't that."""
    frame = cookie_cats(real_data)
    reached = analysis(table(tmp_path, frame[frame.sum_gamerounds >= 40]), *GATES, "--outcome", "retention_7")
    everybody = analysis(real_data / "ab/cookie_cats.csv", *GATES, "--outcome", "retention_7")

    assert reached["units"] == {"gate_30": 13566, "gate_40": 13827}
    naive = first(reached)["difference"]["estimate"]
    assert naive == pytest.approx(-0.017809, abs=6e-7)
    assert first(everybody)["difference"]["estimate"] == pytest.approx(-0.008201, abs=6e-7)
    assert naive < 2 * first(everybody)["difference"]["estimate"]


def test_cookie_cats__alarm_level__watch_at_one_percent_and_no_alarm_at_one_in_a_thousand(real_data: Path) -> None:
    found = analysis(real_data / "ab/cookie_cats.csv", *GATES, "--outcome", "retention_7")
    assert 0.001 < found["sample_ratio"]["p_value"] < 0.01
    assert float(stats.chi2.sf(6.9024, 1)) == pytest.approx(found["sample_ratio"]["p_value"], abs=1e-6)
    assert found["verdict"]["code"] == "HARMS"
    assert checks(found).keys() == {"sample_ratio_watch"}
    # The level is part of the sentence, so that a reader can disagree with it.
    assert "below .001" in checks(found)["sample_ratio_watch"]


def test_cookie_cats__post_assignment_rounds_as_segment_or_not__day_7_counts_everybody(real_data: Path) -> None:
    """3,599 players come on day 7 without day 1: "retained on day 7" isn't a part of "retained on day 1"."""
    frame = cookie_cats(real_data)
    assert int((frame.retention_7 & ~frame.retention_1).sum()) == 3599
    found = analysis(real_data / "ab/cookie_cats.csv", *GATES, "--outcome", "retention_7")
    counted = sum(round(value["n"] * value["mean"]) for value in found["outcomes"][0]["values"].values())
    assert counted == int(frame.retention_7.sum()) == 8502 + 8279
