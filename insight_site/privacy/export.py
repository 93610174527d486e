"""Export all data about one person, as documents for people and programs."""

import json
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.utils import timezone, translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from events import erasure
from insight_site.privacy import in_database
from insight_site.privacy.in_database import words_among
from reporting.table import csv_lines
from runs.personal_data import UnitFiles, UnitRows, UnitTexts, all_places

EVENTS = ("time", "event", "user_id", "properties", "message_id", "received_at")


def export_person(named: str) -> dict[str, Any]:
    """The document: `ids`, then for each place its title and its rows."""
    ids = sorted(erasure.ids_of([named])[0])
    telling = sorted(set(ids) - words_among(ids))
    places: dict[str, Any] = {}
    for place in all_places():
        rows = list(_rows(place, telling if isinstance(place, UnitTexts) else ids))
        if rows:
            name = place.name if isinstance(place, UnitFiles) else place.model
            known = places.setdefault(name, {"title": str(place.title), "rows": []})
            known["rows"] += rows
    return {"made_at": timezone.now().isoformat(), "ids": ids, "places": places}


def _rows(place: UnitRows | UnitTexts | UnitFiles, ids: list[str]) -> Iterator[dict[str, Any]]:
    if isinstance(place, UnitRows):
        for some in in_database.rows_of(place, ids):
            yield from map(_whole, some)
    elif isinstance(place, UnitTexts):
        for row, changed in in_database.found_in(place, ids):
            if place.drop:
                yield _whole(row)
            else:  # the rest of the row is about other people
                yield {"row": row.pk, "mentioned_in": sorted(changed)}
    elif place.export:
        yield from import_string(place.export)(ids)


def _whole(row: Model) -> dict[str, Any]:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return {name: value for name, value in values.items() if not isinstance(value, bytes | memoryview)}


def as_json(document: dict[str, Any]) -> str:
    """The document as text."""
    return json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)


def write_export(document: dict[str, Any], target: Path) -> None:
    """Write it as JSON, or as an archive with a page to read, the events as a table, and the JSON."""
    if target.suffix != ".zip":
        target.write_text(as_json(document), encoding="utf-8")
        return
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for language in ("en", "ko"):
            with translation.override(language):
                archive.writestr(f"README.{language}.txt", _page(document))
        archive.writestr("person.json", as_json(document))
        archive.writestr("events.csv", _table(document))


def _page(document: dict[str, Any]) -> str:
    lines = [_("What this site stores of one person."), "", _("Ids: {ids}").format(ids=", ".join(document["ids"]))]
    for name, place in document["places"].items():
        lines.append(_("{title} ({name}): {count}").format(title=place["title"], name=name, count=len(place["rows"])))
    lines += ["", _("person.json holds every row; events.csv holds the events as a table.")]
    return "\n".join(lines) + "\n"


def _table(document: dict[str, Any]) -> str:
    rows = document["places"].get("store", {"rows": []})["rows"]
    cells = (
        [json.dumps(row[name], ensure_ascii=False) if name == "properties" else row[name] for name in EVENTS]
        for row in rows
    )
    return "".join(csv_lines(chain([EVENTS], cells)))
