"""Tables and rows: aligned columns, grouped numbers, why a number is missing, a run's page, a row's AHA moment."""

import re
import secrets
from typing import TYPE_CHECKING, Any

from django import template
from django.template.loader import render_to_string
from django.utils.text import capfirst

from aha.models import AhaMoment
from reporting.numbers import Absent
from runs import kinds
from runs.models import Run

if TYPE_CHECKING:
    from aha.moments.promote import Badge


# Layout of tables and lists.

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
    keep = isinstance(cell, Absent) or (len(str(cell)) <= SHORT and any(letter.isdigit() for letter in str(cell)))
    return " ".join(name for name, given in (("end", end), ("keep", keep)) if given)


def _numbers(cells: list[str]) -> bool:
    texts = [str(cell).strip() for cell in cells if str(cell).strip() and not isinstance(cell, Absent)]
    return bool(texts) and all(NUMBER.fullmatch(cell) for cell in texts)


# Filters for the admin's own pages: grouped numbers, and a run's page and kind.


@register.filter
def grouped(value: int | None) -> str:
    """A whole number with thousands separators; "" for None."""
    return "" if value is None else f"{value:,}"


@register.filter
def page_of(run: Run) -> str:
    """The page that shows a run's progress."""
    return kinds.kind_of(run).url(run)


@register.filter
def kind_of(run: Run) -> str:
    """The kind of a run."""
    return capfirst(str(run._meta.verbose_name))


# `{% absent text %}`: a number, or "n/a" with its reason. `{% moment_of moments row as m %}`: its AHA moment.
#
# `{% moment_badge moment as badge %}`: the text of the moment's badge.


@register.simple_tag(takes_context=True)
def absent(context: template.Context, text: str) -> str:
    """The number unchanged; a reason in its place becomes "n/a" that opens to show it."""
    if not isinstance(text, Absent) or context.get("standalone"):
        return text
    return render_to_string("components/absent.html", {"reason": text, "id": f"why-{secrets.token_hex(4)}"})


@register.simple_tag
def moment_badge(moment: AhaMoment) -> "Badge":
    """The moment's state, or that its experiments disagree."""
    from aha.moments.promote import badge  # imports scipy and the store: not at start

    return badge(moment)


@register.simple_tag
def moment_of(moments: dict[Any, Any], row: Any) -> Any:
    """The moment that was promoted from this candidate; None if it wasn't."""
    candidate = row.candidate
    return moments.get((candidate.behaviour, candidate.times, candidate.days)) if moments else None
