"""A list page's rows, filtered by state and text, page by page: shared by the doors of all apps."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from runs.kinds import all_kinds
from runs.models import Run

PER_PAGE = 25
LONGEST_TEXT = 200


@dataclass(frozen=True)
class Listing:
    """What `components/filters.html` and `components/pages.html` show.

    Attributes:
        page: the rows of this page.
        text: what was searched for, or "".
        state: the state that was chosen, or "".
        states: value and words of the states to choose from; empty where there are none.
        total: rows without any filter: an empty list and an empty answer need other words.
    """

    page: Page[Any]
    text: str
    state: str
    states: tuple[tuple[str, Any], ...]
    total: int

    @property
    def filtered(self) -> bool:
        """True when the request searches or filters."""
        return bool(self.text or self.state)


def listing(
    request: HttpRequest,
    rows: QuerySet[Any],
    *,
    text_in: tuple[str, ...],
    state_in: str = "",
    states: Iterable[tuple[str, Any]] = (),
    prefix: str = "",
) -> Listing:
    """The rows that a request asks for by ``q``, ``state`` and ``page``; nonsense in them asks for nothing.

    Args:
        request: the page's request.
        rows: all rows, ordered.
        text_in: fields that are searched for ``q``, case-insensitively.
        state_in: the field that holds the state, or "" for none.
        states: value and words of each state.
        prefix: in front of the three names, where one page has two lists.
    """
    asked, choices = request.GET, tuple(states)
    text = asked.get(f"{prefix}q", "").replace("\x00", "").strip()[:LONGEST_TEXT]
    state = asked.get(f"{prefix}state", "")
    total = rows.count()
    if text:
        found = Q()
        for name in text_in:
            found |= Q(**{f"{name}__icontains": text})
        rows = rows.filter(found)
    if state_in and state in dict(choices):
        rows = rows.filter(**{state_in: state})
    else:
        state = ""
    page = Paginator(rows, PER_PAGE).get_page(asked.get(f"{prefix}page"))
    return Listing(page, text, state, choices, total)


def open_runs() -> list[Run]:
    """Computations of every kind that wait or run, the newest first."""
    states = (Run.Status.QUEUED, Run.Status.RUNNING)
    found: list[Run] = []
    for kind in all_kinds():
        found += kind.light().filter(status__in=states)
    return sorted(found, key=lambda row: row.created_at, reverse=True)
