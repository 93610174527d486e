"""Tables as CSV that spreadsheets open as they should. Pure."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reporting.words import gettext

# A cell of a page's table as numbers that a spreadsheet can calculate with. Pure.
#
# Tables hold text, since people read them; a file must hold the numbers themselves. What is no number stays text.
# Figures have the digits of the page: a report's JSON has all of them.

NUMBER = r"[+\u2212-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?"
BETWEEN = r"(?:\u2026|\u22ef|~|to)"
WHOLE_OF_N = r"(?:(?P<n>\d[\d,]*), )?"


@dataclass(frozen=True)
class Cell:
    """A cell: a value with its limits and unit, units behind it; or a text, where it is no number.

    Attributes:
        value: None where the cell has limits alone, or a text.
        low, high: limits; None without.
        unit: "%", "points" or "".
        n: units behind the figure, where the cell says so.
        text: what is no number, "" else.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    n: float | None = None
    text: str = ""


def read_cell(text: str) -> Cell:
    """A cell as a table of a page has it, in the active language."""
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
    """Units as the page writes them, in the active language and in English: to what the file calls them."""
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


# Our own cells begin with a sign too: "+24.1 (+21.3 … +26.9)". A formula may begin like them: "-1+cmd|' /C calc'!A0".
SIGNED = re.compile(r"[+-]\d")
FORMULA = re.compile(r"[=|!@&\"'*^]|[^\W\d_]\(|[+\-/][^\W\d_]")


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The file line by line, so that a long one can be sent while it is read."""
    yield "\ufeff"  # without it Excel reads Hangul in the machine's old code page
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([harmless(cell) for cell in row])


def harmless(text: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: names of events come from outside (OWASP, CSV injection)."""
    if not isinstance(text, str) or text[:1] not in ("=", "@", "+", "-", "\t", "\r", "\n"):
        return text
    return text if SIGNED.match(text) and not FORMULA.search(text) else f"'{text}"


class _Echo:
    """Where `csv` writes: it gives each line back."""

    def write(self, value: str) -> str:
        return value
