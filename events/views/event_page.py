"""The page of one event: trend, users, properties; and the form of its labels."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from events.catalogue import labels, trend
from events.forms import LabelForm
from events.models import EventLabel
from events.report import event_rows, event_trend
from events.views.overview import labelled, ready
from runs.refusals import Refused
from runs.web import may

LONGEST_NAME = 256


@login_required
@may("events.view_eventlabel")
@require_safe
def event_page(request: HttpRequest) -> HttpResponse:
    """The page of one event. A name that isn't listed still has its trend, queried from the store itself."""
    name = _name(request, "name")
    found, trouble = ready()
    entry = found.find(name)
    if entry is None and not found.unlisted:
        unknown = {"name": name, "nearest": found.nearest(name), "catalogue": found, "trouble": trouble}
        return render(request, "events/event_unknown.html", unknown, status=404)
    context = {
        "name": name,
        "entry": entry,
        "catalogue": found,
        "row": event_rows.event_row(entry, one_in=found.one_in) if entry else None,
        "known": labels.table().get((name, "")),
        "properties": labelled(name, entry.properties if entry else ()),
        "signup": found.guess_signup(),
    }
    return render(request, "events/event.html", context)


@login_required
@may("events.view_eventlabel")
@require_safe
def event_trend_part(request: HttpRequest) -> HttpResponse:
    """The trend of one event by day or week: loaded by its page separately, since the query may take seconds."""
    name, weekly = _name(request, "name"), request.GET.get("by") == "week"
    try:
        days = trend.daily(name)
    except Refused as refusal:
        return render(request, "events/event_trend.html", {"trouble": refusal.sentence})
    label = labels.label(name)
    weeks = trend.by_week(days)
    rows = (
        [(day, events, None) for day, events in weeks] if weekly else [(row.day, row.events, row.users) for row in days]
    )
    sheet = event_trend.sheet(label, [(day, events) for day, events, _ in rows], weekly=weekly)
    context = {
        "name": name,
        "weekly": weekly,
        "label": sheet.label if sheet else "",
        "svg": mark_safe(sheet.markup()) if sheet else "",  # noqa: S308 - names are escaped where it is drawn
        "table": event_trend.table(label, rows, weekly=weekly) if rows else None,
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
