"""What an SQL metric may be: one SELECT over `events`, of few characters, built anew from listed nodes. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from unicodedata import category

from events.metrics.sql_statement import Checked
from runs.refusals import Refused

if TYPE_CHECKING:
    from sqlglot import exp


# Check the text of an SQL metric before it is parsed: allowed characters, length and nesting depth. Pure.

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
    if comment := COMMENT.search(part):
        raise Refused(
            "An SQL metric has no comments: '{piece}' at character {place}.",
            piece=comment[0],
            place=at + comment.start() + 1,
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


# Validate an SQL metric: one SELECT over `events`, rebuilt from a list of allowed nodes. Pure; sqlglot loads late.
#
# The contract: ``SELECT user_id, <number> AS value FROM events … GROUP BY user_id``, where `events` may also be a
# SELECT of the same kind in brackets. `statement.EVENT_COLUMNS` and `FUNCTIONS` list all that is allowed.


@lru_cache(maxsize=256)
def checked(sql: str) -> Checked:
    """Parse the statement, check it and rebuild it.

    Args:
        sql: on one line, as `one_line` has it.

    Raises:
        Refused: with one sentence that names the piece and where it stands.
    """
    refuse_text(sql)
    # Imported late: sqlglot costs a third of a second and 40 MB, only in processes that meet an SQL metric.
    from events.metrics.sql_tree import Rebuilding

    try:
        return Rebuilding().checked(_parsed(sql))
    except RecursionError:
        raise Refused("This SQL metric is nested too deeply.") from None


def _parsed(sql: str) -> exp.Select:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    first = (sql.split() or [""])[0]
    if first.upper() != "SELECT":  # the parser then never meets another kind of statement
        raise Refused("An SQL metric begins with SELECT, not with '{piece}'.", piece=first[:40])
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError as error:
        detail = (getattr(error, "errors", None) or [{}])[0]
        piece, end = str(detail.get("highlight") or ""), int(detail.get("col") or 0)
        raise Refused(
            "This is no SQL that can be read: see '{piece}' at character {place}.",
            piece=piece[:40] or sql[:40],
            place=max(end - len(piece) + 1, 1),
        ) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        kind = "nothing" if not statements or statements[0] is None else statements[0].key.upper()
        raise Refused("An SQL metric is one SELECT, not {piece}.", piece=kind)
    if _levels(statements[0]) > MOST_LEVELS:
        raise RecursionError
    return statements[0]


# A level costs the parser some twenty of Python's 1,000 frames; what passes here is parsed again, within more of them.
MOST_LEVELS = 30


def _levels(tree: exp.Expression) -> int:
    """Levels of a tree, counted without recursion."""
    levels = 0
    nodes: list[exp.Expression] = [tree]
    while nodes:
        levels, nodes = levels + 1, [child for node in nodes for child in node.iter_expressions()]
    return levels
