"""Pages under /data/calendar/: what happened, an entry's form, and a file of entries."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.calendar import entries
from events.calendar.entries import LONGEST, Written
from events.calendar.happened import happened
from events.models import CalendarEntry
from runs.refusals import Refused
from runs.web import LONGEST_TEXT, PER_PAGE, Listing, is_htmx, may, person


class EntryForm(forms.Form):
    """One entry of the calendar."""

    kind = forms.ChoiceField(label=_("Kind"), choices=CalendarEntry.Kind.choices)
    title = forms.CharField(
        label=_("Title"), max_length=LONGEST["title"], help_text=_("What it was, in a few words: Summer event 2026.")
    )
    starts = forms.DateField(label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}))
    ends = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Empty for a single day."),
    )
    owner = forms.CharField(
        label=_("Owner"), max_length=LONGEST["owner"], required=False, help_text=_("A team, or a person's account.")
    )
    link = forms.CharField(
        label=_("Link"), max_length=LONGEST["link"], required=False, help_text=_("Where one reads more.")
    )
    note = forms.CharField(
        label=_("Further notes"), max_length=LONGEST["note"], required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    reference = forms.CharField(
        label=_("Reference"),
        max_length=LONGEST["reference"],
        required=False,
        help_text=_("Its name in the system that it comes from. A program that sends it again changes this entry."),
    )

    @property
    def written(self) -> Written:
        """The entry as typed."""
        return Written(**self.cleaned_data)


@login_required
@may("events.view_calendarentry")
@require_safe
def calendar_list(request: HttpRequest) -> HttpResponse:
    """All that happened, the newest first, with search and a filter by kind; htmx gets only the rows."""
    everything = happened()
    kinds = tuple(sorted({(one.kind, str(one.kind_words)) for one in everything}, key=lambda pair: pair[1]))
    text = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST_TEXT]
    kind = request.GET.get("state", "")
    kind = kind if kind in dict(kinds) else ""
    rows = [one for one in everything if one.matches(text) and (not kind or one.kind == kind)]
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {"listing": Listing(page, text, kind, kinds, len(everything))}
    response = render(request, f"events/calendar/{'rows' if is_htmx(request) else 'list'}.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@login_required
@may("events.add_calendarentry")
@require_http_methods(["GET", "HEAD", "POST"])
def new_entry(request: HttpRequest) -> HttpResponse:
    """Write an entry down."""
    form = EntryForm(request.POST if request.method == "POST" else None)
    return _form(request, form, None)


@login_required
@may("events.change_calendarentry")
@require_http_methods(["GET", "HEAD", "POST"])
def change_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an entry."""
    row = get_object_or_404(CalendarEntry, pk=pk)
    begin = {name: getattr(row, name) for name in EntryForm.base_fields}
    return _form(request, EntryForm(request.POST if request.method == "POST" else None, initial=begin), row)


@login_required
@may("events.delete_calendarentry")
@require_POST
def delete_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an entry out of the calendar."""
    row = get_object_or_404(CalendarEntry, pk=pk)
    title = row.title
    entries.delete(row=row)
    messages.success(request, gettext("“%(name)s” is deleted.") % {"name": title})
    return redirect("events:calendar")


@login_required
@may("events.add_calendarentry")
@require_POST
def import_entries(request: HttpRequest) -> HttpResponse:
    """Write the entries of a CSV file down: all of them, or none."""
    file = request.FILES.get("file")
    try:
        if file is None:
            raise Refused("Choose a file.")
        content = file.read(entries.MOST_BYTES + 1)
        new, known = entries.import_all(entries=entries.read_csv(content), by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        text = ngettext("{n} entry is new", "{n} entries are new", new).format(n=new)
        messages.success(request, gettext("{new}; {known} were there.").format(new=text, known=known))
    return redirect("events:calendar")


def _form(request: HttpRequest, form: EntryForm, row: CalendarEntry | None) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        try:
            if row is None:
                entries.add(entry=form.written, by=person(request))
            else:
                entries.change(row=row, entry=form.written)
        except Refused as refusal:
            form.add_error(refusal.at if refusal.at in form.fields else None, refusal.sentence)
        else:
            messages.success(request, gettext("Saved."))
            return redirect("events:calendar")
    context: dict[str, Any] = {"form": form, "entry": row}
    return render(request, "events/calendar/form.html", context)
