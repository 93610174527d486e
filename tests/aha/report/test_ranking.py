"""What a model leans on: ties are said, and a model without skill shows its reason."""

from dataclasses import replace

from aha.report import page, ranking
from stats.results import NotComputable, Reason
from tests.aha.make_report import model, report, skill


def test_no_ranking__model_without_skill__shows_the_reason_and_no_picture() -> None:
    made = report(model=replace(model(), trees=skill(0.0), ranking=NotComputable(Reason.NO_SKILL), swarm=()))

    (part,) = page.results(made)[1].parts

    assert part.finding.startswith("The model does not beat the base rate")
    assert not part.picture
    assert part.table is None
    assert "Only the logistic model beats the base rate" in str(part.note)
    assert "Only the logistic" not in ranking.skill(report())


def test_ranking__behaviour_in_the_group_of_activity__does_not_lead() -> None:
    activity, friend, rotate = ranking.ranked(report())
    together = (activity, replace(friend, group=activity.group, rank=1, rank_low=1, rank_high=1), rotate)
    made = report(model=replace(model(), ranking=together))

    assert ranking.finding(made).startswith("Beyond activity, rotate predicts most")
    assert ranking.finding(report()).startswith("Beyond activity friend_add comes first, but not alone")
    alone = ranking.finding(report(model=replace(model(), ranking=(activity,))))
    assert alone.startswith("Some behaviours predict retention, but no better")


def test_tied__overlapping_ranges_of_other_groups_only() -> None:
    rows = ranking.ranked(report())

    assert [ranking.tied(row, rows) for row in rows] == [False, True, True]
