"""The users of a study by their level of activity on the days before retention is measured. Pure."""

import re
from dataclasses import dataclass

from events.metrics import escape, unescape
from events.metrics.levels import LEVELS, Levels, known_levels, levels_of, parse_model
from events.windows import Window
from runs.refusals import Refused

AT = "level"
FORM = re.compile(
    r"(?P<model>(?:\\.|[^:\\])+):(?P<level>\w+)"
    r"(?:=(?P<cut>\d{1,5}-\d{1,5}):(?P<days>\d{1,5}-\d{1,5}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class LevelBefore:
    """Users at exactly one level of a published segmentation.

    Attributes:
        model, number: its key and version.
        level: one of `LEVELS`.
        least, most: active days of the level.
        window: the days on which they are counted: the last ones before retention is measured.
    """

    model: str
    number: int
    level: str
    least: int
    most: int
    window: Window

    def __str__(self) -> str:
        return f"{escape(self.model)}@{self.number}:{self.level}={self.least}-{self.most}:{self.window}"


def parse_level(text: str, retained_on: Window) -> LevelBefore:
    """Read ``loyal@2:mid``, or the whole line as it is stored: ``loyal@2:mid=3-4:7-13``.

    Args:
        text: key of a segmentation, with ``@`` and its version or without, and one of its levels.
        retained_on: the days on which retention is measured.

    Raises:
        Refused: it is no such line, the version isn't published or has no levels, or retention begins too early.
    """
    matched = FORM.fullmatch(text.strip())
    if matched is None or matched["level"] not in LEVELS:
        raise Refused(
            "write MODEL:LEVEL, such as loyal:mid, not {given}; levels are {names}.",
            given=text,
            names=", ".join(LEVELS),
            at=AT,
        )
    model, number = parse_model(unescape(matched["model"]))
    if matched["cut"] and number is not None:
        levels = known_levels(model, number)
        if levels is None:  # published elsewhere: the line says what it means
            least, most = map(int, matched["cut"].split("-"))
            return LevelBefore(model, number, matched["level"], least, most, _window(matched["days"]))
    else:
        levels = levels_of(model, number)
    found = _before(levels, matched["level"], retained_on)
    if matched["cut"] and str(found) != text.strip():
        raise Refused("{given} isn't what was published; that is {line}.", given=text, line=found, at=AT)
    return found


def _before(levels: Levels, level: str, retained_on: Window) -> LevelBefore:
    first = retained_on.start_day
    if first < levels.days:
        raise Refused(
            "the levels of {model} hold for {days} days, so retention has to begin on day {days} or later.",
            model=levels.model,
            days=levels.days,
            at=AT,
        )
    window = Window(first - levels.days, first - 1)
    return LevelBefore(levels.model, levels.number, level, levels.least(level), levels.most(level), window)


def _window(text: str) -> Window:
    first, last = map(int, text.split("-"))
    return Window(first, last)
