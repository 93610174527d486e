"""The data section: its first page, the list of events, the page of one event, and the last events as they come."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from events import data_retention
from events.catalogue import labels, refresh
from events.catalogue.listing import Catalogue, EventEntry, PropertyEntry
from events.models import EventLabel
from events.outbox import freshness
from events.outbox.freshness import pulses
from events.outbox.store_health import store_health
from events.pages import identity_part, page_parts
from events.people.identity import counts
from reporting.words import Message
from runs.refusals import Refused
from runs.site_zone import site_zone
from runs.web import is_htmx, may

# The first page of the data section: status of sources and of the pipeline to the store, and how to begin.


@login_required
@may("events.view_source")
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Overview of sources, store and list of events; an empty site shows how to send the first event."""
    catalogue, trouble = ready()
    found_pulses = pulses()
    sources = [
        {"pulse": pulse, "light": page_parts.LIGHTS[pulse.state], "state": page_parts.state_words(pulse.state)}
        for pulse in found_pulses
    ]
    limits = data_retention.limits_now()
    source_limits = [(pulse.source.name, limits.by_source.get(pulse.source.pk)) for pulse in found_pulses]
    context: dict[str, Any] = {"catalogue": catalogue, "trouble": trouble, "sources": sources, "health": store_health()}
    context |= {"kept": source_limits, "limits": limits, "identity": identity_part.rows(counts())}
    return render(request, "events/overview.html", context)


def ready() -> tuple[Catalogue, str | Message]:
    """The list of events; an empty one and the reason if the store can't be read."""
    try:
        return refresh.ready_catalogue(), ""
    except Refused as refusal:
        return Catalogue(), refusal.sentence


def labelled(event: str, entries: Iterable[PropertyEntry]) -> list[dict[str, Any]]:
    """Properties of an event with their numbers as text, and their display names."""
    known = labels.table()
    return [
        {
            "row": page_parts.property_row(entry),
            "known": known.get((event, entry.name)),
            "label": labels.label(event, entry.name),
        }
        for entry in entries
    ]


# The list of events: autocomplete search, sorting, pagination.

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
    catalogue, trouble = ready()
    if request.headers.get("HX-Trigger") == "counting":
        return HttpResponse(status=204, headers={} if catalogue.pending else {"HX-Refresh": "true"})
    context = {"catalogue": catalogue, "trouble": trouble, **_rows(request, catalogue)}
    if not is_htmx(request):
        context |= {"name": TRAITS_OF, "properties": labelled(TRAITS_OF, catalogue.traits)}
    return render(request, "events/list_rows.html" if is_htmx(request) else "events/list.html", context)


def _rows(request: HttpRequest, catalogue: Catalogue) -> dict[str, Any]:
    text = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST_TEXT]
    sort = request.GET.get("sort", "users")
    sort = sort if sort in SORTS else "users"
    hidden = request.GET.get("hidden") == "1"
    entries = list(catalogue.search(text, len(catalogue.events), hidden=hidden, exposures=True))
    _words, key, descending = SORTS[sort]
    if sort != "users" or not text:  # a search by users keeps matches at the beginning of a name in front
        entries.sort(key=key, reverse=descending)
    page = Paginator(entries, PER_PAGE).get_page(request.GET.get("page"))
    known = labels.table()
    return {
        "page": page,
        "rows": [
            {"row": page_parts.event_row(entry, one_in=catalogue.one_in), "known": known.get((entry.name, ""))}
            for entry in page
        ],
        "matches": len(entries),
        "text": text,
        "sort": sort,
        "sorts": [(name, words) for name, (words, _key, _down) in SORTS.items()],
        "hidden": hidden,
        "hidden_count": sum(row.hidden for (_event, prop), row in known.items() if not prop),
        "nearest": catalogue.nearest(text) if text and not entries else None,
    }


# The form of a display name.

if TYPE_CHECKING:
    Base = forms.ModelForm[EventLabel]
else:
    Base = forms.ModelForm  # takes no type at run time


