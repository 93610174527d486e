"""Layout of tables and lists."""

import re
import secrets
from typing import Any

from django import template

from reporting.numbers import Absent

register = template.Library()
# A number as our tables write it, alone or with its interval: "12,345", "+8.1 (+5.1 to +11.1)", "59.4%", "0.0010".
NUMBER = re.compile(r"[<>≤≥=~+\-−]?\s*\d[\d,.]*(\s|\u00a0|%|[(),.…⋯+\-−–×/~]|\d|to)*")

# A figure with its unit, a p-value or a date up to this length stays on one line: broken, it would be misread.
SHORT = 12


@register.filter
def aligned(table: Any) -> dict[str, Any]:
    """The table's columns, marked `end` if all cells are numbers, so that digits line up; and its rows.

    Each cell has CSS classes: `end` as its column, `keep` if it may not wrap; and, if it holds a reason instead of a
    number, an id for the popover of "n/a".
    """
    rows = [list(row) for row in table.rows]
    ends = [_numbers([row[place] for row in rows if place < len(row)]) for place in range(len(table.columns))]
    return {
        "columns": list(zip(table.columns, ends, strict=True)),
        "rows": [
            [(cell, _classes(cell, end), _why(cell)) for cell, end in zip(row, ends, strict=False)] for row in rows
        ],
    }


def _why(cell: Any) -> str:
    return f"why-{secrets.token_hex(4)}" if isinstance(cell, Absent) else ""


def _classes(cell: Any, end: bool) -> str:
    kept = isinstance(cell, Absent) or (len(str(cell)) <= SHORT and any(letter.isdigit() for letter in str(cell)))
    return " ".join(name for name, given in (("end", end), ("keep", kept)) if given)


def _numbers(cells: list[str]) -> bool:
    said = [str(cell).strip() for cell in cells if str(cell).strip() and not isinstance(cell, Absent)]
    return bool(said) and all(NUMBER.fullmatch(cell) for cell in said)
