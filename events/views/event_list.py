"""The list of events: autocomplete search, sorting, pagination."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from events.catalogue import labels
from events.catalogue.listing import Catalogue, EventEntry
from events.report import event_rows
from events.views.overview import labelled, ready
from runs.web import is_htmx, may

PER_PAGE = 50
TRAITS_OF = "$identify"  # traits are the properties of these events, and are labelled as such
LONGEST_TEXT = 200
SORTS: dict[str, tuple[Any, Callable[[EventEntry], Any], bool]] = {
    "users": (_("most users"), lambda entry: (entry.users, entry.events), True),
    "events": (_("most occurrences"), lambda entry: entry.events, True),
    "reach": (_("largest share of new users"), lambda entry: (entry.reach or 0.0, entry.users), True),
    "newest": (_("newest first"), lambda entry: entry.first_seen, True),
    "latest": (_("seen last"), lambda entry: entry.last_seen, True),
    "name": (_("name"), lambda entry: entry.label.casefold(), False),
}


@login_required
@may("events.view_eventlabel")
@require_safe
@vary_on_headers("HX-Request")
def event_list(request: HttpRequest) -> HttpResponse:
    """Events with counts, users, reach and a weekly line; htmx gets only the rows, or a note that counting goes on."""
    found, trouble = ready()
    if request.headers.get("HX-Trigger") == "counting":
        return HttpResponse(status=204, headers={} if found.pending else {"HX-Refresh": "true"})
    context = {"catalogue": found, "trouble": trouble, **_rows(request, found)}
    if not is_htmx(request):
        context |= {"name": TRAITS_OF, "properties": labelled(TRAITS_OF, found.traits)}
    return render(request, "events/list_rows.html" if is_htmx(request) else "events/list.html", context)


def _rows(request: HttpRequest, found: Catalogue) -> dict[str, Any]:
    text = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST_TEXT]
    sort = request.GET.get("sort", "users")
    sort = sort if sort in SORTS else "users"
    hidden = request.GET.get("hidden") == "1"
    entries = list(found.search(text, len(found.events), hidden=hidden, exposures=True))
    _words, key, descending = SORTS[sort]
    if sort != "users" or not text:  # a search by users keeps matches at the beginning of a name in front
        entries.sort(key=key, reverse=descending)
    page = Paginator(entries, PER_PAGE).get_page(request.GET.get("page"))
    known = labels.table()
    return {
        "page": page,
        "rows": [
            {"row": event_rows.event_row(entry, one_in=found.one_in), "known": known.get((entry.name, ""))}
            for entry in page
        ],
        "matches": len(entries),
        "text": text,
        "sort": sort,
        "sorts": [(name, words) for name, (words, _key, _down) in SORTS.items()],
        "hidden": hidden,
        "hidden_count": sum(row.hidden for (_event, prop), row in known.items() if not prop),
        "nearest": found.nearest(text) if text and not entries else None,
    }
