"""A person's data in the tables that apps list: their own rows, and other rows that contain their id."""

import re
from collections.abc import Callable, Collection, Iterator
from itertools import batched
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.utils.module_loading import import_string

from events.catalogue import listing
from events.people.tombstones import Scrub
from experiments.models import Experiment, Variant
from runs.personal_data import BYTES, JSON, JSON_TEXT, UnitRows, UnitTexts

# Ids that also occur as ordinary words in other people's data, such as "1", "a" or the name of a variant.
#
# An app that counts its users from 1, or sends "unknown" for anonymous users, creates such ids. An erasure removes
# the person's own events and rows but leaves the word in other people's data: removing it there would delete the
# variants from every exposure and the numbers from every text.

SHORT = re.compile(r"\d{1,4}|[A-Za-z]{1,3}|\W+|_+")
LETTERS = re.compile(r"[A-Za-z_$ ]+")
FREQUENT = {"anonymous", "false", "guest", "none", "null", "test", "true", "undefined", "unknown", "user"}


def words_among(ids: Collection[str]) -> frozenset[str]:
    """Ids that an erasure leaves in other people's data, because they are too common there."""
    names = {name for name in _names() if LETTERS.fullmatch(name)} if any(map(LETTERS.fullmatch, ids)) else set()
    return frozenset(name for name in ids if SHORT.fullmatch(name) or name.casefold() in FREQUENT or name in names)


def _names() -> Iterator[str]:
    """Names in plans and events. An id with a digit that is among them got there by mistake."""
    yield from Experiment.objects.values_list("key", flat=True)
    yield from Variant.objects.values_list("key", flat=True)
    catalogue = listing.catalogue()
    yield from (row.name for row in catalogue.traits)
    for event in catalogue.events:
        yield event.name
        yield from (row.name for row in event.properties)


BATCH = 500
READ = 200


def tables_of(label: str) -> list[type[models.Model]]:
    """A model and, if it has one, its history."""
    model = apps.get_model(label)
    manager = getattr(model, getattr(model._meta, "simple_history_manager_attribute", ""), None)
    return [model, manager.model] if manager is not None else [model]


def rows_of(place: UnitRows, ids: Collection[str]) -> Iterator[models.QuerySet[Any]]:
    """Their rows, by batches of ids: SQLite limits the number of values in a statement."""
    rows = apps.get_model(place.model)._base_manager
    for some in batched(sorted(ids), BATCH):
        yield rows.filter(**{f"{place.field}__in": some})


def erase_rows(place: UnitRows, ids: Collection[str]) -> int:
    """Delete their rows; returns how many. Call it in a transaction."""
    gone = sum(rows.delete()[1].get(place.model, 0) for rows in rows_of(place, ids))
    if gone and place.after:
        import_string(place.after)()
    return gone


def found_in(place: UnitTexts, ids: Collection[str]) -> Iterator[tuple[models.Model, dict[str, Any]]]:
    """Rows that contain an id, loaded with only these columns, and the columns' values without the id."""
    for model in tables_of(place.model) if ids else ():
        yield from _changed(place, ids, model._base_manager.all())


def _changed(
    place: UnitTexts, ids: Collection[str], rows: models.QuerySet[Any]
) -> Iterator[tuple[models.Model, dict[str, Any]]]:
    clean, known = _cleaner(place, Scrub(ids)), {field.name for field in rows.model._meta.concrete_fields}
    names = [name for name in place.fields if name in known]
    for row in rows.only("pk", *names).iterator(chunk_size=READ):
        before = {name: getattr(row, name) for name in names}
        after = {name: clean(value) for name, value in before.items() if value}
        changed = {name: value for name, value in after.items() if value != before[name]}
        if changed:
            yield row, changed


def erase_texts(place: UnitTexts, ids: Collection[str], rows: Collection[tuple[type[models.Model], Any]]) -> int:
    """Replace these ids with a word, or delete the rows; returns how many. Call it in a transaction.

    Args:
        place: the columns.
        ids: to look for.
        rows: table and key of the rows from `found_in`. It reads whole tables, so call it before the transaction:
            SQLite blocks other writers during one.
    """
    done = 0
    for model, pk in rows:
        same = model._base_manager.filter(pk=pk)
        for _row, changed in _changed(place, ids, same):  # check again: it may have been edited meanwhile
            # Not `save`: it would write a history row with the old value.
            if place.drop:
                same.delete()
            else:
                same.update(**changed)
            done += 1
    return done


def _cleaner(place: UnitTexts, scrub: Scrub) -> Callable[[Any], Any]:
    if place.kind == JSON:
        return scrub.value
    if place.kind == JSON_TEXT:
        return scrub.json_text
    if place.kind == BYTES:
        return lambda value: b"" if _in_bytes(bytes(value), scrub) else value
    return scrub.plain


def _in_bytes(content: bytes, scrub: Scrub) -> bool:
    text = content.decode("utf-8", "replace")
    return scrub.json_text(text) != text or scrub.plain(text) != text


def clean_free_pages(labels: Collection[str]) -> str:
    """Clear the database's free pages, which still hold deleted rows; "" when done, else a code of `receipt.NOTES`.

    SQLite rewrites its file and empties its log. PostgreSQL frees the space of these tables' rows; the bytes are
    overwritten when the space is used again.
    """
    if connection.in_atomic_block:
        return "not_vacuumed"
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return "log_busy" if cursor.fetchone()[0] else ""
        for model in (model for label in sorted(labels) for model in tables_of(label)):
            cursor.execute(f"VACUUM {connection.ops.quote_name(model._meta.db_table)}")
    return "space_reused"


def in_one_transaction(work: Callable[[], int], keep: Callable[[int], None]) -> None:
    """Erase and record the count in one transaction, so that a finished step is never counted twice."""
    with transaction.atomic():
        keep(work())
