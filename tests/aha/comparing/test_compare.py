"""Two studies side by side: what they ask and find, matched by behaviour, and the same as a file of numbers."""

import csv
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from aha.models import Study
from aha.study.question import Inputs
from aha.views.comparing import matched
from reporting.document import dump
from tests.aha.make_report import INPUTS, report, result

pytestmark = [pytest.mark.once, pytest.mark.django_db]


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(User.objects.create_user("ann"))
    return client


def done(title: str, **more: Any) -> Study:
    return Study.objects.create(**{"title": title, "status": "done", "inputs": dump(INPUTS), **result(), **more})


def other_retention() -> dict[str, Any]:
    return dump(Inputs("signup", (1, 3), "week:3", behaviours=("friend_add",)))


def page(client: Client, query: str, language: str = "en") -> str:
    answer = client.get(f"/aha/compare/{query}", headers={"accept-language": language})
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


@pytest.mark.parametrize("query", ["", "?a=1", "?a=x&b=y", "?a=99999999999999999999999&b=1"])
def test_compare__without_two_studies__offers_those_that_are_done(viewer: Client, query: str) -> None:
    Study.objects.create(title="Waits", status="queued", inputs=dump(INPUTS))
    study = done("First")

    text = page(viewer, query)

    assert f"First (no. {study.pk})" in text
    assert "Waits" not in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("same rank", "differs", "They measure different retentions", "1,050")),
        ("ko", ("순위 같음", "다름", "잔존율 정의가 서로 다르므로", "1,050")),
    ],
)
def test_compare__two_done__shows_questions_populations_and_candidates(
    viewer: Client, language: str, words: tuple[str, ...]
) -> None:
    first, second = done("First"), done("Second", inputs=other_retention())

    text = page(viewer, f"?a={first.pk}&b={second.pk}", language)

    for word in words:
        assert word in text
    for study in (first, second):
        assert f'href="/aha/studies/{study.pk}/candidates/1/"' in text


def test_compare__same_question__nothing_differs(viewer: Client) -> None:
    first, second = done("First"), done("Second")

    text = page(viewer, f"?a={first.pk}&b={second.pk}")

    assert "differs" not in text
    assert "different retentions" not in text


def test_compare__one_without_result__says_which(viewer: Client) -> None:
    first, second = done("First"), Study.objects.create(title="Broken", status="failed", inputs=dump(INPUTS))

    assert "Without a result to compare: Broken." in page(viewer, f"?a={first.pk}&b={second.pk}")


def test_matched__candidates_of_one_alone__say_whether_the_other_counted_them() -> None:
    both = report()
    counted = replace(both, candidates=())
    blind = replace(counted, asked=replace(both.asked, behaviours=("rotate",)))

    (kept,) = matched(both, both)
    (alone,) = matched(both, counted)
    (unknown,) = matched(both, blind)
    (new,) = matched(counted, both)

    assert (kept.moved, kept.missing_words) == ("same rank", "")
    assert (alone.moved, alone.missing_words) == ("only in the first", "counted, but no candidate")
    assert unknown.missing_words == "not counted"
    assert (new.moved, new.missing_words) == ("only in the second", "counted, but no candidate")


def test_matched__other_rank__says_up_or_down() -> None:
    found = report()
    one = found.candidates[0]
    two = replace(one, behaviour="rotate")
    first, second = replace(found, candidates=(one, two)), replace(found, candidates=(two, one))

    assert [row.moved for row in matched(first, second)] == ["down 1", "up 1"]


def test_csv__holds_numbers_and_not_texts(viewer: Client) -> None:
    first, second = done("First"), done("Second")

    answer = viewer.get(f"/aha/compare/?a={first.pk}&b={second.pk}&csv=1")

    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="insight-studies-{first.pk}-{second.pk}.en.csv"'
    )
    head, row = csv.reader(answer.content.decode("utf-8-sig").splitlines())
    found = dict(zip(head, row, strict=True))
    assert found["behaviour"] == "friend_add"
    assert (found["rank_a"], found["times_a"], found["days_b"]) == ("1", "2", "3")
    assert all(-1 <= float(found[name]) <= 1 for name in ("did_a", "other_a", "gap_a", "reach_b", "j_b", "adjusted_a"))
    assert float(found["gap_a"]) == pytest.approx(float(found["did_a"]) - float(found["other_a"]))


def test_list_and_page__offer_to_run_again_and_to_compare(client: Client, db: None) -> None:
    client.force_login(User.objects.create_superuser("pm"))
    study = done("First")

    for path in ("/aha/studies/", f"/aha/studies/{study.pk}/"):
        text = client.get(path).content.decode()
        assert f"/aha/studies/new/?again={study.pk}" in text
        assert "/aha/compare/" in text
