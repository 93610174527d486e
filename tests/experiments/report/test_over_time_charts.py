"""Charts of retention over time: what their titles say, what they draw, and that the renderer takes them."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from experiments.report import over_time as words
from experiments.report.over_time_charts import AtRisk, draw_curve, draw_curve_difference, draw_novelty, draw_survival
from insight_site.takeaways.rendering import png, svg
from reporting.charts import Drawing
from stats.novelty import Novelty, effect_by_week
from stats.summaries import Mean
from stats.survival.day_curve import CurveDifference, curve_difference, day_shares
from stats.survival.kaplan_meier import Durations, kaplan_meier
from stats.survival.rmst import compare_restricted_means
from tests.stats.make import computed

HANGUL = "친구 추가 넛지"
CONTROL = Durations.from_counts([(0, True, 40), (5, True, 300), (12, True, 200), (30, False, 460)])
VARIANT = Durations.from_counts([(0, True, 30), (5, True, 200), (12, True, 100), (20, False, 670)])
GONE = Durations.from_counts([(3, True, 600), (14, True, 400)])


def plain(text: str) -> str:
    return text


def drawn(found: Drawing | None) -> Drawing:
    assert found is not None
    return found


def rows_of(spec: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Every row with this key, of all the chart's data sets."""
    return [row for rows in spec["datasets"].values() for row in rows if key in row]


def survival(groups: dict[str, Durations], days: tuple[float, ...] = (0, 7, 14)) -> Drawing:
    control, *others = groups
    differences = {name: compare_restricted_means(groups[control], groups[name], tau=14) for name in others}
    curves = {name: computed(kaplan_meier(group)) for name, group in groups.items()}
    risk = AtRisk(days, {name: group.at_risk(days) for name, group in groups.items()})
    return drawn(draw_survival(curves, risk, differences, 14))


def weekly(lifts: list[float], n: int = 2000) -> Novelty:
    return effect_by_week(
        [
            (date(2026, 1, 5) + timedelta(weeks=k), Mean.from_counts(600, 2000), Mean.from_counts(round(n * p), n))
            for k, p in enumerate(lifts)
        ]
    )


def days(share: float, length: int = 6) -> dict[int, tuple[int, int]]:
    return {0: (1000, 1000)} | {day: (1000 - day, round((1000 - day) * share)) for day in range(1, length)}


def difference(share: float) -> CurveDifference:
    return computed(curve_difference(days(0.3), days(share)))


def every_chart() -> list[Drawing]:
    return [
        survival({"control": CONTROL, HANGUL: VARIANT, "gone": GONE}),
        drawn(draw_curve({"control": day_shares(days(0.3)), HANGUL: day_shares(days(0.4))})),
        drawn(draw_curve_difference({HANGUL: difference(0.4), "b": difference(0.3)})),
        drawn(draw_novelty({HANGUL: weekly([0.4, 0.35, 0.3])}, share=True)),
    ]


def test_charts__rendered__are_pictures_with_their_title_and_hangul() -> None:
    for chart in every_chart():
        picture = svg(chart.spec, chart.slug)
        assert HANGUL in picture
        assert chart.label.split(" (")[0][:20] in picture
        assert png(chart.spec, scale=1)[:4] == b"\x89PNG"
        assert chart.spec["title"]["subtitle"][0].startswith("n: ")
        assert "NaN" not in json.dumps(chart.spec)


def test_survival_chart__rows__start_at_one_and_reach_the_follow_up() -> None:
    found = rows_of(survival({"control": CONTROL, "nudge": VARIANT}).spec, "share")
    assert [(row["day"], row["share"]) for row in found if row["name"] == "nudge"] == [
        (0, 1), (0, 0.97), (5, pytest.approx(0.77)), (12, pytest.approx(0.67)), (20, pytest.approx(0.67)),
    ]  # fmt: skip
    text = [(row["name"], row["day"], row["text"]) for row in rows_of(survival({"a": CONTROL}).spec, "text")]
    assert text == [("a", 0, "1,000"), ("a", 7, "660"), ("a", 14, "460")]


def test_survival_chart__days_beyond_the_curves__have_no_column() -> None:
    spec = survival({"a": CONTROL}, (0, 30, 35)).spec
    assert [row["day"] for row in rows_of(spec, "text")] == [0, 30]


def test_survival_chart__nobody_left__band_ends_where_the_curve_reaches_zero() -> None:
    spec = survival({"control": CONTROL, "gone": GONE}).spec
    band = [row for row in rows_of(spec, "low") if row["name"] == "gone"]
    assert [row["day"] for row in band] == [3, 14]
    assert band[0]["low"] == band[1]["low"] > 0
    assert rows_of(spec, "share")[-1] == {"name": "gone", "day": 14, "share": 0.0}


