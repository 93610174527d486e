"""Encouragement on the command line: Sesame Street, JTPA, and a nudge that nobody randomised."""

from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from stats.compare import compare_means
from stats.summaries import Mean
from tests.real.load import analysis, checks, first, table
from tests.stats.make import computed
from tests.stats.test_reference import JTPA_COVARIATES

SESAME = (
    *("--variant", "encouraged", "--control", "0", "--outcome", "postlet", "--behaviour", "watched"),
    *("--ratio", "0=88", "--ratio", "1=152"),
)
OFFER = ("--variant", "assignmt", "--control", "0", "--outcome", "earnings", "--behaviour", "training")
JTPA = (*OFFER, "--ratio", "0=1", "--ratio", "1=2")
PLAN = ("--variant", "e401k", "--control", "0", "--outcome", "nettfa", "--behaviour", "p401k")
# The split as it came about: without it the sample-ratio check already refuses to read these data as an experiment.
AS_SEEN = ("--ratio", "0=5638", "--ratio", "1=3637")


def covariates(*names: str) -> list[str]:
    return [part for name in names for part in ("--covariate", name)]


def test_sesame__take_up__is_the_published_table(real_data: Path) -> None:
    found = analysis(real_data / "iv/sesame.csv", *SESAME)
    take_up = first(found)["encouragement"]["take_up"]
    assert found["units"] == {"0": 88, "1": 152}
    assert (take_up["control"], take_up["variant"]) == pytest.approx((48 / 88, 138 / 152), abs=1e-12)
    assert first(found)["difference"]["estimate"] == pytest.approx(2.8756, abs=5e-5)
    # Known with one variance for both arms: 0.1086 (its error 1.7857); the report's arms each have their own.
    assert first(found)["difference"]["p_value"] == pytest.approx(0.1086, abs=0.01)
    assert first(found)["difference"]["standard_error"] == pytest.approx(1.7857, rel=0.04)
    assert first(found)["verdict"]["code"] == "INCONCLUSIVE"


def test_sesame__error__is_not_that_of_a_second_stage_by_hand(real_data: Path) -> None:
    """Regressing Y on the fitted D gives 4.9268, the published 4.9, which leaves the behaviour's own error out."""
    effect = first(analysis(real_data / "iv/sesame.csv", *SESAME))["encouragement"]["effect"]
    assert effect["standard_error"] == pytest.approx(4.6138, rel=6e-3)
    assert abs(effect["standard_error"] - 4.9268) > 0.25
    assert effect["p_value"] == pytest.approx(0.0863, abs=2e-3)


def test_sesame__covariates__change_the_answer_and_both_are_reported(real_data: Path) -> None:
    found = analysis(real_data / "iv/sesame.csv", *SESAME, *covariates("prelet", "site:category", "setting"))
    row = first(found)["encouragement"]
    assert row["adjusted_effect"]["p_value"] < 0.05 < row["effect"]["p_value"]
    # Known with the classic error: 3.77e-4 and [6.372, 21.695]; ours is HC1, the error that published tables have.
    half = 4.0944 * 1.97
    assert (row["adjusted_effect"]["low"], row["adjusted_effect"]["high"]) == pytest.approx(
        (14.0340 - half, 14.0340 + half), abs=0.01
    )
    assert row["adjusted_effect"]["p_value"] < 1e-3
    # Encouragement was given out with another chance at each site, and the balance check sees it.
    assert "imbalance" in checks(found)


def test_sesame__letters_before__differ_by_chance(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "iv/sesame.csv")
    arms = [Mean.from_values(frame.loc[frame.encouraged == arm, "prelet"]) for arm in (0, 1)]
    row = computed(compare_means(*arms))
    assert row.estimate == pytest.approx(-1.75, abs=5e-3)
    assert row.low < 0 < row.high
    # Known with one variance for both arms (Student), which Welch doesn't presume.
    degrees = sum(arm.n - 1 for arm in arms)
    variance = sum((arm.n - 1) * arm.variance for arm in arms) / degrees
    t = row.estimate / (variance * sum(1 / arm.n for arm in arms)) ** 0.5
    assert 2 * float(stats.t.sf(abs(t), degrees)) == pytest.approx(0.1263, abs=5e-5)


def test_jtpa__offer_is_not_training__the_report_divides_by_what_the_offer_moved(real_data: Path) -> None:
    row = first(analysis(real_data / "iv/jtpa.csv", *JTPA))["encouragement"]
    take_up = row["take_up"]
    assert (take_up["control"], take_up["variant"]) == pytest.approx((54 / 3717, 4804 / 7487), abs=1e-12)
    assert 1 - take_up["variant"] == pytest.approx(0.358, abs=5e-4)
    assert row["as_treated"] == pytest.approx(2791.09, abs=5e-3)
    assert row["effect"]["estimate"] == pytest.approx(1848.83, abs=5e-3)
    limits = (row["anderson_rubin"]["low"], row["anderson_rubin"]["high"])
    # Known with one variance: [799.15, 2896.69].
    assert limits == pytest.approx((799.15, 2896.69), rel=0.03)


