"""Who counts, in numbers that add up."""

from dataclasses import replace

from aha.report import cohort
from aha.study.report_columns import wilson_interval
from aha.study.result import Week
from tests.aha.make_report import report


def test_flow__numbers__add_up() -> None:
    rows = {row[0]: row[1] for row in cohort.flow(report()).rows}

    assert rows["signed up in the cohort"] == "1,050"
    assert rows["left out: their retention window isn't complete yet"] == "50"
    assert rows["eligible"] == "1,000"


def test_signup_weeks__one_of_a_single_user__is_hollow_and_makes_no_finding() -> None:
    lone = Week("2025-12-29", 1, 0, wilson_interval(0, 1))
    made = replace(report(), weeks=(lone, *report().weeks))

    part = cohort.signup_weeks_part(made)
    chart, _marks = cohort.signup_weeks_chart(made)

    assert part.finding == cohort.signup_weeks_finding(report())
    assert part.note == "Hollow, without interval: weeks with fewer than 30 users."
    assert cohort.signup_weeks_part(report()).note == ""
    spec = chart.to_dict()
    layers = {one["mark"]["type"]: one.get("transform", []) for one in spec["layer"][:3]}
    assert layers == {key: [{"filter": "!datum.few"}] for key in ("line", "rule", "point")}
    drawn = next(rows for rows in spec["datasets"].values() if "few" in rows[0])
    assert [row["week"] for row in drawn if row["few"]] == ["2025-12-29"]


def test_signup_weeks__all_of_few_users__still_make_a_finding() -> None:
    weeks = (Week("2025-12-29", 4, 1, wilson_interval(1, 4)), Week("2026-01-05", 4, 3, wilson_interval(3, 4)))

    assert "25.0% to 75.0%" in cohort.signup_weeks_finding(replace(report(), weeks=weeks))
