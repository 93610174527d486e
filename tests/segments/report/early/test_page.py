"""What the page of a running segmentation says."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from reporting.document import dump
from segments.models import SegmentationRun
from segments.report.early import page
from segments.search import partial_results
from segments.search.gaps import Shape
from segments.search.partial_results import Chance, Chosen, Compared, GroupCount, Neighbours, Sizes, Started, TierSizes
from segments.search.reduction import Method
from segments.search.tiers import Cuts
from stats.results import NotComputable, Reason

FIRST: dict[str, Any] = {partial_results.STARTED: dump(Started(1_200, 1_000))}
TIERS = TierSizes(200, 1_000, 7, Cuts(2, 4), (60, 80, 50), 70)
ALL: dict[str, Any] = {
    **FIRST,
    partial_results.TIERS: dump(TIERS),
    partial_results.FEATURES: dump(Compared(12, 3)),
    partial_results.GROUPS: dump(GroupCount(4, False, 0.5)),
    partial_results.METHOD: dump(Chosen(Method.PCA, GroupCount(3, True, 0.9))),
    partial_results.CHANCE: dump(Chance(0.02, 50)),
    partial_results.GAPS: dump(Neighbours(2, 3, Shape.STYLES)),
    partial_results.SIZES: dump(Sizes((500, 300, 100))),
}


def known(documents: dict[str, Any]) -> dict[str | None, str | None]:
    found = page(documents)
    assert found is not None
    return {row[0]: row[1] for row in found.tables[1].rows}


def test_page__before_anybody_is_counted__is_none() -> None:
    assert page({}) is None


def test_page__first_counts__leave_a_place_for_all_the_rest() -> None:
    found = page(FIRST)

    assert found is not None
    assert found.counted == "1,000 users are considered."
    assert found.tables[0].rows == (
        ("low activity", None, None),
        ("middle activity", None, None),
        ("high activity", None, None),
    )
    assert [value for value in known(FIRST).values() if value is not None] == ["1,200", "1,000"]


def test_page__all_parts__fill_the_same_places() -> None:
    found = page(ALL)

    assert found is not None
    assert found.counted == "Counted on a sample: 200 of 1,000 users, drawn by seed 7. The exact counts follow."
    assert found.tables[0].rows[1] == ("middle activity", "80", "40%")
    assert found.tables[0].note == "Low: up to 2 active days; middle: up to 4; high: more."
    assert list(known(ALL)) == list(known(FIRST))
    assert [str(value).replace("\N{NO-BREAK SPACE}", " ") for value in known(ALL).values()][2:] == [
        "70 (35%)",
        "12, and 3 behaviours left out",
        "3",
        "0.90",
        "PCA",
        "p = 0.020, 50 populations",
        "styles of play: a gap between 2 of 3 pairs of neighbours",
        "500, 300, 100",
    ]


def test_page__no_tiers_and_no_groups__says_so() -> None:
    no_cuts = NotComputable(Reason.TOO_FEW_VALUES, {"n": 2, "needed": 3})
    documents = {
        **FIRST,
        partial_results.TIERS: dump(TierSizes(1_000, 1_000, 7, no_cuts, (), 10)),
        partial_results.GROUPS: dump(GroupCount(4, False, 0.5)),
        partial_results.GAPS: dump(Neighbours(0, 0, Shape.NONE)),
    }

    found = page(documents)

    assert found is not None
    assert found.counted == "Counted on all 1,000 users."
    assert found.tables[0].rows[0] == ("low activity", "n/a", "n/a")
    assert found.tables[0].note != ""
    assert "4, for viewing only" in known(documents).values()
    assert "no stable groups" in known(documents).values()


@pytest.mark.django_db
def test_progress__parts_of_a_segmentation__come_with_the_poll() -> None:
    client = Client()
    client.force_login(User.objects.create_user("ann"))
    run = SegmentationRun.objects.create(status="running", early={"count": 1, "parts": FIRST})

    text = client.get(f"/segments/runs/{run.pk}/progress/", headers={"hx-request": "true"}).content.decode()

    assert "1,000 users are considered." in text
    assert client.get(f"/segments/runs/{run.pk}/").content.decode().count("not yet") == 14
