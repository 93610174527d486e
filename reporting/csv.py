"""Tables as CSV that spreadsheets open correctly. Pure."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reporting.words import gettext

# Parse a cell of a page's table into numbers that a spreadsheet can calculate with. Pure.
#
# Tables hold formatted text; a CSV file must hold the numbers. What is no number stays text. Numbers have the precision
# of the page: a report's JSON has the full one.

NUMBER = r"[+\u2212-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?"
BETWEEN = r"(?:\u2026|\u22ef|~|to)"
WHOLE_OF_N = r"(?:(?P<n>\d[\d,]*), )?"


@dataclass(frozen=True)
class Cell:
    """A cell: a value with its limits, unit and sample size; or a text, where it is no number.

    Attributes:
        value: None if the cell has only limits, or a text.
        low, high: limits; None without.
        unit: "%", "points" or "".
        n: number of units behind the figure, if the cell gives it.
        text: the text of a cell that is no number, else "".
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    n: float | None = None
    text: str = ""


def read_cell(text: str) -> Cell:
    """Parse a table cell written in the active language."""
    plain = " ".join(str(text).replace("\u00a0", " ").split())
    units = _units()
    unit = "|".join(re.escape(word) for word in units)
    estimate = rf"{WHOLE_OF_N}(?P<value>{NUMBER}) ?(?P<unit>{unit})?"
    limits = rf"(?P<low>{NUMBER}) ?(?:{unit})? ?{BETWEEN} ?(?P<high>{NUMBER}) ?(?P<limits_unit>{unit})?"
    for pattern in (estimate, rf"{estimate} \({limits}\)", limits):
        found = re.fullmatch(pattern, plain)
        if found is not None:
            return _cell(found.groupdict(), units)
    return Cell(text=plain)


def _units() -> dict[str, str]:
    """Map the units as pages write them, in the active language and in English, to the units in the file."""
    points = (gettext("%(value)s points") % {"value": ""}).strip()
    return {points: "points", "%p": "points", "points": "points", "%": "%"}


def _cell(found: dict[str, str | None], units: dict[str, str]) -> Cell:
    unit = found.get("unit") or found.get("limits_unit") or ""
    return Cell(
        _number(found.get("value")),
        _number(found.get("low")),
        _number(found.get("high")),
        units.get(unit, ""),
        _number(found.get("n")),
    )


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    value = float(text.replace(",", "").replace("\u2212", "-"))
    return int(value) if value.is_integer() and "." not in text else value


# Our own cells may begin with a sign: "+24.1 (+21.3 … +26.9)". So may a formula: "-1+cmd|' /C calc'!A0".
SIGNED = re.compile(r"[+-]\d")
FORMULA = re.compile(r"[=|!@&\"'*^]|[^\W\d_]\(|[+\-/][^\W\d_]")


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The file line by line, so that a long one can be streamed."""
    yield "\ufeff"  # without it Excel reads Hangul in the machine's legacy code page
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([harmless(cell) for cell in row])


def harmless(text: Any) -> Any:
    """Escape a cell that a spreadsheet would run as a formula: event names come from outside (OWASP, CSV injection)."""
    if not isinstance(text, str) or text[:1] not in ("=", "@", "+", "-", "\t", "\r", "\n"):
        return text
    return text if SIGNED.match(text) and not FORMULA.search(text) else f"'{text}"


class _Echo:
    """File-like object for `csv.writer`: `write` returns the line."""

    def write(self, value: str) -> str:
        return value
