"""Pages that set two segments side by side, and those that say who is in one."""

from typing import Any

import pytest
from django.test import Client

from events.models import UnitTraits
from segments.models import ComparisonRun, Membership, Segment
from segments.published.drift import DRIFT, DriftResult, Moves
from stats.results import NotComputable, Reason
from tests.segments.test_views import analyst, empty_store, pm, published

pytestmark = pytest.mark.django_db
__all__ = ["analyst", "empty_store", "pm"]  # fixtures


def pair() -> tuple[Segment, Segment]:
    first = published()
    second = Segment.objects.get(key="g2")
    for segment, count in ((first, 300), (second, 400)):
        segment.stayed = {"count": count, "n": 1_000, "retention": "window:21-27"}
        segment.pattern = [["battle", "more"], ["craft", "less"]]
        segment.save()
    return first, second


@pytest.mark.parametrize("query", ["?a={}&b={}", "?s={}&s={}"])
def test_compare__two_ticked_or_named__one_page(
    analyst: Client, query: str, django_assert_max_num_queries: Any
) -> None:
    first, second = pair()

    with django_assert_max_num_queries(22):
        page = analyst.get("/segments/compare/" + query.format(first.pk, second.pk)).content.decode()

    assert "g2 · more battle, less craft is retained more than Fighters: +10.0" in page
    assert "formed by how often their users do each behaviour" in page
    assert "Compare behaviours" not in page  # needs a permission
    assert not ComparisonRun.objects.exists()


@pytest.mark.parametrize("query", ["", "?s=1", "?a=1&b=1", "?a=x&b=99999999999999999999", "?s=1&s=2&s=3", "?a=1&b=999"])
def test_compare__not_two__a_sentence_and_the_choice(analyst: Client, query: str) -> None:
    pair()

    answer = analyst.get("/segments/compare/" + query)

    assert answer.status_code == 200
    assert ("Choose two different segments." in answer.content.decode()) is bool(query)


@pytest.mark.slow
def test_comparisons__finished__linked_from_list_model_and_pair(pm: Client) -> None:
    first, second = pair()
    run = ComparisonRun.objects.create(first=first, second=second, status="done")
    link = f"/segments/comparisons/{run.pk}/"

    pages = (
        "/segments/",
        "/segments/models/style/",
        f"/segments/compare/?a={second.pk}&b={first.pk}",
        "/segments/compare/",
    )

    assert all(link in pm.get(path).content.decode() for path in pages)


def test_segment__who_is_in_it__traits_for_all_users_for_few(analyst: Client, pm: Client) -> None:
    first, _ = pair()
    for place in range(30):
        unit = f"user-with-a-long-id-{place}"
        Membership.objects.create(version=first.version, segment=first, unit=unit)
        UnitTraits.objects.create(user_id=unit, traits={"platform": "ios" if place < 20 else "<b>", "born": place})

    page, full = (client.get(f"/segments/{first.pk}/").content.decode() for client in (analyst, pm))

    assert "66.7%" in page
    assert "&lt;b&gt;" in page
    assert "born" not in page  # differs for everybody
    assert "user…id-7" not in page
    assert "user…id-7" in full
    assert "user-with-a-long-id-7</a>" not in full


def test_find_user__exact_id__where_they_belong(analyst: Client, pm: Client) -> None:
    first, _ = pair()
    Membership.objects.create(version=first.version, segment=first, unit="ann")
    UnitTraits.objects.create(user_id="ann", traits={"platform": "ios"})

    found, wrong, hostile = (
        pm.get("/segments/users/", {"id": unit}).content.decode() for unit in ("ann", "Ann", "<script>\x00")
    )

    assert "Fighters" in found
    assert "ios" in found
    assert "No user has the id ‘Ann’" in wrong
    assert "<script>‘" not in hostile
    assert "&lt;script&gt;" in hostile
    assert analyst.get("/segments/users/", {"id": "ann"}).status_code == 403


def test_model__drift_rows_and_columns__have_the_names_of_now(pm: Client) -> None:
    first, _ = pair()
    missing = NotComputable(Reason.NO_DATA)
    moves = Moves((0, 1), ((5, 1), (0, 3)), missing, missing, from_version=1, names={0: "g1", 1: "g2"})
    first.version.drift = DRIFT.store(DriftResult(missing, {}, 0.0, moves))
    first.version.save()

    pm.post(f"/segments/{first.pk}/name/", {"name": "전투광"})
    page = pm.get("/segments/models/style/").content.decode()

    assert '<th scope="col">전투광</th>' in page
    assert '<th scope="row">전투광</th>' in page
    assert '<th scope="row">g1</th>' not in page


def test_list__models__retention_pattern_and_few_questions(analyst: Client, django_assert_max_num_queries: Any) -> None:
    pair()

    with django_assert_max_num_queries(16):
        page = analyst.get("/segments/").content.decode()

    assert "30.0%" in page
    assert "n 1,000" in page
    assert "g2 · more battle, less craft" in page


def test_members_csv__without_a_churn_model__no_empty_columns(pm: Client) -> None:
    first, _ = pair()
    Membership.objects.create(version=first.version, segment=first, unit="ann")

    plain = b"".join(pm.get(f"/segments/{first.pk}/members.csv"))
    Membership.objects.update(risk=0.25, reasons=["battle"])
    scored = b"".join(pm.get(f"/segments/{first.pk}/members.csv"))

    assert plain.decode("utf-8-sig").splitlines() == ["user,segment", "ann,Fighters"]
    assert scored.decode("utf-8-sig").splitlines() == [
        "user,segment,risk_of_leaving,reasons",
        "ann,Fighters,0.2500,battle",
    ]
