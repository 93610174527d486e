"""Check the text of an SQL metric before it is parsed: allowed characters, length and nesting depth. Pure."""

import re
from unicodedata import category

from runs.refusals import Refused

LONGEST, DEEPEST, MOST_WORDS = 4_000, 20, 600
LONGEST_TEXT = 200  # characters between two quotes
QUOTED = re.compile(r"('(?:[^']|'')*')")
PLAIN = re.compile(r"[A-Za-z0-9_ .,()*+\-/=<>!]")
BLANKS = re.compile(r"[ \t\r\n]+")
COMMENT = re.compile(r"--|/\*|\*/")
WORD = re.compile(r"\w+|[^\w\s]")


def one_line(sql: str) -> str:
    """The statement on one line, without a final semicolon; quoted text stays unchanged."""
    parts = QUOTED.split(sql)
    parts[::2] = [BLANKS.sub(" ", part) for part in parts[::2]]
    text = "".join(parts).strip(" ")
    return text[:-1].rstrip(" ") if text.endswith(";") else text


def refuse_text(sql: str) -> None:
    """Refuse what no SQL metric needs before parsing, so that bugs and recursion of the parser can't be exploited.

    Raises:
        Refused: too long or too deep, a comment, a second statement, a character with no meaning here.
    """
    if len(sql) > LONGEST:
        raise Refused("An SQL metric has at most {most} characters, not {count}.", most=LONGEST, count=len(sql))
    at, depth, words = 0, 0, 0
    for number, part in enumerate(QUOTED.split(sql)):
        if number % 2:
            _refuse_quoted(part, at)
        else:
            _refuse_plain(part, at)
            words += len(WORD.findall(part))
            depth = _depth(part, depth, at)
        at += len(part)
    if words > MOST_WORDS:
        raise Refused("An SQL metric has at most {most} words and signs, not {count}.", most=MOST_WORDS, count=words)


def _refuse_plain(part: str, at: int) -> None:
    if found := COMMENT.search(part):
        raise Refused(
            "An SQL metric has no comments: '{piece}' at character {place}.",
            piece=found[0],
            place=at + found.start() + 1,
        )
    for place, character in enumerate(part, start=at + 1):
        if character == ";":
            raise Refused("An SQL metric is one statement: ';' at character {place} begins another.", place=place)
        if character == '"':
            raise Refused("Names are written without quotes: '\"' at character {place}.", place=place)
        if not PLAIN.fullmatch(character):
            raise Refused(
                "'{piece}' at character {place} has no meaning in an SQL metric.", piece=_shown(character), place=place
            )


def _refuse_quoted(part: str, at: int) -> None:
    if len(part) - 2 > LONGEST_TEXT:
        raise Refused(
            "The text at character {place} is longer than {most} characters.", place=at + 1, most=LONGEST_TEXT
        )
    for place, character in enumerate(part, start=at + 1):
        if character == "\\" or category(character)[0] == "C" or category(character) in ("Zl", "Zp"):
            raise Refused(
                "The text with '{piece}' at character {place} can't be compared alike by all engines.",
                piece=_shown(character),
                place=place,
            )


def _depth(part: str, depth: int, at: int) -> int:
    for place, character in enumerate(part, start=at + 1):
        depth += (character == "(") - (character == ")")
        if depth > DEEPEST:
            raise Refused(
                "More than {most} brackets are open at character {place}: that is too deep.", most=DEEPEST, place=place
            )
    return depth


def _shown(character: str) -> str:
    return character if character.isprintable() else f"U+{ord(character):04X}"
