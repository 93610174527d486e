"""Numbers of a study as people read them: one hand for its sentences, tables and charts. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from aha.aipw import Difference
from aha.cells import Interval
from aha.promise import Gain
from events.reasons import words as reason_words
from stats.results import NotComputable, computable

type Gettext = Callable[[str], str]
type Row = tuple[str, ...]

MINUS = "\u2212"
GLUE = "\u00a0"  # a number never parts from its unit, nor an interval from itself, at the end of a line


@dataclass(frozen=True)
class Table:
    """A table of formatted text.

    Attributes:
        title: what the rows are.
        columns: headings, with units.
        rows: one text per column.
        note: what the reader must know to read it, or "".
    """

    title: str
    columns: Row
    rows: tuple[Row, ...]
    note: str = ""


def decimal(value: float, digits: int = 2) -> str:
    """A number with so many decimals and a true minus sign; never a negative zero."""
    text = f"{value:,.{digits}f}"
    return text.replace("-", MINUS) if any(figure in text for figure in "123456789") else text.replace("-", "")


def percent(value: float, digits: int = 1) -> str:
    """A share, 0 to 1, as a percentage."""
    return f"{decimal(value * 100, digits)}{GLUE}%"


def points(value: float, digits: int = 1) -> str:
    """A difference of shares in points, with its sign."""
    text = decimal(value * 100, digits)
    return text if text.startswith(MINUS) else f"+{text}"


def share(value: Interval | NotComputable, gettext: Gettext) -> str:
    """A share with its 95 % interval, or the reason why there is none."""
    if not computable(value):
        return reason_words(value, gettext)
    return limits(value.estimate, value.low, value.high)


def number(value: Interval | float | NotComputable, gettext: Gettext, digits: int = 3) -> str:
    """A number, with its interval when it has one, or the reason why there is none."""
    if isinstance(value, NotComputable):
        return reason_words(value, gettext)
    if isinstance(value, Interval):
        return f"{decimal(value.estimate, digits)} ({between(decimal(value.low, digits), decimal(value.high, digits))})"
    return decimal(value, digits)


def difference(value: Interval | Difference | Gain | float | NotComputable, gettext: Gettext) -> str:
    """A difference of shares in points, with its interval when it has one, or the reason why there is none."""
    if isinstance(value, NotComputable):
        return reason_words(value, gettext)
    if isinstance(value, float):
        return points(value)
    return f"{points(value.estimate)} ({between(points(value.low), points(value.high))})"


def between(low: str, high: str) -> str:
    """Two limits that stay together."""
    return f"{low}{GLUE}…{GLUE}{high}"


def p_text(value: float) -> str:
    """A p-value inside a sentence, with its sign of relation."""
    text = p_value(value)
    return f"p{GLUE}{text}" if text.startswith("<") else f"p{GLUE}={GLUE}{text}"


def p_value(value: float | None) -> str:
    """A p-value for a cell of a table: never printed as 0, empty where it wasn't tested."""
    if value is None:
        return ""
    if value < 0.0001:
        return f"<{GLUE}0.0001"
    return f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def count(value: int) -> str:
    """A whole number with grouped thousands."""
    return f"{value:,}"


def limits(estimate: float, low: float, high: float) -> str:
    """A share with its limits, all in percent."""
    return f"{percent(estimate)} ({between(decimal(100 * low, 1), decimal(100 * high, 1))})"


def short_count(value: int) -> str:
    """A whole number where there is little room: 3,265 is 3.3k."""
    return str(value) if value < 1_000 else f"{value / 1_000:.1f}k" if value < 100_000 else f"{value / 1_000:,.0f}k"
