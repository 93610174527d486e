"""Retention as people say it ("D7", "day 14-20", "week 2", "2주차 잔존율"): parsed into a specification. Pure."""

import re
from collections.abc import Callable

from events.metrics import Metric, Retention, parse_metric, parse_retention
from reporting.words import say
from runs.refusals import Refused

# Words that don't change the meaning.
NOISE = re.compile(
    r"retention|retained|rolling|classic|active|on|the|from|잔존율|잔존|리텐션|재방문율|재방문|가입|후|일에|율"
)
DAYS = r"(\d{1,3})(?:-|~|–|to)(\d{1,3})"
FORMS = (
    (re.compile(r"(?:w|wk|week)-?(\d{1,2})|(\d{1,2})(?:주차|주째|주|stweek|ndweek|rdweek|thweek)"), "week:{0}"),
    (re.compile(rf"(?:d|days?)-?{DAYS}"), "window:{0}-{1}"),
    (re.compile(rf"{DAYS}(?:일차|일째|일|days?)?"), "window:{0}-{1}"),
    (re.compile(r"(?:d|days?)-?(\d{1,3})(?:\+|orlater)|(\d{1,3})(?:일차|일)?\+"), "unbounded:{0}"),
    (re.compile(r"(?:d|days?)-?(\d{1,3})|(\d{1,3})(?:일차|일째|일|days?)?"), "on_day:{0}"),
)


def specification(text: str) -> str | None:
    """The specification of a retention in common words, or None if it isn't understood."""
    bare = NOISE.sub("", text.strip().lower().replace("d+", "d").replace("이후", "+"))
    bare = re.sub(r"[\s,.]+", "", bare)
    for form, line in FORMS:
        found = form.fullmatch(bare)
        if found:
            return line.format(*(str(int(number)) for number in found.groups() if number is not None))
    return None


def read_retention(text: str) -> Retention:
    """Parse a retention, written as a specification or in common words.

    Raises:
        Refused: it is neither, or it contradicts itself.
    """
    return parse_retention(_line(text, parse_retention))


def read_definition(text: str) -> Metric:
    """Parse a retention or any other outcome, written as a specification or in common words.

    Raises:
        Refused: as `read_retention`.
    """
    return parse_metric(_line(text, parse_metric))


def _line(text: str, read: Callable[[str], object]) -> str:
    try:
        read(text)
    except Refused:
        meant = specification(text)
        if meant is not None:
            return meant
        if ":" in text:  # written as a specification: its own error is the more helpful one
            raise
        unknown = say("I don't know {given!r}. Write it as D7, day 14-20 or week 2.", given=text)
        raise Refused(unknown) from None
    return text
