"""Time to churn: what the title says, what is drawn, and that the renderer takes it."""

from dataclasses import replace

import pytest

from experiments.report.over_time import survival_draw as draw
from experiments.report.over_time import survival_finding as finding
from experiments.report.over_time import survival_part_of as part_of
from reporting.charts import Drawing
from stats.results import NotComputable, Reason
from stats.survival.kaplan_meier import Durations, kaplan_meier
from stats.survival.rmst import compare_restricted_means
from tests.experiments.make_readout import make_readout
from tests.experiments.report.over_time.make_charts import (
    CONTROL,
    GONE,
    HANGUL,
    VARIANT,
    assert_rendered,
    drawing_of,
    rows_of,
)
from tests.stats.make import computed


def survival(groups: dict[str, Durations], days: tuple[float, ...] = (0, 7, 14)) -> Drawing:
    control, *others = groups
    differences = {name: compare_restricted_means(groups[control], groups[name], tau=14) for name in others}
    curves = {name: computed(kaplan_meier(group)) for name, group in groups.items()}
    risk = {name: list(zip(days, group.at_risk(days), strict=True)) for name, group in groups.items()}
    return drawing_of(finding(differences, 14), draw(curves, risk, differences, 14))


@pytest.mark.slow
def test_chart__rendered__is_a_picture_with_its_title_and_hangul() -> None:
    assert_rendered(survival({"control": CONTROL, HANGUL: VARIANT, "gone": GONE}))


def test_survival_chart__rows__start_at_one_and_end_at_the_horizon() -> None:
    found = rows_of(survival({"control": CONTROL, "nudge": VARIANT}).spec, "share")
    assert [(row["day"], row["share"]) for row in found if row["name"] == "nudge"] == [
        (0, 1),
        (0, 0.97),
        (5, pytest.approx(0.77)),
        (12, pytest.approx(0.67)),
        (14, pytest.approx(0.67)),
    ]
    text = [(row["name"], row["day"], row["text"]) for row in rows_of(survival({"a": CONTROL}).spec, "text")]
    assert text == [("a", 0, "1,000"), ("a", 7, "660"), ("a", 14, "460")]


def test_survival_chart__days_beyond_the_curves__have_no_column() -> None:
    spec = survival({"a": CONTROL}, (0, 14, 15, 30)).spec
    assert [row["day"] for row in rows_of(spec, "text")] == [0, 14]


def test_survival_chart__followed_for_less_than_the_horizon__ends_where_nobody_is_followed() -> None:
    short = Durations.from_counts([(5, True, 300), (9, False, 700)])
    found = rows_of(survival({"a": short, "b": short}).spec, "share")
    assert max(row["day"] for row in found) == 9


def test_survival_chart__nobody_left__band_ends_where_the_curve_reaches_zero() -> None:
    spec = survival({"control": CONTROL, "gone": GONE}).spec
    band = [row for row in rows_of(spec, "low") if row["name"] == "gone"]
    assert [row["day"] for row in band] == [3, 14]
    assert band[0]["low"] == band[1]["low"] > 0
    assert rows_of(spec, "share")[-1] == {"name": "gone", "day": 14, "share": 0.0}


def test_part__an_arm_without_curve__has_a_table_and_no_picture() -> None:
    readout = make_readout()
    control, *rest = readout.arms_over_time
    missing = replace(control, survival=NotComputable(Reason.TOO_FEW_CLUSTERS))

    whole, without = part_of(readout), part_of(replace(readout, arms_over_time=(missing, *rest)))

    assert whole is not None
    assert without is not None
    assert (whole.picture, without.picture, without.draw) == (True, False, None)
    assert without.table == whole.table


def test_part__no_arms__has_no_picture() -> None:
    found = part_of(replace(make_readout(), arms_over_time=()))

    assert found is not None
    assert found.draw is None
    assert part_of(replace(make_readout(), over_time=())) is None


def test_stay_finding__sign_and_interval__choose_the_sentence() -> None:
    longer = compare_restricted_means(CONTROL, VARIANT, tau=14)
    shorter = compare_restricted_means(VARIANT, CONTROL, tau=14)
    nothing = compare_restricted_means(CONTROL, CONTROL, tau=14)
    refused = compare_restricted_means(CONTROL, VARIANT, tau=25)
    text = finding({"a": longer, "b": shorter, "c": nothing, "d": refused}, 14).splitlines()
    # By hand: everybody is observed until day 14, so means 11.58 and 10.34, variances 16.6236 and 19.5444 over 1,000.
    assert text[0] == "a: stays 1.24 days longer than control, of the first 14 (+0.87\u00a0to\u00a0+1.61)."
    assert text[1].startswith("b: leaves ")
    assert "(−1.61" in text[1]
    assert text[2].startswith("c: no longer or shorter stay")
    assert "so long" in text[3]
