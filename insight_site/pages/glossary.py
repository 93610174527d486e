"""Every statistical word of the pages in two plain sentences, and how to find one. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from insight_site.pages.glossary_terms import TERMS, Term
from reporting.words import gettext, later

# The glossary: statistical terms in two plain sentences, for `{% note "cace" %}` and the glossary page. Pure.
#
# The formulas stand in docs/, under the heading that each term names (a test looks it up).


@dataclass(frozen=True)
class Section:
    """A section of related terms."""

    slug: str
    title: str
    terms: tuple[Term, ...]


# Which terms the parts of a page need, by the part's slug; a candidate's parts carry its number in front, "c1-heat",
# and are listed as "c-heat" where another page has a part of the same name.
SHOWN_WITH: dict[str, tuple[str, ...]] = {
    "curve": ("retention", "plateau", "interval"),
    "weeks": ("retention", "interval"),
    "ranking": ("shap",),
    "swarm": ("shap",),
    "nulls": ("null", "p-value", "adjusted-p"),
    "controls": ("negative-control",),
    "stack": ("abc", "j"),
    "c-heat": ("j", "as-good"),
    "pareto": ("precision-recall", "phi"),
    "dose": ("jump",),
    "honesty": ("hold-out",),
    "ladder": ("ladder", "daily-trials", "interval"),
    "maps": ("pca", "umap"),
    "tsne": ("umap",),
    "scorecard": ("pca", "umap"),
    "numbers": ("silhouette",),
    "null": ("null", "p-value"),
    "stability": ("stability",),
    "heat": ("standardised-difference",),
    "retention": ("retention", "interval"),
    "drivers": ("interval", "adjusted-p"),
    "daily-curve": ("retention", "interval"),
    "daily-difference": ("interval",),
    "survival": ("retention", "interval"),
    "segments-1": ("shrinkage", "interval", "adjusted-p"),
    "first-stage": ("take-up",),
    "direct-1": ("breakdown", "anderson-rubin", "placebo"),
    "everybody-1": ("everybody", "cace", "anderson-rubin"),
    "margins": ("margin-of-nudges", "anderson-rubin"),
    "policy-1": ("policy", "interval"),
    "path": ("sequential",),
    "outcomes": ("p-value", "adjusted-p", "lift", "guardrail"),
    "decision": ("guardrail",),
    "adjusted": ("cuped", "predicted-outcome"),
    "saturation": ("spillover", "cluster", "interval"),
}


def shown_with(part: str) -> tuple[str, ...]:
    """Slugs of the terms that a part of a page needs."""
    candidates = re.sub(r"^c\d+-", "c-", part)
    return SHOWN_WITH.get(candidates) or SHOWN_WITH.get(candidates.removeprefix("c-"), ())


BY_SLUG = {term.slug: term for terms in TERMS.values() for term in terms}
TITLES = {
    "staying": later("Staying and leaving"),
    "discovery": later("What may matter"),
    "evidence": later("How much to believe it"),
    "segments": later("Who plays how"),
    "experiments": later("Whether it is the cause"),
    "acting": later("Before the start and after the verdict"),
    "trust": later("Why a result can be believed"),
    "reading": later("Reading a result"),
}


def sections() -> tuple[Section, ...]:
    """The glossary in the order of the work: retention, discovery, segments, causes."""
    return tuple(Section(slug, gettext(title), tuple(map(_translated, TERMS[slug]))) for slug, title in TITLES.items())


def find(slug: str) -> Term:
    """Find one term.

    Raises:
        KeyError: there is no such term; the template that uses it is wrong.
    """
    return _translated(BY_SLUG[slug])


def _translated(term: Term) -> Term:
    return replace(term, name=gettext(term.name), meaning=gettext(term.meaning))


# Find terms by search text, or by their first letter. Pure.

FIRST_HANGUL, SYLLABLES_PER_INITIAL = 0xAC00, 588
INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
PLAIN = {"ㄲ": "ㄱ", "ㄸ": "ㄷ", "ㅃ": "ㅂ", "ㅆ": "ㅅ", "ㅉ": "ㅈ"}


def initial(name: str) -> str:
    """The letter under which a term is listed: a Latin capital, a Hangul consonant, or # for anything else."""
    first = next((letter for letter in name if letter.isalnum()), "#")
    place = ord(first) - FIRST_HANGUL
    if 0 <= place < SYLLABLES_PER_INITIAL * len(INITIALS):
        consonant = INITIALS[place // SYLLABLES_PER_INITIAL]
        return PLAIN.get(consonant, consonant)
    return first.upper() if first.isascii() and first.isalpha() else "#"


def letters(sections: Iterable[Section]) -> list[str]:
    """Every first letter of a term, in order."""
    return sorted({initial(term.name) for section in sections for term in section.terms})


def matching(sections: Iterable[Section], text: str = "", letter: str = "") -> list[Section]:
    """Sections with the terms that contain every word of the text and begin with the letter; no empty section."""
    words = text.casefold().split()

    def holds(term: Term) -> bool:
        searched = f"{term.name} {term.slug} {term.meaning}".casefold()
        return all(word in searched for word in words) and letter in ("", initial(term.name))

    filtered = [replace(section, terms=tuple(term for term in section.terms if holds(term))) for section in sections]
    return [section for section in filtered if section.terms]
