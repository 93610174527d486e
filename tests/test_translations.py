"""Every string that people read exists in Korean, with the same placeholders."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.messages import extracted, korean

TERMS = Path(__file__).resolve().parent.parent / "docs" / "korean.md"
NO_WORDS = re.compile(
    r"%\(\w+\)s|\{[^}]*\}|--[\w-]+|/\S+|\b[A-Z]{2,}\b|\[property=value\]|#property"
    r"|\bExperiment Viewed\b|Search apps and models"
)
CATALOG = korean()
PLACEHOLDER = re.compile(r"%\((\w+)\)s|\{(\w+)\}")


def _texts(value: object) -> tuple[str, ...]:
    """The forms of a message: one, or one per plural form."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, (tuple, list)) and value else ("",)


@dataclass(frozen=True)
class Term:
    """A row of docs/korean.md.

    Attributes:
        english: the term.
        korean: its one word.
        always: each message with the term holds to it.
        never: words that no message has, each with what may contain it.
    """

    english: str
    korean: str
    always: bool
    never: tuple[tuple[str, tuple[str, ...]], ...]

    def is_broken_by(self, english: str, meant: str) -> bool:
        """Whether a message says the term in another way."""
        for word, inside in self.never:
            rest = meant
            for allowed in inside:
                rest = rest.replace(allowed, "")
            if word in rest:
                return True
        said = re.search(rf"\b{self.english}s?\b", NO_WORDS.sub("", english), re.IGNORECASE)
        return self.always and said is not None and self.korean not in meant


def _terms() -> list[Term]:
    found = []
    for line in TERMS.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            continue
        english, korean_word, never = (cell.strip() for cell in line.strip("|").split("|"))
        words = [word.strip() for word in never.split(",") if word.strip()]
        forbidden = tuple((re.sub(r" ?\(.*\)", "", word), tuple(re.findall(r"\((.*?)\)", word))) for word in words)
        found.append(Term(english, korean_word.strip("*"), korean_word.startswith("**"), forbidden))
    return found[2:]


@pytest.mark.parametrize("term", _terms(), ids=lambda term: term.english)
def test_korean__one_term__one_word(term: Term) -> None:
    messages = [(" ".join(_texts(one.id)), " ".join(_texts(one.string))) for one in CATALOG if one.id]

    assert [message for message in messages if term.is_broken_by(*message)] == []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (r"십시오|습니까", "sentences end in -세요 and -나요"),
        (r"(?<=[0-9}s)]) %(?![(a-zA-Z])", "no blank before a percent sign"),
        (r"(?:은\(는\)|이\(가\)|을\(를\)|과\(와\))[가-힣]", "a particle is followed by a blank"),
        (r"(?<!\.)[.!?]{2}(?!\.)", "one stop at the end"),
        (r" ~ |\d–\d", "a range has ~ without a blank"),
        (r"[가-힣] \(", "a bracket follows its word"),
        (r"[“”]", "quotation marks are single"),
        (r"가\?", "a question ends in -나요"),
    ],
)
def test_korean__sentences__are_written_in_one_way(wrong: str, why: str) -> None:
    found = [text for message in CATALOG if message.id for text in _texts(message.string) if re.search(wrong, text)]

    assert found == [], why


@pytest.mark.slow
def test_korean__every_string__translated_and_not_fuzzy() -> None:
    catalog = korean()

    absent = [message.id for message in extracted() if message.id and message.id not in catalog]
    empty = [message.id for message in catalog if message.id and not all(_texts(message.string))]
    fuzzy = [message.id for message in catalog if message.fuzzy and message.id]

    assert absent == []
    assert empty == []
    assert fuzzy == []


def test_korean__placeholders__are_those_of_the_source() -> None:
    def names(text: object) -> set[str]:
        return set(PLACEHOLDER.findall(" ".join(_texts(text))))

    wrong = [message.id for message in korean() if message.id and names(message.id) != names(message.string)]

    assert wrong == []


def test_korean__every_message__compiles() -> None:
    wrong = [(message.id, str(error)) for message in korean() for error in message.check()]

    assert wrong == []


@pytest.mark.slow
def test_extracted__templates_and_code__are_both_seen() -> None:
    strings = {message.id for message in extracted()}

    assert "Verdict of each comparison" in strings
    assert "The nudge failed" in strings
    assert "A person cancelled this run." in strings  # stored in English, translated for its reader
