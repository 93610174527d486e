"""A person in the tables that apps list: rows that are theirs, and rows of others in which their id stands."""

from collections.abc import Callable, Collection, Iterator
from itertools import batched
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.utils.module_loading import import_string

from events.erasing.scrub import Scrub
from runs.personal_data import BYTES, JSON, JSON_TEXT, UnitRows, UnitTexts

BATCH = 500
READ = 200


def tables_of(label: str) -> list[type[models.Model]]:
    """A model and, where it keeps one, its history."""
    model = apps.get_model(label)
    manager = getattr(model, getattr(model._meta, "simple_history_manager_attribute", ""), None)
    return [model, manager.model] if manager is not None else [model]


def rows_of(place: UnitRows, ids: Collection[str]) -> Iterator[models.QuerySet[Any]]:
    """Their rows, some ids at a time: SQLite takes no more in one statement."""
    rows = apps.get_model(place.model)._base_manager
    for some in batched(sorted(ids), BATCH):
        yield rows.filter(**{f"{place.field}__in": some})


def erase_rows(place: UnitRows, ids: Collection[str]) -> int:
    """Delete their rows; how many. Call it in a transaction."""
    gone = sum(rows.delete()[1].get(place.model, 0) for rows in rows_of(place, ids))
    if gone and place.after:
        import_string(place.after)()
    return gone


def found_in(place: UnitTexts, ids: Collection[str]) -> Iterator[tuple[models.Model, dict[str, Any]]]:
    """Rows in which an id stands, only with these columns, and the columns as they are without it."""
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


def erase_texts(place: UnitTexts, ids: Collection[str], found: Collection[tuple[type[models.Model], Any]]) -> int:
    """Put a word in the place of these ids, or delete the rows; how many. Call it in a transaction.

    Args:
        place: the columns.
        ids: to look for.
        found: table and key of the rows that `found_in` gave, which reads whole tables: before the transaction, since
            SQLite lets nobody else write during one.
    """
    done = 0
    for model, pk in found:
        same = model._base_manager.filter(pk=pk)
        for _row, changed in _changed(place, ids, same):  # again: somebody may have edited it meanwhile
            # Not `save`: it would write a history that says what stood there before.
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
    """Let the database forget what deleted rows held; "" when it has, else a code of `receipt.NOTES`.

    SQLite writes its file anew and empties its log. PostgreSQL gives the space of these tables' rows free; the bytes
    are overwritten when it is used again.
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
    """Erase and note how much, both or neither: a step that is done is never counted again."""
    with transaction.atomic():
        keep(work())
