"""Names and numbers in the one-line text form of a definition. Pure."""

import re

from events.expressions.one_line import LONGEST as LONGEST_SQL
from runs.refusals import Refused

LONGEST_LINE = (
    LONGEST_SQL + 100
)  # maximum characters of a definition: the longest SELECT, with its window and its cap before it
SPECIAL = re.compile(r"([\\:\[\]#=/])")


def percent(share: float) -> str:
    """Format a share."""
    return f"{100 * share:.10g}%"


def decimal(text: str, given: str) -> float:
    """Parse a number of at least 0; `text` is the whole definition, for the error message."""
    if not re.fullmatch(r"\d+(\.\d+)?(e[+-]?\d+)?", given, re.ASCII):
        raise Refused("'{given}' needs a number such as 100 or 99.9%, not '{number}'.", given=text, number=given)
    return float(given)


def whole_number(text: str, number: str, *, least: int = 0) -> int:
    """Parse a whole number of at least `least`; `text` is the whole definition, for the error message."""
    if not re.fullmatch(r"\d{1,5}", number, re.ASCII) or int(number) < least:
        raise Refused(
            "'{given}' needs a whole number of {least} or more, not '{number}'.", given=text, least=least, number=number
        )
    return int(number)


def split(text: str) -> list[str]:
    """Split at colons that aren't escaped by a backslash; the backslashes stay for `unescape`."""
    parts, protected = [""], False
    for character in text:
        if character == ":" and not protected:
            parts.append("")
        else:
            parts[-1] += character
        protected = character == "\\" and not protected
    return parts


def escape(name: str) -> str:
    """Escape a name for a line."""
    return SPECIAL.sub(r"\\\1", name)


def unescape(name: str) -> str:
    """Undo `escape`."""
    return re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL)
