"""Numbers of a study as people read them: one hand for its sentences, tables and charts. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aha import words
from aha.aipw import Difference
from aha.cells import Interval
from aha.promise import Gain
from events.reasons import NotComputable, computable
from events.reasons import words as reason_words

type Gettext = Callable[[str], str]
type Row = tuple[str, ...]

MINUS = "\u2212"


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
    return f"{decimal(value * 100, digits)} %"


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
        return f"{decimal(value.estimate, digits)} ({decimal(value.low, digits)} … {decimal(value.high, digits)})"
    return decimal(value, digits)


def difference(value: Interval | Difference | Gain | float | NotComputable, gettext: Gettext) -> str:
    """A difference of shares in points, with its interval when it has one, or the reason why there is none."""
    if isinstance(value, NotComputable):
        return reason_words(value, gettext)
    if isinstance(value, float):
        return points(value)
    return f"{points(value.estimate)} ({points(value.low)} … {points(value.high)})"


def p_value(value: float | None) -> str:
    """A p-value for a cell of a table: never printed as 0, a dash of words where it wasn't tested."""
    if value is None:
        return ""
    if value < 0.0001:
        return "< 0.0001"
    return f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def count(value: int) -> str:
    """A whole number with grouped thousands."""
    return f"{value:,}"


def limits(estimate: float, low: float, high: float) -> str:
    """A share with its limits."""
    return f"{percent(estimate)} ({percent(low)} … {percent(high)})"


def marks(codes: Iterable[str], gettext: Gettext) -> str:
    """The short names of marks."""
    return ", ".join(words.flag_words(code, gettext) for code in codes)
