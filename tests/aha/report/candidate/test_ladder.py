"""A rung that is missing is said."""

from dataclasses import replace

from aha.evidence.aipw import Adjusted
from aha.evidence.ladder import Rung, RungName
from aha.report import adjusted as report_adjusted
from aha.study.result import Candidate
from stats.results import NotComputable, Reason
from tests.aha.make_report import candidate, difference


def test_ladder__missing_last_rung__says_why_and_keeps_the_raw_number() -> None:
    row = candidate()
    gone = replace(row.ladder.rungs[3], difference=NotComputable(Reason.NO_OVERLAP), adjusted=None)
    row = replace(row, ladder=replace(row.ladder, rungs=(*row.ladder.rungs[:3], gone)))

    assert report_adjusted.ladder_finding(row).startswith(
        "The raw difference is 37.5 points; how much is left can't be said."
    )
    assert report_adjusted.overlap(row) == ""
    assert row.ladder.headline is gone


def test_ladder__daily_trials__are_the_headline_and_claim_no_more_than_they_remove() -> None:
    row = candidate()
    adjusted = replace(ladder_adjusted(row), n_with=120, n_without=3_400)
    rung = Rung(RungName.DAILY, difference(0.05), 900, adjusted=adjusted)
    row = replace(row, ladder=replace(row.ladder, rungs=(*row.ladder.rungs, rung)))

    said = report_adjusted.ladder_finding(row)

    assert "5.0 points (2.0 to 8.0)" in said
    assert "adjusts for what was measured before that day, no more" in said
    assert "free of confounding" not in " ".join(
        (said, report_adjusted.caution(), report_adjusted.ladder_table(row).note)
    )
    assert len(report_adjusted.ladder_table(row).rows) == 5
    assert "120 days on which users came to the number against 3,400" in report_adjusted.ladder_table(row).note
    assert report_adjusted.overlap(row).startswith("Quality of the daily comparison")


def test_ladder__daily_trials_refused__falls_back_to_the_fourth_rung() -> None:
    row = candidate()
    rung = Rung(RungName.DAILY, NotComputable(Reason.NO_OVERLAP), 0)
    row = replace(row, ladder=replace(row.ladder, rungs=(*row.ladder.rungs, rung)))

    assert row.ladder.headline.name is RungName.FULL
    assert report_adjusted.ladder_finding(row) == "Of 37.5 points 8.0 are left after adjusting for everything measured."
    assert "too few comparable users" in report_adjusted.ladder_table(row).rows[4][1]


def ladder_adjusted(row: Candidate) -> Adjusted:
    found = row.ladder.full.adjusted
    assert found is not None
    return found
