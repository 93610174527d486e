"""Every string that people read exists in Korean, with the same placeholders."""

import re

from tools.messages import extracted, korean

PLACEHOLDER = re.compile(r"%\((\w+)\)s|\{(\w+)\}")


def _texts(value: object) -> tuple[str, ...]:
    """The forms of a message: one, or one per plural form."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, (tuple, list)) and value else ("",)


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


def test_extracted__templates_and_code__are_both_seen() -> None:
    strings = {message.id for message in extracted()}

    assert "Verdict of each comparison" in strings
    assert "The nudge failed" in strings
    assert "A person cancelled this run." in strings  # stored in English, translated for its reader