class LabelForm(Base):
    """Display name and description in both languages, and whether lists leave it out."""

    class Meta:
        model = EventLabel
        fields = ["name_en", "name_ko", "description_en", "description_ko", "hidden"]
        widgets = {name: forms.Textarea(attrs={"rows": 2}) for name in ("description_en", "description_ko")}


# The page of one event: trend, users, properties; and the form of its labels.

LONGEST_NAME = 256


@login_required
@may("events.view_eventlabel")
@require_safe
def event_page(request: HttpRequest) -> HttpResponse:
    """The page of one event. A name that isn't listed still has its trend, queried from the store itself."""
    name = _name(request, "name")
    catalogue, trouble = ready()
    entry = catalogue.find(name)
    if entry is None and not catalogue.unlisted:
        unknown = {"name": name, "nearest": catalogue.nearest(name), "catalogue": catalogue, "trouble": trouble}
        return render(request, "events/event_unknown.html", unknown, status=404)
    context = {
        "name": name,
        "entry": entry,
        "catalogue": catalogue,
        "row": page_parts.event_row(entry, one_in=catalogue.one_in) if entry else None,
        "known": labels.table().get((name, "")),
        "properties": labelled(name, entry.properties if entry else ()),
        "signup": catalogue.guess_signup(),
    }
    return render(request, "events/event.html", context)


@login_required
@may("events.view_eventlabel")
@require_safe
def event_trend_part(request: HttpRequest) -> HttpResponse:
    """The trend of one event by day or week: loaded by its page separately, since the query may take seconds."""
    name, weekly = _name(request, "name"), request.GET.get("by") == "week"
    try:
        days = refresh.daily(name)
    except Refused as refusal:
        return render(request, "events/event_trend.html", {"trouble": refusal.sentence})
    label = labels.label(name)
    weeks = refresh.by_week(days)
    rows = (
        [(day, events, None) for day, events in weeks] if weekly else [(row.day, row.events, row.users) for row in days]
    )
    sheet = page_parts.sheet(label, [(day, events) for day, events, _ in rows], weekly=weekly, zone=site_zone())
    context = {
        "name": name,
        "weekly": weekly,
        "label": sheet.label if sheet else "",
        "dates": sheet.dates if sheet else None,
        "svg": mark_safe(sheet.markup()) if sheet else "",  # noqa: S308 - names are escaped where it is drawn
        "table": page_parts.table(label, rows, weekly=weekly, zone=site_zone()) if rows else None,
    }
    return render(request, "events/event_trend.html", context)


@login_required
@may("events.change_eventlabel")
@require_http_methods(["GET", "HEAD", "POST"])
def edit_label(request: HttpRequest) -> HttpResponse:
    """Edit the labels of an event, or of one of its properties; an empty form deletes them."""
    name, prop = _name(request, "name"), request.GET.get("property", "")[:LONGEST_NAME]
    row = EventLabel.objects.filter(event=name, property=prop).first() or EventLabel(event=name, property=prop)
    form = LabelForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        labels.save_label(form.instance, renamed=bool({"name_en", "name_ko"} & set(form.changed_data)))
        messages.success(
            request, gettext("Saved. Pages show “%(name)s” from now on.") % {"name": labels.label(name, prop)}
        )
        return redirect(f"{reverse('events:event')}?{urlencode({'name': name})}")
    return render(request, "events/label.html", {"name": name, "property": prop, "form": form})


def _name(request: HttpRequest, field: str) -> str:
    name = request.GET.get(field, "")
    if not name or "\x00" in name or len(name) > LONGEST_NAME:
        raise Http404
    return name


# The latest events, and refused events with the reason.


@login_required
@may("events.view_source")
@require_safe
@vary_on_headers("HX-Request")
def live(request: HttpRequest) -> HttpResponse:
    """Live events; htmx gets only the rows, every few seconds. Contents need the permission to read refused events."""
    context = {
        "arrivals": freshness.arrivals(),
        "refusals": freshness.refusals(),
        "may_read": request.user.has_perm("events.view_rejected"),
    }
    return render(request, "events/live_rows.html" if is_htmx(request) else "events/live.html", context)
