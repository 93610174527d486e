"""The glossary, reachable from every part of a page; `tools.check` sees that each term is documented."""

import re

import pytest
from django.template import Context, Template
from django.test import Client
from django.utils import translation

from insight_site.pages import glossary

TERMS = [term for section in glossary.sections() for term in section.terms]


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
    assert glossary.find(slug).slug == slug


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
    assert glossary.shown_with(part) == words


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
