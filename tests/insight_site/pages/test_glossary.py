"""The glossary: complete, documented, and reachable from every part of a page."""

import re
from pathlib import Path

import pytest
from django.template import Context, Template
from django.test import Client
from django.utils import translation

from insight_site.glossary import entries
from insight_site.glossary.terms import Term

ROOT = Path(__file__).resolve().parents[3]
TERMS = [term for section in entries.sections() for term in section.terms]
ASKED = re.compile(r"{% (?:note|terms) ((?:\"[\w-]+\" ?)+)")


def test_slugs__are_unique() -> None:
    assert len({term.slug for term in TERMS}) == len(TERMS)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.slug)
def test_term__heading__stands_in_the_documentation(term: Term) -> None:
    text = (ROOT / "docs" / f"{term.doc}.md").read_text(encoding="utf-8")

    assert f"\n## {term.heading}\n" in text


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.slug)
def test_term__meaning__is_two_sentences(term: Term) -> None:
    sentences = re.findall(r"[^.]*(?:\.\d[^.]*)*\.(?= |$)", term.meaning)

    assert len(sentences) == 2


@pytest.mark.parametrize(
    "slug",
    [
        "retention",
        "aha-moment",
        "take-up",
        "itt",
        "cace",
        "anderson-rubin",
        "p-value",
        "interval",
        "sample-ratio",
        "shrinkage",
        "j",
        "phi",
        "shap",
        "e-value",
        "per-protocol",
    ],
)
def test_term__that_pages_use__is_explained(slug: str) -> None:
    assert entries.find(slug).slug == slug


def test_templates__words_they_ask_for__exist() -> None:
    asked = {
        slug
        for path in (ROOT / "templates").rglob("*.html")
        for found in ASKED.findall(path.read_text(encoding="utf-8"))
        for slug in re.findall(r"[\w-]+", found)
    }
    asked |= {slug for slugs in entries.SHOWN_WITH.values() for slug in slugs}

    assert len(asked) > 15
    assert asked - {term.slug for term in TERMS} == set()


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("c12-heat", ("j", "as-good")),
        ("heat", ("standardised-difference",)),
        ("c1-weeks", ("retention", "interval")),
        ("unknown", ()),
    ],
)
def test_shown_with__part_of_a_candidate_or_a_page__its_own_words(part: str, words: tuple[str, ...]) -> None:
    assert entries.shown_with(part) == words


def test_note__twice_on_a_page__has_two_ids_and_a_name() -> None:
    with translation.override("en"):
        text = Template('{% load notes %}{% note "cace" %}{% note "cace" %}').render(Context())

    ids = re.findall(r'popovertarget="([^"]+)"', text)
    assert len(set(ids)) == 2
    assert all(f'popover id="{name}"' in text for name in ids)
    assert text.count('aria-label="Explain: What is CACE?"') == 2


def test_page__for_a_stranger__has_every_term(client: Client, db: None) -> None:
    text = client.get("/glossary/").content.decode()

    assert all(f'<dt id="{term.slug}">' in text for term in TERMS)
