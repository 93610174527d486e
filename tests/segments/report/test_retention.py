"""Groups differ in retention only beyond chance."""

import pytest

from segments.report import groups
from segments.search.leaving import Association
from tests.segments.make_report import report


@pytest.mark.parametrize(("p_value", "differs"), [(0.05, True), (0.0501, False)])
def test_retention_finding__beyond_chance_only(p_value: float, differs: bool) -> None:
    found = groups.retention_finding(report(association=Association(1.0, 1, p_value, 0.1)))

    assert found.startswith("Retention runs from 30.0% in g1 · more battle to 50.0% in g2 · less battle") is differs


def test_retention_finding__no_retention__says_so() -> None:
    assert groups.retention_finding(report(clusters=())) == "Retention by group isn't known"
