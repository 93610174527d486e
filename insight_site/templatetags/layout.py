"""How tables and lists are laid out."""

import re
from typing import Any

from django import template

register = template.Library()
# A number as our tables write it, alone or with its interval: "12,345", "+8.1 (+5.1 … +11.1)", "59.4 %", "0.0010".
NUMBER = re.compile(r"[<>≤≥=~+\-−]?\s*\d[\d,.]*(\s|\u00a0|%|[(),.…⋯+\-−–×/]|\d|to)*")


@register.filter
def aligned(table: Any) -> dict[str, Any]:
    """The table's columns and rows with an `end` mark where a column holds nothing but numbers: digits then line up."""
    rows = [list(row) for row in table.rows]
    ends = [_numbers([row[place] for row in rows if place < len(row)]) for place in range(len(table.columns))]
    return {
        "columns": list(zip(table.columns, ends, strict=True)),
        "rows": [list(zip(row, ends, strict=False)) for row in rows],
    }


def _numbers(cells: list[str]) -> bool:
    said = [str(cell).strip() for cell in cells if str(cell).strip()]
    return bool(said) and all(NUMBER.fullmatch(cell) for cell in said)
