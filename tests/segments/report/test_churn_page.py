"""Whether the scores of a churn model can be read as chances."""

import pytest

from segments.published import churn_model
from segments.published.churn_model import Bin, ChurnResult, Coefficient, Quality
from segments.report import churn_page
from segments.search.learning import Skill
from segments.search.ranks import Auc
from stats.results import NotComputable, Reason


def quality(low: float = 0.9) -> Quality:
    skill = Skill(1_000, 400, Auc(0.75, 0.01, 0.73, 0.77), 0.5, 0.6, 0.1, 0.08, 0.12)
    rows = (Bin(500, 0.2, 0.21, 0.18, 0.24), Bin(500, 0.6, 0.59, 0.55, 0.63))
    return Quality(skill, 0.2, 0.24, Coefficient(1.0, low, 1.1), Coefficient(0.0, -0.1, 0.1), rows)


def churned(found: Quality | NotComputable) -> ChurnResult:
    return ChurnResult("window:21-27", 900, 800, found)


@pytest.mark.parametrize(("low", "beginning"), [(1.0, "Scores can be read"), (1.0001, "Scores rank users")])
def test_churn__slope_covers_one_or_not(low: float, beginning: str) -> None:
    view = churn_page.churn(churned(quality(low)))

    assert view.finding.startswith(beginning)
    assert view.calibration is not None
    assert len(view.calibration.rows) == 2


def test_churn__no_skill__the_reason_and_no_picture() -> None:
    result = churned(NotComputable(Reason.NO_SKILL))

    view = churn_page.churn(result)

    assert view.quality is None
    assert "does not beat the base rate" in view.finding
    assert churn_page.draw(result) == ()
    assert churn_model.CHURN.read(churn_model.CHURN.store(result)) == result


def test_draw_quality__model__calibration_with_intervals() -> None:
    drawn = churn_page.draw(churned(quality()))

    assert [row.slug for row in drawn] == ["calibration"]
