"""Take ownership of a store for this database: after a restore, a move, or the loss of a store."""

import uuid

from django.db import transaction
from django.utils import timezone

from events import store
from events.models import Flush, FormerOutboxEvent, IdLink
from events.outbox import flush, ownership, rows
from events.outbox.recognise import recognise_stored
from events.time_travel import kept_versions


def adopt_store(*, recognise: bool = True) -> tuple[int, int]:
    """Mark the store as this database's and number its batches under a new name.

    An open batch is settled if the store has it, otherwise its events wait again. A missing store is created. Other
    databases are refused from now on.

    Args:
        recognise: search the store for waiting events that it has already, as needed when it is newer than the
            database.

    Returns:
        How many events wait, and how many waiting ones the store had already.

    Raises:
        ownership.StoreRefused: when the store's log is damaged: such a store can't be owned.
    """
    last = Flush.objects.order_by("-version").first()
    if last is not None and last.committed_at is None:
        _close(last)
    version, writer = (last.version if last else 0) + 1, uuid.uuid4().hex
    ownership.look(writer)
    known = recognise_stored() if recognise else 0
    # The store first: if killed in between, the store refuses this database, and the command is run again.
    store.append(store.SCHEMA.empty_table(), app_id=writer, version=version, owner=ownership.owner_mark(writer))
    Flush.objects.create(version=version, writer=writer, committed_at=timezone.now())
    kept_versions.let_go_missing()
    IdLink.objects.filter(state=IdLink.State.HOLDS).update(in_store=False)  # this store may not have them
    return flush.outbox_state().rows, known


def _close(batch: Flush) -> None:
    """Settle the open batch if the store has it; otherwise let its events wait again."""
    seen = ownership.look(batch.writer)
    if seen and seen.number == batch.version and seen.digest in (None, ownership.digest_of(batch.version)):
        flush.settle(batch, rows.table_of_batch(batch))
        return
    with transaction.atomic():
        FormerOutboxEvent.objects.filter(flush=batch).update(flush=None)
        batch.delete()