def test_jtpa__men_and_women__disagree_about_significance_not_about_direction(real_data: Path) -> None:
    found = analysis(real_data / "iv/jtpa.csv", *JTPA, "--segment", "sex")
    row = first(found)
    effects = {part["segment"]: part["difference"] for part in row["by_segment"]}
    assert effects["1"]["estimate"] == pytest.approx(1116.58, abs=5e-3)
    assert effects["0"]["estimate"] == pytest.approx(1242.56, abs=5e-3)
    # Known with the classic error: 6.65e-4 and 0.0543.
    assert effects["0"]["p_value"] < 1e-3 < 0.04 < effects["1"]["p_value"] < 0.06
    # So "works for women, not for men" isn't said: the test of a difference finds none.
    assert row["stratified"]["heterogeneity_p_value"] > 0.5


@pytest.mark.parametrize(
    ("sex", "n", "extra", "effect", "error", "p_value"),
    [(1, 5102, (), 1592.94, 894.61, 0.0746), (0, 6102, ("afdc",), 1779.92, 531.65, 8.01e-4)],
)
def test_jtpa__published_covariates__give_the_published_effect(
    real_data: Path,
    tmp_path: Path,
    sex: int,
    n: int,
    extra: tuple[str, ...],
    effect: float,
    error: float,
    p_value: float,
) -> None:
    """Some covariates hold fractions where a mean was filled in; read as flags they would give another answer."""
    frame = pd.read_csv(real_data / "iv/jtpa.csv")
    fractions = {name: int((~frame[name].isin([0, 1])).sum()) for name in ("hsorged", "married", "wkless13", "pbhous")}
    assert fractions == {"hsorged": 695, "married": 764, "wkless13": 1178, "pbhous": 229}
    part = table(tmp_path, frame[frame.sex == sex])
    found = analysis(part, *JTPA, *covariates(*JTPA_COVARIATES, *extra))
    row = first(found)["encouragement"]["adjusted_effect"]
    assert sum(found["units"].values()) == n
    assert (row["estimate"], row["standard_error"]) == pytest.approx((effect, error), abs=5.1e-3)
    # Known with HC0 and the normal law; HC1 and t are a little more careful.
    assert p_value - 5e-5 < row["p_value"] < 1.03 * p_value
    assert "imbalance" not in checks(found)


def test_jtpa__earnings__zeros_stay_in(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "iv/jtpa.csv")
    assert (frame.earnings == 0).mean() == pytest.approx(0.119, abs=5e-4)
    values = analysis(real_data / "iv/jtpa.csv", *JTPA)["outcomes"][0]["values"]
    assert sum(value["n"] for value in values.values()) == 11204


def test_k401k__equal_split_assumed__is_refused_as_an_experiment(real_data: Path) -> None:
    found = analysis(real_data / "iv/k401ksubs.csv", *PLAN)
    assert found["verdict"]["code"] == "INVALID"
    assert found["sample_ratio"]["passed"] is False


def test_k401k__covariates__say_that_nobody_randomised(real_data: Path) -> None:
    """A first stage of F above 8,000 is strong, not valid: incomes differ by a third, and the balance check says so."""
    names = ("inc", "age", "agesq", "marr", "fsize")
    found = analysis(real_data / "iv/k401ksubs.csv", *PLAN, *AS_SEEN, *covariates(*names))
    row = first(found)["encouragement"]
    assert row["take_up"]["f_statistic"] > 8000
    assert row["take_up"]["control"] == 0
    assert "was assignment random" in checks(found)["imbalance"]
    assert "no_variation" in checks(found)
    # Published (Abadie 2003) with the five covariates, thousands: 9.41883 (2.15289).
    adjusted = row["adjusted_effect"]
    assert (adjusted["estimate"], adjusted["standard_error"]) == pytest.approx((9.41883, 2.15289), abs=6e-6)
    more = first(analysis(real_data / "iv/k401ksubs.csv", *PLAN, *AS_SEEN, *covariates(*names, "incsq")))
    more = more["encouragement"]["adjusted_effect"]
    assert (more["estimate"], more["standard_error"]) == pytest.approx((13.64106, 1.98037), abs=6e-6)
    assert row["effect"]["estimate"] == pytest.approx(26.77116, abs=6e-6)


def test_k401k__eligible_households__earn_more(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "iv/k401ksubs.csv")
    arms = [Mean.from_values(frame.loc[frame.e401k == arm, "inc"]) for arm in (0, 1)]
    assert [arm.mean for arm in arms] == pytest.approx([34.1, 47.3], abs=0.05)
    assert computed(compare_means(*arms)).p_value < 1e-100
