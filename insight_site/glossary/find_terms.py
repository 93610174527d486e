"""Find terms by search text, or by their first letter. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from insight_site.glossary.entries import Section
from insight_site.glossary.terms import Term

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
        said = f"{term.name} {term.slug} {term.meaning}".casefold()
        return all(word in said for word in words) and letter in ("", initial(term.name))

    kept = [replace(one, terms=tuple(term for term in one.terms if holds(term))) for one in sections]
    return [one for one in kept if one.terms]
