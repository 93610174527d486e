"""Whether the store is whole and this database's own: asked before each write, each reading and by its probe."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from events.models import Flush, FormerOutboxEvent, OutboxEvent
from runs.refusals import Refused

if TYPE_CHECKING:
    from events.store import event_table


# The rows of a batch as a query, without NumPy and Arrow, for web workers.


def rows_of(batch: Flush) -> QuerySet[Any]:
    """The rows of a batch, in no order; none once it is settled."""
    if batch.ranges is None:
        return FormerOutboxEvent.objects.filter(flush=batch)
    chosen = Q(pk__in=[])
    for first, last in batch.ranges:
        chosen |= Q(id__range=(first, last))
    return OutboxEvent.objects.filter(chosen)


# Check that the store is intact and this database's own: before each write, each read, and in the health check.
#
# The database knows the number of the last batch that it has written to the store. Each batch's commit names its
# owner (the owner mark: where the database is, and who numbers its batches) and its events (the digest). So a store
# that is missing, older than the database, or written by another database is distinguished from an empty one.


class Trouble(StrEnum):
    """Possible problems of a store. `words` has a sentence for each."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    BEHIND = "behind"
    AHEAD = "ahead"
    FOREIGN = "foreign"


class StoreRefused(Refused):
    """The store is not written, or not read, until somebody has repaired it or decided who owns it."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        super().__init__(words(trouble))


@dataclass(frozen=True)
class Known:
    """The database's record of its batches.

    Attributes:
        writer: the name under which it numbers them; empty before the first.
        committed: the number of the last batch that is in the store; 0 before the first.
        last: the number of the last batch, also when it is still open (then it is above `committed`).
    """

    writer: str = ""
    committed: int = 0
    last: int = 0


def known() -> Known:
    """This database's record; empty when it has no tables, since some commands work on files alone."""
    try:
        rows = list(Flush.objects.order_by("-version").values_list("version", "writer", "committed_at")[:2])
    except DatabaseError:
        if Flush._meta.db_table in connection.introspection.table_names():
            raise
        return Known()
    if not rows:
        return Known()
    done = [version for version, _, committed_at in rows if committed_at is not None]
    return Known(rows[0][1], done[0] if done else 0, rows[0][0])


def owner_mark(writer: str) -> int:
    """A store's owner as a number: made from where the database is, and who numbers its batches."""
    from events.store import event_table

    return event_table.number_of(f"{_place()}|{writer}")


def trouble_in_reading(ours: Known, seen: event_table.Seen | None) -> Trouble | None:
    """The problem for a reader, or None. A database that has written nothing to a store may read another's."""
    if not ours.committed:
        return None
    if seen is None:
        return Trouble.MISSING
    return _stranger(ours, seen) or (Trouble.BEHIND if seen.number < ours.committed else None)


def trouble_in_writing(ours: Known, seen: event_table.Seen | None) -> Trouble | None:
    """The problem for a writer, or None. `ours` must be read before the store is opened."""
    return trouble_in_reading(ours, seen) or (_stranger(ours, seen) if seen else None)


def _stranger(ours: Known, seen: event_table.Seen) -> Trouble | None:
    return Trouble.FOREIGN if seen.owner is not None and seen.owner != owner_mark(ours.writer) else None


def look(writer: str) -> event_table.Seen | None:
    """The current state of the store, None when there is none.

    Raises:
        StoreRefused: when its log can't be read.
    """
    from events.store import event_table

    try:
        return event_table.look(writer)
    except event_table.UnreadableLog as error:
        raise StoreRefused(Trouble.UNREADABLE) from error


def check_to_write() -> Known:
    """Refuse to write into a store that is damaged or not ours; returns the database's record.

    Raises:
        StoreRefused: with a sentence that says what to do.
    """
    while True:
        before = known()
        seen = look(before.writer)
        after = known()  # read again: batches that our own processes write meanwhile aren't foreign
        if before.writer != after.writer:
            continue
        trouble = trouble_in_writing(before, seen)
        if not trouble and seen and _is_ahead(after, seen):
            trouble = Trouble.AHEAD
        if trouble:
            raise StoreRefused(trouble)
        return after


def _is_ahead(ours: Known, seen: event_table.Seen) -> bool:
    """True when the store has a batch that this database didn't make."""
    if seen.number == ours.last > ours.committed:  # written but not settled: is it ours?
        foreign = seen.digest not in (None, digest_of(ours.last))
        # If it was settled meanwhile, its rows were already gone.
        return foreign and Flush.objects.filter(version=ours.last, committed_at=None).exists()
    return seen.number > ours.last


def digest_of(version: int) -> int:
    """The digest of a batch's events as a number, as in its commit; the batch must be open."""
    from events.store import event_table

    batch = Flush.objects.filter(version=version).first()
    names = rows_of(batch).order_by("id").values_list("message_id", flat=True) if batch else []
    return event_table.digest_of(names)


def files_to_read() -> list[str]:
    """The Parquet files with the store's events; empty when nothing was ever written to it.

    Raises:
        StoreRefused: when the store is missing, older than the database, or another's.
    """
    seen = seen_to_read()
    return seen.files() if seen else []


def seen_to_read() -> event_table.Seen | None:
    """The store at its newest version; None when nothing was ever written to it.

    Raises:
        StoreRefused: when the store is missing, older than the database, or another's.
    """
    ours = known()  # before the store: later commits are no error
    seen = look(ours.writer)
    if trouble := trouble_in_reading(ours, seen):
        raise StoreRefused(trouble)
    return seen


def words(trouble: Trouble) -> str:
    """One sentence: what is wrong, and what to do."""
    sentences = {
        Trouble.MISSING: gettext(
            "The event store %(place)s is not there, but this database has put events into it: mount its volume, "
            "correct EVENTS_URL or restore it, or run adopt_store to begin a new one without these events."
        ),
        Trouble.UNREADABLE: gettext(
            "The log of the event store %(place)s is damaged, so nothing is read or written: restore its folder "
            "_delta_log, or the whole store, from a backup."
        ),
        Trouble.BEHIND: gettext(
            "The event store %(place)s is older than this database, so events are missing in it: restore a newer "
            "copy, or run adopt_store to go on without them."
        ),
        Trouble.AHEAD: gettext(
            "The event store %(place)s holds batches that this database doesn't know, because a copy of the database "
            "wrote them or the database is older than the store: give each database its own store, then run "
            "adopt_store with the database that keeps this one."
        ),
        Trouble.FOREIGN: gettext(
            "The event store %(place)s belongs to another database, or one of the two was copied without the other: "
            "correct EVENTS_URL, or run adopt_store if this database is to own the store from now on."
        ),
    }
    return sentences[trouble] % {"place": place()}


def _place() -> str:
    """Where this database is, so that a copy elsewhere differs: the same for web, worker and commands."""
    from events.store import event_table

    if connection.vendor == "postgresql":
        return _postgres_place()
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or name.startswith("file:") or name == ":memory:":
        return connection.vendor
    path = Path(name).resolve()
    folder = event_table.local_folder()  # database and store may be moved together
    return os.path.relpath(path, folder) if folder else str(path)


def _postgres_place() -> str:
    """The cluster's identifier, which a dump doesn't copy, and the database's in it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        oid = cursor.fetchone()[0]
        try:
            with transaction.atomic():
                cursor.execute("SELECT system_identifier FROM pg_control_system()")
                return f"{cursor.fetchone()[0]}/{oid}"
        except DatabaseError:  # a role without the permission
            return str(oid)


def place() -> str:
    """The store's address, without secrets."""
    from events.store import event_table

    return event_table.shown_url()
