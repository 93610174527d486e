"""The criteria may disagree, and each choice has its reason."""

import pytest

from segments.report import evidence
from segments.search.clustering import KChoice, KReason
from tests.segments.make_report import report


def test_numbers_of_groups__criteria__their_disagreement_shows() -> None:
    table = evidence.number_of_groups_table(report())

    assert "Davies-Bouldin 3" in table.note
    assert "silhouette 2" in table.note
    assert [row[0] for row in table.rows] == ["2 ←", "3", "4"]
    assert [row[3] for row in table.rows] == ["yes", "yes", "no"]


@pytest.mark.parametrize("reason", list(KReason))
def test_k_finding__every_reason__has_words(reason: KReason) -> None:
    choice = KChoice(2, reason, None, report().choice.votes)

    assert "2" in evidence.number_of_groups_finding(report(choice=choice))
