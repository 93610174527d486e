"""A maximum far beyond the null is drawn at the edge."""

from dataclasses import replace

import pytest

from aha.report.chance import observed_far
from tests.aha.make_report import null


@pytest.mark.parametrize(("observed", "far"), [(6.4, False), (6.41, True)])
def test_observed_far__at_the_limit(observed: float, far: bool) -> None:
    assert observed_far(replace(null(by_activity=False), observed=observed)) is far
