"""The answer first, and why it is believed."""

import pytest

from segments.report import page
from segments.search.clustering import Null
from segments.search.result import Report
from tests.segments.make_report import cluster, nothing_found, report


def test_headline__all_stable__how_many() -> None:
    assert page.headline(report()) == "2 stable groups of users"


def test_headline__one_only_a_pattern__says_how_many_are_stable() -> None:
    mixed = report(clusters=(cluster(0, heat=(1.0, 0.0)), cluster(1, stability=0.74, heat=(-1.0, 0.0))))

    assert page.headline(mixed) == "2 groups of users, 1 of them stable"


def test_headline__nothing_found__points_to_tiers() -> None:
    assert page.headline(nothing_found()) == "No stable groups: use activity tiers"


@pytest.mark.parametrize(
    ("made", "beginning"),
    [
        (report(), "Resampling the users finds the same groups again (agreement 0.95"),
        (nothing_found(), "No number of groups from 2 to 10 is found again"),
        (
            nothing_found(choice=report().choice, null=Null(0.1, (0.1, 0.2), 0.051, 0.0)),
            "The 2 groups are no more separate",
        ),
        (nothing_found(choice=report().choice), "Resampling the users does not find the same 2 groups again"),
    ],
    ids=["found", "no number", "null", "unstable"],
)
def test_why__each_way__its_own_sentence(made: Report, beginning: str) -> None:
    assert page.why(made).startswith(beginning)
