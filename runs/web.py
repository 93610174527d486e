"""Helpers for the pages of all apps: user, htmx, permissions, and the views of progress and cancel."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import CharField, Q, QuerySet, Value
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from runs.kinds import RunKind, all_kinds, find_kind, kind_of
from runs.models import Run
from runs.perform import number_told, request_cancel
from runs.queue.status import is_alive, last_heard
from runs.refusals import Refused

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails
    from rest_framework.request import Request


# Lazily imported views: a web worker loads a module of views at its first request, not when it starts.
#
# If the URL tables imported their views, each worker would load every library that any page computes with: seconds
# and some 200 MB, also for a worker that only evaluates flags or shows the sign-in page.

type View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Views:
    """The views of one module by name: `views_of("aha.views.studies").study_list` goes into a URL table.

    A wrong name is found by its first request; `tests/insight_site/test_start.py` asks for all of them.
    """

    module: str

    def __getattr__(self, name: str) -> View:
        if name.startswith("__"):
            raise AttributeError(name)

        def view(request: HttpRequest, *args: object, **words: object) -> HttpResponseBase:
            return loaded(view)(request, *args, **words)

        # Django sets both attributes on a view; it reads nothing else of a view before calling it.
        view.__name__ = view.__qualname__ = name
        view.__module__ = self.module
        return view


def views_of(module: str) -> Views:
    """A lazy proxy for the views of the module with this dotted name; nothing is imported yet."""
    return Views(module)


def loaded(view: View) -> View:
    """Import and return the view behind a route made with `views_of`.

    Raises:
        ImportError, AttributeError: there is no such module or view.
    """
    target: View = getattr(import_module(view.__module__), view.__name__)
    return target


# Lists with filters by state and text, and pagination: shared by all apps.

PER_PAGE = 25
LONGEST_TEXT = 200


@dataclass(frozen=True)
class Listing:
    """Context for `components/filters.html` and `components/pages.html`.

    Attributes:
        page: the rows of this page.
        text: the search text, or "".
        state: the chosen state, or "".
        states: value and label of the states to choose from; empty where there are none.
        total: rows without any filter: an empty list and an empty search result need different messages.
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
    """The page of rows for the query parameters ``q``, ``state`` and ``page``; invalid values are ignored.

    Args:
        request: the page's request.
        rows: all rows, ordered.
        text_in: fields that are searched for ``q``, case-insensitively.
        state_in: the field that holds the state, or "" for none.
        states: value and label of each state.
        prefix: of the three parameters, where one page has two lists.
    """
    query, choices = request.GET, tuple(states)
    text = query.get(f"{prefix}q", "").replace("\x00", "").strip()[:LONGEST_TEXT]
    state = query.get(f"{prefix}state", "")
    total = rows.count()
    if text:
        condition = Q()
        for name in text_in:
            condition |= Q(**{f"{name}__icontains": text})
        rows = rows.filter(condition)
    if state_in and state in dict(choices):
        rows = rows.filter(**{state_in: state})
    else:
        state = ""
    page = Paginator(rows, PER_PAGE).get_page(query.get(f"{prefix}page"))
    return Listing(page, text, state, choices, total)


def open_runs() -> list[Run]:
    """Queued and running computations of every kind, newest first: one query, and one for each kind that has any."""
    kinds = {kind.model: kind for kind in all_kinds()}
    first, *others = (_open(kind).order_by().values_list(Value(label, CharField())) for label, kind in kinds.items())
    runs = [run for (label,) in first.union(*others).order_by() for run in _open(kinds[label])]
    return sorted(runs, key=lambda row: row.created_at, reverse=True)


def _open(kind: RunKind) -> QuerySet[Run]:
    return kind.light().filter(status__in=Run.OPEN)


PATIENCE = timedelta(seconds=4)  # a worker polls the queue about once a second


def person(request: "HttpRequest | Request") -> User | None:
    """The logged-in account, to be recorded as the creator; None for API keys and anonymous users."""
    return request.user if isinstance(request.user, User) else None


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks for a fragment."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    return bool(htmx)


def may[View: Callable[..., HttpResponseBase]](permission: str) -> Callable[[View], View]:
    """Decorator: 403 for a logged-in account without the permission; stands below `login_required`."""
    return permission_required(permission, raise_exception=True)


def progress_of(run: Run) -> dict[str, Any]:
    """Context of `components/progress.html` beside the run."""
    kind = kind_of(run)
    growing = kind.growing(run)
    waits = run.status == Run.Status.QUEUED and timezone.now() - run.created_at > PATIENCE
    return {
        "waits": waits,
        "no_worker": waits and not is_alive(last_heard()),
        "progress_url": kind.url(run, "progress"),
        "cancel_url": kind.url(run, "cancel"),
        "stage_words": kind.stage_words(run),
        "growing": growing,
        "told": number_told(run) if growing is not None else 0,
        "hopeful": bool(kind.early) and growing is None,
    }


def shown_with_newer(run: Run | None, newest: Run | None) -> dict[str, Any]:
    """Context of a page that shows a finished run: `run`, `above` with its progress, `may_ask` for another one.

    `above` is the run of the address itself where it isn't done, else a newer one that waits, runs or failed: that
    stands above the last successful one and never replaces it.
    """
    done = run if run is not None and run.status == Run.Status.DONE else None
    above = newest if newest is not None and newest.status != Run.Status.DONE else None
    if run is not None and done is None:
        above = run
    may_ask = above is None or not above.is_open
    return {"run": done, "above": above, "may_ask": may_ask, **({} if above is None else progress_of(above))}


@login_required
@require_safe
@vary_on_headers("HX-Request")
def progress(request: HttpRequest, label: str, **lookup: Any) -> HttpResponse:
    """The progress fragment; when the run has ended, the page reloads itself.

    Args:
        request: a poll of htmx, or a person who followed the link.
        label: the kind's model, named in the route.
        lookup: the fields that identify the run, from the route.
    """
    kind, run = _find(label, lookup)
    if not is_htmx(request):
        return redirect(kind.home_url(run))
    known = request.GET.get("told", "")
    context = {"run": run, **progress_of(run), "swaps": True, "whole": not known}
    if str(context["told"]) == known:  # the page is up to date: nothing is swapped
        del context["growing"]
    response = render(request, "components/progress.html", context)
    if not run.is_open:
        response["HX-Refresh"] = "true"
    return response


@login_required
@require_POST
def cancel(request: HttpRequest, label: str, **lookup: Any) -> HttpResponse:
    """Cancel an open run, or say why that isn't possible; the arguments are those of `progress`."""
    kind, run = _find(label, lookup)
    if not request.user.has_perm(kind.permission):
        raise PermissionDenied
    try:
        request_cancel(run)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, gettext("The run was asked to stop."))
    return redirect(kind.home_url(run))


def _find(label: str, lookup: dict[str, Any]) -> tuple[RunKind, Run]:
    kind = find_kind(label)
    if kind is None:
        raise Http404
    return kind, get_object_or_404(kind.light(), **lookup)
