"""Terms by what a person types, and by their first letter."""

import pytest
from django.test import Client

from insight_site.pages import glossary
from insight_site.pages.glossary import initial, letters, matching


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("Reach", "R"),
        ("p-value", "P"),
        ("가짜", "ㄱ"),
        ("까치", "ㄱ"),
        ("잔존율", "ㅈ"),
        ("힣", "ㅎ"),
        ("φ", "#"),
        ("3 sigma", "#"),
        ("“Lift”", "L"),
        ("", "#"),
    ],
)
def test_initial__latin_hangul_and_others__their_letter(name: str, letter: str) -> None:
    assert initial(name) == letter


def test_matching__words_in_any_order_and_case__are_found() -> None:
    found = [term.slug for one in matching(glossary.sections(), "P-VALUE adjusted") for term in one.terms]

    assert "adjusted-p" in found
    assert matching(glossary.sections(), "zzzz") == []


def test_matching__every_letter__has_terms_and_together_they_are_all() -> None:
    sections = glossary.sections()
    everything = sum(len(one.terms) for one in sections)

    assert (
        sum(len(one.terms) for letter in letters(sections) for one in matching(sections, letter=letter)) == everything
    )


def test_page__search__shows_matches_and_htmx_gets_them_alone(client: Client) -> None:
    page = client.get("/glossary/?q=plateau").content.decode()
    part = client.get("/glossary/?q=plateau", headers={"HX-Request": "true"}).content.decode()

    assert 'id="plateau"' in page
    assert 'id="shap"' not in page
    assert "<h1>" not in part
    assert "No term has" in client.get("/glossary/?q=%3Cb%3E").content.decode()
    assert "<b>" not in client.get("/glossary/?q=%3Cb%3E").content.decode()
