"""What the page of a running study says: places that wait, sentences that say on whom the counts rest."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from aha.models import Study
from aha.report.early import page
from aha.study import preliminary
from reporting.table import Growing
from tests.aha.study.early.make_parts import ALL, FIRST, RUNNING, SOME, running_study


def shown(documents: dict[str, object]) -> Growing:
    found = page(documents)
    assert found is not None
    return found


def row(found: Growing, place: int, table: int = 0) -> tuple[str | None, ...]:
    return tuple(
        None if cell is None else cell.replace("\N{NO-BREAK SPACE}", " ") for cell in found.tables[table].rows[place]
    )


def test_page__before_the_counts__is_none() -> None:
    assert page({preliminary.MARKED: SOME[preliminary.MARKED]}) is None


def test_page__sample__says_how_many_of_how_many_by_which_seed() -> None:
    found = shown(FIRST)

    assert found.counted == "Counted on a sample: 200 of 1,000 users, drawn by seed 7. The exact counts follow."
    assert found.news.endswith("No evidence has come yet.")
    assert "Only an experiment can show" in found.caution
    friend, rotate = row(found, 0), row(found, 1)
    assert friend == (
        "friend_add", "2 times within 3 days", "150", "250", "150", "62%", "25%", "+37.5 (+32.0 to +43.0)",
        None, None, None, None, None, None, None,
    )  # fmt: skip
    assert rotate[:3] == ("rotate", "n/a", "")
    assert row(found, 3, table=1) == ("of those counted so far: retained", "400, 40.0% (37.0 to 43.1)")


def test_page__evidence_that_came__stands_in_its_place_and_no_row_moves() -> None:
    first, last = shown(FIRST), shown(ALL)

    assert [len(table.rows) for table in first.tables] == [len(table.rows) for table in last.tables]
    assert last.counted == "Counted on all 1,000 users."
    friend, rotate = row(last, 0), row(last, 1)
    assert friend[8:] == ("", "0.0010", "n/a", "1 (1 to 2)", "jump", "n/a", "n/a")
    assert rotate[8:] == ("forced", "n/a", "n/a", "n/a", "not tested", "n/a", "no candidate")
    assert "adjusted differences: 1" in last.news
    assert "no cell" in last.tables[0].note.lower() or "reach" in last.tables[0].note.lower()


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_user("ann"))
    return client


def poll(client: Client, study: Study, told: str = "") -> str:
    answer = client.get(f"/aha/studies/{study.pk}/progress/{told}", headers={"hx-request": "true"})
    return answer.content.decode()


def test_progress__nothing_on_the_page_yet__brings_the_whole_table(client: Client) -> None:
    text = poll(client, running_study())

    assert 'id="early" hx-swap-oob="innerHTML"' in text
    assert "?told=1" in text


def test_progress__page_has_it_all__swaps_nothing(client: Client) -> None:
    text = poll(client, running_study(), "?told=1")

    assert "hx-swap-oob" not in text


def test_progress__a_part_came__fills_cells_and_leaves_the_table_where_it_is(client: Client) -> None:
    study = running_study()
    Study.objects.update(early=RUNNING)

    text = poll(client, study, "?told=1")

    assert 'id="early-1-2-9" hx-swap-oob="outerHTML">forced</span>' in " ".join(text.split())
    assert "<table" not in text
    assert "?told=4" in text


def test_progress__part_of_another_version__says_how_far_it_is_and_no_more(client: Client) -> None:
    study = running_study({preliminary.COUNTED: {"shape": "unknown"}})

    answer = client.get(f"/aha/studies/{study.pk}/")

    assert answer.status_code == 200
    assert b"30" in answer.content
    assert b"<table" not in answer.content


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_page__run_ended_badly__shows_no_early_part(client: Client, status: str) -> None:
    study = running_study()
    Study.objects.update(status=status, reason="No.")

    text = client.get(f"/aha/studies/{study.pk}/").content.decode()

    assert "friend_add" not in text


@pytest.mark.django_db
def test_page__being_computed__has_no_tour_of_the_report(client: Client) -> None:
    study = running_study()

    text = client.get(f"/aha/studies/{study.pk}/?tour").content.decode()

    assert 'id="early"' in text
    assert 'id="tour"' not in text
    assert "hint-link" not in text
