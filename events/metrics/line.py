"""How names and numbers stand in the one-line text form of a definition. Pure."""

import re

from events.expressions.one_line import LONGEST as LONGEST_SQL
from runs.refusals import Refused

LONGEST_LINE = (
    LONGEST_SQL + 100
)  # characters of a definition: the longest SELECT, with its window and its cap before it
SPECIAL = re.compile(r"([\\:\[\]#=/])")


def percent(share: float) -> str:
    """A share as a line has it."""
    return f"{100 * share:.10g}%"


def decimal(text: str, given: str) -> float:
    """A number above or at 0; `text` is the definition that is refused otherwise."""
    if not re.fullmatch(r"\d+(\.\d+)?(e[+-]?\d+)?", given, re.ASCII):
        raise Refused("'{given}' needs a number such as 100 or 99.9%, not '{number}'.", given=text, number=given)
    return float(given)


def whole_number(text: str, number: str, *, least: int = 0) -> int:
    """A whole number of at least `least`; `text` is the definition that is refused otherwise."""
    if not re.fullmatch(r"\d{1,5}", number, re.ASCII) or int(number) < least:
        raise Refused(
            "'{given}' needs a whole number of {least} or more, not '{number}'.", given=text, least=least, number=number
        )
    return int(number)


def split(text: str) -> list[str]:
    """Split at colons that no backslash protects; the backslashes stay for `unescape`."""
    parts, protected = [""], False
    for character in text:
        if character == ":" and not protected:
            parts.append("")
        else:
            parts[-1] += character
        protected = character == "\\" and not protected
    return parts


def escape(name: str) -> str:
    """A name as it stands in a line."""
    return SPECIAL.sub(r"\\\1", name)


def unescape(name: str) -> str:
    """A name as it was before `escape`."""
    return re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL)
