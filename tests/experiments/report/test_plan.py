"""The plan on the page: kept, amended or changed."""

from datetime import date

import pytest

from experiments.analyse.result import AnalysisResult
from experiments.plan.analysed import Amended
from experiments.report import page
from tests.experiments.make_readout import make_readout


@pytest.mark.slow
def test_plan__kept_amended_or_changed__says_so() -> None:
    amended = Amended(date(2026, 1, 9), "ann", "slow inflow", {"planned_units": ("1000", "2000")})

    def lead(readout: AnalysisResult) -> str:
        return next(section for section in page.sections(readout) if section.slug == "plan").lead

    assert lead(make_readout()).startswith("The plan was followed")
    changed = make_readout(amendments=(amended,))
    assert lead(changed).startswith("The plan was amended once")
    registered = next(section for section in page.sections(changed) if section.slug == "plan")
    assert "slow inflow" in str(registered.parts[1].table)
    assert lead(make_readout(intact=False)).startswith("The plan was not followed")
