"""Method documents as pages, and nothing else of docs/ is served."""

import re
from pathlib import Path

import pytest
from django.test import Client

from insight_site.pages import method_pages


@pytest.mark.parametrize("slug", method_pages.DOCUMENTS)
def test_document__opens_for_everyone_with_a_title_and_sections(client: Client, slug: str) -> None:
    answer = client.get(f"/methods/{slug}/")

    text = answer.content.decode()
    assert answer.status_code == 200
    assert len(re.findall(r"<h1[ >]", text)) == 1
    assert "<h2 id=" in text or slug in ("verdicts", "decision-figures", "analyze_file")
    assert "<script>" not in text


def test_documents__of_one_name__are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method_pages, "FOLDER", tmp_path)
    (tmp_path / "methods").mkdir()
    there = {name: tmp_path / f"{name}.md" for name in ("pooling", "methods/pooling", "peers")}
    for path in there.values():
        path.write_text("# A page\n")

    assert {name: method_pages.slug_of(path) for name, path in there.items()} == {
        "pooling": "pooling-figures",
        "methods/pooling": "pooling",
        "peers": "peers",
    }
    assert [method_pages.document(method_pages.slug_of(path)) for path in there.values()] == list(there.values())


@pytest.mark.parametrize("slug", ["security", "roles", "map", "unknown"])
def test_document__not_for_readers__is_not_found(client: Client, slug: str) -> None:
    assert client.get(f"/methods/{slug}/").status_code == 404


def test_document__at_its_address_of_0_4__leads_to_the_new_one(client: Client) -> None:
    answer = client.get("/methods/simulation/")

    assert answer.status_code == 301
    assert answer["Location"] == "/methods/worlds/"


def test_links__between_documents__stay_on_the_site() -> None:
    for page in method_pages.all_pages():
        for target in re.findall(r'href="([^"]+)"', page.html):
            assert target.startswith(("https://", "/methods/", "#")), (page.slug, target)


def test_glossary__term__links_to_its_method(client: Client) -> None:
    text = client.get("/glossary/").content.decode()

    assert 'href="/methods/encouragement/#unpooled-z"' in text
