"""Method documents as pages: each term's link leads to a heading that is there, and nothing else of docs/ is served."""

import re

import pytest
from django.test import Client

from insight_site.glossary import entries
from insight_site.glossary.terms import Term
from insight_site.help import method_pages

TERMS = [term for section in entries.sections() for term in section.terms]


@pytest.mark.parametrize("slug", method_pages.DOCUMENTS)
def test_document__opens_for_everyone_with_a_title_and_sections(client: Client, slug: str) -> None:
    answer = client.get(f"/methods/{slug}/")

    text = answer.content.decode()
    assert answer.status_code == 200
    assert len(re.findall(r"<h1[ >]", text)) == 1
    assert "<h2 id=" in text or slug in ("verdicts", "decision", "analyze_file")
    assert "<script>" not in text


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.slug)
def test_term__its_method__is_a_heading_of_a_page(term: Term) -> None:
    page = method_pages.method_page(term.doc)

    assert page is not None
    assert method_pages.anchor(term.heading) in {anchor for anchor, _text in page.headings}


@pytest.mark.parametrize("slug", ["security", "roles", "map", "unknown"])
def test_document__not_for_readers__is_not_found(client: Client, slug: str) -> None:
    assert client.get(f"/methods/{slug}/").status_code == 404


def test_links__between_documents__stay_on_the_site() -> None:
    for page in method_pages.all_pages():
        for target in re.findall(r'href="([^"]+)"', page.html):
            assert target.startswith(("https://", "/methods/", "#")), (page.slug, target)


def test_glossary__term__links_to_its_method(client: Client) -> None:
    text = client.get("/glossary/").content.decode()

    assert 'href="/methods/statistics/#unpooled-z"' in text