def test_survival_chart__no_curves__is_none() -> None:
    assert draw_survival({}, AtRisk((), {}), {}, 28) is None


def test_stay_finding__sign_and_interval__choose_the_sentence() -> None:
    longer = compare_restricted_means(CONTROL, VARIANT, tau=14)
    shorter = compare_restricted_means(VARIANT, CONTROL, tau=14)
    nothing = compare_restricted_means(CONTROL, CONTROL, tau=14)
    refused = compare_restricted_means(CONTROL, VARIANT, tau=25)
    text = words.stay_finding({"a": longer, "b": shorter, "c": nothing, "d": refused}, 14).splitlines()
    # By hand: everybody is observed until day 14, so means 11.58 and 10.34, variances 16.6236 and 19.5444 over 1,000.
    assert text[0] == "a: stays 1.24 days longer than control, of the first 14 (+0.87\u00a0…\u00a0+1.61)."
    assert text[1].startswith("b: leaves ")
    assert "(−1.61" in text[1]
    assert text[2].startswith("c: no longer or shorter stay")
    assert "so long" in text[3]


def test_curve_chart__day_0__is_not_drawn_and_nothing_else_is_no_chart() -> None:
    found = drawn(draw_curve({"a": day_shares(days(0.3)), "b": day_shares(days(0.4, 4))}))
    assert min(row["day"] for row in rows_of(found.spec, "share")) == 1
    # The last day that both have.
    assert found.label == "Active on day 3: a\u00a030.0\u00a0%, b\u00a040.0\u00a0%."
    assert draw_curve({"a": day_shares({0: (5, 5)})}) is None
    assert draw_curve({}) is None


def test_difference_chart__days_beyond_the_band__are_filled_and_named() -> None:
    variant = days(0.3) | {3: (997, 400), 4: (996, 200)}
    curve = computed(curve_difference(days(0.3), variant))
    found = drawn(draw_curve_difference({"a": curve}))
    assert found.label == (
        "a: higher than control on day 3, all days considered together. "
        "a: lower than control on day 4, all days considered together."
    )
    rows = rows_of(found.spec, "band_low")
    assert [row["day"] for row in rows if row["apart"]] == [3, 4]
    assert rows[3]["estimate"] == pytest.approx(100 * (400 - 299) / 997)
    assert words.difference_finding({"a": difference(0.3)}).startswith("a: no day differs")
    assert draw_curve_difference({}) is None


@pytest.mark.parametrize(
    ("lifts", "beginning"),
    [
        ([0.42, 0.36, 0.30], "a: the effect fades with later enrolment, from +12.0 points to 0.00 points (p"),
        ([0.30, 0.36, 0.42], "a: the effect grows with later enrolment, from 0.00 points to +12.0 points (p"),
        ([0.42, 0.30, 0.18], "a: the effect turns with later enrolment, from +12.0 points to −12.0 points (p"),
        ([0.36, 0.36, 0.36], "a: no steady change"),
        ([0.36, 0.36], "a: Too few weeks"),
    ],
)
def test_novelty_finding__trend__is_told(lifts: list[float], beginning: str) -> None:
    text = words.novelty_finding({"a": weekly(lifts)}, share=True)
    assert text.replace("+0.00", "0.00").startswith(beginning)


def test_novelty_chart__small_week__is_hollow_and_outside_the_line() -> None:
    novelty = effect_by_week(
        [
            (date(2026, 1, 5) + timedelta(weeks=k), Mean.from_counts(n // 3, n), Mean.from_counts(n // 2, n))
            for k, n in enumerate((900, 900, 900, 30))
        ]
    )
    spec = drawn(draw_novelty({"a": novelty}, share=True)).spec
    points = rows_of(spec, "tested")
    assert [row["tested"] for row in points] == [True, True, True, False]
    line = [row for row in rows_of(spec, "week") if "tested" not in row]
    assert [row["week"] for row in line] == ["2026-01-05", "2026-01-19"]
    assert [row["estimate"] for row in line] == pytest.approx([100 / 6, 100 / 6])
    assert draw_novelty({"a": effect_by_week([])}, share=True) is None


@pytest.mark.parametrize(
    ("given", "text"), [([], ""), ([4], "4"), ([1, 2], "1–2"), ([1, 2, 3, 7, 9, 10], "1–3, 7, 9–10")]
)
def test_day_ranges__rising_days__are_runs(given: list[int], text: str) -> None:
    assert words.day_ranges(given) == text
