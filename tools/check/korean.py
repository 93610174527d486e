"""Check that every string for people exists in Korean, with the same placeholders and the terms of docs/korean.md."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog

from tools.messages import extracted, korean

TERMS = Path(__file__).resolve().parents[2] / "docs" / "korean.md"
NO_WORDS = re.compile(
    r"%\(\w+\)s|\{[^}]*\}|--[\w-]+|/\S+|\b[A-Z]{2,}\b|\[property=value\]|#property"
    r"|\bExperiment Viewed\b|Search apps and models"
)
PLACEHOLDER = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
WRONG = (
    (re.compile(r"십시오|습니까"), "sentences end in -세요 and -나요"),
    (re.compile(r"(?<=[0-9}s)]) %(?![(a-zA-Z])"), "no blank before a percent sign"),
    (re.compile(r"(?:은\(는\)|이\(가\)|을\(를\)|과\(와\))[가-힣]"), "a particle is followed by a blank"),
    (re.compile(r"(?<!\.)[.!?]{2}(?!\.)"), "one stop at the end"),
    (re.compile(r" ~ |\d–\d"), "a range has ~ without a blank"),
    (re.compile(r"[가-힣] \("), "a bracket follows its word"),
    (re.compile(r"[“”]"), "quotation marks are single"),
    (re.compile(r"가\?"), "a question ends in -나요"),
)


@dataclass(frozen=True)
class Term:
    """A row of docs/korean.md.

    Attributes:
        english: the English term.
        korean: its only translation.
        always: every message with the term must use it.
        never: forbidden translations, each with exceptions that may contain it.
    """

    english: str
    korean: str
    always: bool
    never: tuple[tuple[str, tuple[str, ...]], ...]

    def is_broken_by(self, english: str, meant: str) -> bool:
        """Whether a message translates the term differently."""
        for word, inside in self.never:
            rest = meant
            for allowed in inside:
                rest = rest.replace(allowed, "")
            if word in rest:
                return True
        said = re.search(rf"\b{self.english}s?\b", NO_WORDS.sub("", english), re.IGNORECASE)
        return self.always and said is not None and self.korean not in meant


def terms_in(text: str) -> list[Term]:
    """The rows of a table like that of docs/korean.md, without its two header rows."""
    found = []
    for line in text.splitlines():
        if not line.startswith("|"):
            continue
        english, korean_word, never = (cell.strip() for cell in line.strip("|").split("|"))
        words = [word.strip() for word in never.split(",") if word.strip()]
        forbidden = tuple((re.sub(r" ?\(.*\)", "", word), tuple(re.findall(r"\((.*?)\)", word))) for word in words)
        found.append(Term(english, korean_word.strip("*"), korean_word.startswith("**"), forbidden))
    return found[2:]


@cache
def _catalogue() -> Catalog:
    return korean()


def texts(value: object) -> tuple[str, ...]:
    """The forms of a message: one, or one per plural form."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, (tuple, list)) and value else ("",)


def terms() -> Iterator[str]:
    """Messages that translate a term differently from docs/korean.md."""
    pairs = [(" ".join(texts(one.id)), " ".join(texts(one.string))) for one in _catalogue() if one.id]
    for term in terms_in(TERMS.read_text("utf-8")):
        yield from (f"Korean of “{term.english}”: {pair[1]}" for pair in pairs if term.is_broken_by(*pair))


def sentences() -> Iterator[str]:
    """Messages in an inconsistent style."""
    for message in _catalogue():
        for text in texts(message.string) if message.id else ():
            yield from (f"Korean: {why}: {text}" for why in wrong_in(text))


def wrong_in(text: str) -> Iterator[str]:
    """Style errors of a Korean sentence."""
    yield from (why for pattern, why in WRONG if pattern.search(text))


def complete() -> Iterator[str]:
    """Strings of the code without a Korean translation, and translations that are empty, fuzzy or lack placeholders."""
    catalogue = _catalogue()
    source = extracted()
    # From templates, and strings stored in English but translated for the reader: both ways of extraction work.
    for known in ("Verdict of each comparison", "A person cancelled this run."):
        if known not in source:
            yield f"tools/messages.py no longer finds “{known}”"
    yield from (f"Korean: no message for “{one.id}”" for one in source if one.id and one.id not in catalogue)
    for message in catalogue:
        if not message.id:
            continue
        if not all(texts(message.string)):
            yield f"Korean: empty for “{message.id}”"
        if message.fuzzy:
            yield f"Korean: marked as unsure for “{message.id}”"
        if placeholders(message.id) != placeholders(message.string):
            yield f"Korean: other placeholders than in “{message.id}”"
        yield from (f"Korean of “{message.id}”: {error}" for error in message.check())


def placeholders(text: object) -> set[tuple[str, str]]:
    """The placeholders of a message, in all its forms."""
    return set(PLACEHOLDER.findall(" ".join(texts(text))))


CHECKS = (terms, sentences, complete)
