"""Each measure says which method is better, and each choice has its reason."""

import pytest

from segments.report import evidence
from tests.segments.make_report import report


def test_scorecard__each_measure__who_is_better() -> None:
    better = {row[0]: row[3] for row in evidence.scorecard_table(report()).rows}

    assert better["trustworthiness"] == "UMAP"
    assert better["neighbours kept"] == "PCA"
    assert better["usefulness"] == "alike"
    assert better["seconds"] == "PCA"  # fewer
    assert better["stability"] == ""  # measured for one of them


@pytest.mark.parametrize("reason", ["stability", "usefulness", "tie", "given", "fidelity"])
def test_method_finding__every_reason__has_words(reason: str) -> None:
    assert evidence.scorecard_finding(report(method_reason=reason)).startswith("PCA was clustered")
