"""The log of an experiment as a person reads it: who changed what, when and why; and two versions side by side."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from experiments.plan.drafts import STEP_SAVED
from experiments.plan_page.plan_summary import STEPS

MOST = 200  # versions on the page; an experiment with more has its older ones in the database
SILENT = ("id", "seed", "hash_version", "version", "created_at", "created_by")
type Change = tuple[str, str, str]


def changes(before: Any, after: Any) -> list[Change]:
    """What differs between two versions: the field's name, its value before and after, all in words.

    Args:
        before: the older record of django-simple-history.
        after: the newer one.
    """
    found = []
    for field in after.tracked_fields:
        old, new = getattr(before, field.attname), getattr(after, field.attname)
        if field.name not in SILENT and old != new:
            found.append((capfirst(str(field.verbose_name)), shown(before, field), shown(after, field)))
    return found


def shown(record: Any, field: Any) -> str:
    """A value as a person writes it; nothing is a dash."""
    value = getattr(record, field.attname)
    if value is None or value in ("", []):
        return "–"
    if field.is_relation:
        row: Model | None = field.related_model._default_manager.filter(pk=value).first()
        return str(row) if row is not None else _("deleted")
    if field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if hasattr(value, "hour"):
        return date_format(value, "DATETIME_FORMAT")
    return date_format(value) if hasattr(value, "month") else f"{value:g}" if isinstance(value, float) else str(value)


def story(row: Any) -> list[dict[str, Any]]:
    """Each version with what it changed, the newest first."""
    records = list(row.history.select_related("history_user")[:MOST])
    return [
        {"record": one, "changes": changes(older, one) if older is not None else [], "why": reason(one)}
        for one, older in zip(records, [*records[1:], None], strict=True)
    ]


def reason(record: Any) -> str:
    """Why a version was written; words of the services are translated, a person's own stay."""
    known = {
        "created": _("made"),
        "changed": _("plan changed"),
        "override": _("override changed"),
        "start": _("started"),
        "pause": _("paused"),
        "resume": _("resumed"),
        "close_enrolment": _("enrolment closed"),
        "stop": _("stopped"),
        "conclude": _("concluded"),
        "archive": _("archived"),
    }
    why = record.history_change_reason or ""
    if why.startswith(STEP_SAVED):
        return _("step saved: {step}").format(step=STEPS.get(why.removeprefix(STEP_SAVED), why))
    return str(known.get(why, why))


class Story:
    """Of an admin with history: its page tells the changes in words, and compares any two versions."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """All versions; with `?from=…&to=…` the difference of two of them on top."""
        desk: Any = self
        row = get_object_or_404(desk.model, pk=object_id)
        if not desk.has_view_or_change_permission(request, row):
            raise PermissionDenied
        told = story(row)
        by_id = {str(one["record"].pk): one["record"] for one in told}
        chosen = [by_id.get(request.GET.get(name, "")) for name in ("from", "to")]
        compared = None
        if chosen[0] is not None and chosen[1] is not None:
            first, last = sorted(chosen, key=lambda record: record.history_date)  # type: ignore[union-attr]
            compared = {"before": first, "after": last, "changes": changes(first, last)}
        context = {
            **desk.admin_site.each_context(request),
            "title": _("Log of %(name)s") % {"name": row},
            "object": row,
            "opts": desk.opts,
            "story": told,
            "compared": compared,
            "chosen": [request.GET.get(one) for one in ("from", "to")],
        }
        return TemplateResponse(request, "experiments/admin_history.html", context)
