"""History of an experiment in words: who changed what, when and why; and two versions side by side."""

from datetime import date
from typing import Any

from django.db.models import Model
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from events.models import Source
from experiments.models import Experiment
from experiments.plan.drafts import RELEASED, STEP_SAVED
from experiments.plan.fields import ExperimentKind
from experiments.plan.lifecycle import BY_KEY
from experiments.plan.record import LOCKS, PlannedOther
from experiments.plan_page.other_words import short_words
from experiments.plan_page.plan_summary import step_titles
from experiments.report.names import metric_words
from reporting.numbers import percent

MOST = 200  # versions on the page; older ones are in the database
SILENT = ("id", "seed", "hash_version", "version", "created_at", "created_by")
EMPTY = ("", "changed")  # reasons of a save that isn't shown unless something changed
PLACES = {column: place for place, column in enumerate(LOCKS)}  # fields of the plan in its table's order, others last
type Change = tuple[str, str, str]


def changes(before: Any, after: Any) -> list[Change]:
    """Differences between two versions: the field's name, its value before and after, all in words."""
    differences = []
    for field in sorted(after.tracked_fields, key=lambda field: PLACES.get(field.attname, len(PLACES))):
        old, new = getattr(before, field.attname), getattr(after, field.attname)
        if field.name not in SILENT and old != new:
            differences.append((capfirst(str(field.verbose_name)), shown(before, field), shown(after, field)))
    return differences


def shown(record: Any, field: Any) -> str:
    """A version's value, formatted."""
    return worded(getattr(record, field.attname), field)


def worded(value: Any, field: Any) -> str:
    """A value, formatted; an empty one is a dash. Outcomes are named as on every page."""
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, str) and field is not None and field.get_internal_type() == "DateField":
        value = date.fromisoformat(value)  # an amendment stores it as text
    if field is not None and field.is_relation:
        row: Model | None = field.related_model._default_manager.filter(pk=value).first()
        return str(row) if row is not None else _("deleted")
    if field is not None and field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict):
        return "; ".join(f"{metric_words(name)}: {_rule(rule)}" for name, rule in value.items())
    if field is not None and field.name == "sources":
        return ", ".join(Source.objects.filter(pk__in=value).values_list("name", flat=True)) or "–"
    if isinstance(value, list):
        return ", ".join(_item(item, field) for item in value)
    if hasattr(value, "hour"):
        return date_format(value, "DATETIME_FORMAT")
    return date_format(value) if hasattr(value, "month") else f"{value:g}" if isinstance(value, float) else str(value)


def _item(value: Any, field: Any) -> str:
    """One entry of a list: an outcome by its name, a share of looks in per cent."""
    if isinstance(value, str) and field is not None and field.name.endswith("_metrics"):
        return metric_words(value)
    if isinstance(value, float):
        return percent(value, 0)
    if field is not None and field.name == "other_behaviours":
        return short_words(PlannedOther(**value))
    return str(value)


def _rule(rule: Any) -> str:
    """A guardrail's rule in words; values of older versions as they are."""
    if not isinstance(rule, dict) or set(rule) != {"direction", "margin"}:
        return str(rule)
    text = _("lower is better, margin {margin}")
    if rule["direction"] == "higher":
        text = _("higher is better, margin {margin}")
    return text.format(margin=f"{rule['margin']:g}")


def story(row: Any) -> list[dict[str, Any]]:
    """Versions with changes, and what they changed, the newest first; saves without a change are left out."""
    records = list(row.history.select_related("history_user")[: MOST + 1])
    versions = [
        {"record": record, "changes": changes(older, record) if older is not None else [], "why": reason(record)}
        for record, older in zip(records, [*records[1:], None], strict=True)
    ]
    return [version for version in versions[:MOST] if version["changes"] or _why(version["record"])[0] not in EMPTY]


def compared(versions: list[dict[str, Any]], first: str, second: str) -> dict[str, Any] | None:
    """Differences between two listed versions, from the older to the newer; None unless both exist."""
    by_id = {str(version["record"].pk): version["record"] for version in versions}
    if first not in by_id or second not in by_id:
        return None
    before, after = sorted((by_id[first], by_id[second]), key=lambda record: record.history_id)
    return {"before": before, "after": after, "changes": changes(before, after)}


def amendments(experiment: Experiment) -> list[dict[str, Any]]:
    """Logged changes after the start, the newest first: each field in words, before and after."""
    names = {field.name: field for field in Experiment._meta.fields}
    rows = experiment.amendments.select_related("by").order_by("-at", "-id")
    return [
        {"row": row, "changes": [_amended(names.get(name), name, old, new) for name, (old, new) in row.changes.items()]}
        for row in rows
    ]


def _amended(field: Any, name: str, old: Any, new: Any) -> Change:
    title = name if field is None else capfirst(str(field.verbose_name))
    return title, worded(old, field), worded(new, field)


def _why(record: Any) -> tuple[str, str]:
    """The reason, and the key that made the change; "" for none."""
    why, _mark, key = (record.history_change_reason or "").partition(BY_KEY)
    return why, key


def reason(record: Any) -> str:
    """Why a version was written; texts of services are translated, a person's text isn't."""
    known = {
        "created": _("made"),
        "changed": _("plan changed"),
        "override": _("override changed"),
        "start": _("started"),
        "pause": _("paused"),
        "resume": _("resumed"),
        "close_enrolment": _("enrolment closed"),
        "stop": _("stopped"),
        "conclude": _("closed with a note"),
        "archive": _("archived"),
        RELEASED: _("released from its template"),
    }
    why, key = _why(record)
    if key:
        return _("{why} by the key {name}").format(why=known.get(why, why), name=key)
    if why.startswith(STEP_SAVED):
        titles = step_titles(lab=record.kind == ExperimentKind.LAB)
        return _("step saved: {step}").format(step=titles.get(why.removeprefix(STEP_SAVED), why))
    return str(known.get(why, why))
