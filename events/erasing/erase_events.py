"""Erase people from the event store: their events, their dictionary entries, and their ids in others' events."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings
from django.utils import timezone

from events import store
from events.delta import dictionary
from events.delta.rewrite import Rewriting, Rewritten, rewrite
from events.erasing.scrub import Scrub
from events.models import FormerOutboxEvent, MessageId
from events.outbox import ownership
from events.outbox.message_ids import keys_of
from events.schema import EXPOSURE
from events.senders import unmarked

BATCH = 500


@dataclass
class SeenOfPersons:
    """What was found about the people in the store, for the statistics that stay.

    Attributes:
        first: time of each one's first event.
        exposed: time of each one's first exposure, by the experiment's key and the id.
        mentions: others' events that contained an id.
        events: number of their events.
        message_ids: of their events that are still recognised as repeats.
    """

    first: dict[str, datetime] = field(default_factory=dict)
    exposed: dict[tuple[str, str], datetime] = field(default_factory=dict)
    mentions: int = 0
    events: int = 0
    message_ids: set[str] = field(default_factory=set)


class Change:
    """The `change` of the rewrite, called for each part of a file, perhaps twice."""

    def __init__(self, ids: Collection[str], numbers: Collection[int], words: Collection[str] = ()) -> None:
        self.seen, self._scrub = SeenOfPersons(), Scrub(set(ids) - set(words))
        self._ids = pa.array(sorted(ids), pa.string())
        self._joins = pa.array([dictionary.into_text(number) for number in sorted(numbers)], pa.string())
        self._recent = timezone.now() - timedelta(days=settings.EVENT_ID_DAYS)
        self._mentioned: dict[str, int] = {}

    def __call__(self, rows: pa.Table, is_dictionary: bool) -> pa.Table:
        """The rows that stay, with these ids erased in them; the same table if nothing changes."""
        theirs = pc.is_in(rows.column("user_id"), value_set=self._ids)
        if is_dictionary:
            joined = pc.is_in(rows.column("properties"), value_set=self._joins)
            theirs = pc.or_(theirs, pc.and_(pc.equal(rows.column("event"), dictionary.JOINED), joined))
        gone = rows.filter(theirs)
        if not is_dictionary:
            self._note(gone)
        kept = rows if not gone.num_rows else rows.filter(pc.invert(theirs))
        return kept if is_dictionary else self._scrubbed(kept)

    def _scrubbed(self, rows: pa.Table) -> pa.Table:
        texts = rows.column("properties").to_pylist()
        clean = [text if text is None else self._scrub.json_text(text) for text in texts]
        changed = [place for place, (old, new) in enumerate(zip(texts, clean, strict=True)) if old is not new]
        if not changed:
            return rows
        ids = rows.column("message_id")
        self._mentioned.update({f"{ids[place]}": 1 for place in changed})
        self.seen.mentions = len(self._mentioned)
        column = pa.array(clean, pa.string())
        return rows.set_column(rows.column_names.index("properties"), rows.schema.field("properties"), column)

    def _note(self, gone: pa.Table) -> None:
        columns = ("user_id", "event", "time", "properties", "message_id", "received_at")
        for user, event, moment, said, message_id, received in zip(
            *(gone.column(name).to_pylist() for name in columns), strict=True
        ):
            self.seen.first[user] = min(moment, self.seen.first.get(user, moment))
            if message_id and received >= self._recent:
                self.seen.message_ids.add(message_id)
            if event == EXPOSURE and (key := _experiment(said)):
                pair = (key, user)
                self.seen.exposed[pair] = min(moment, self.seen.exposed.get(pair, moment))


def _experiment(said: str | None) -> str:
    try:
        return str(json.loads(said or "{}").get("experiment_id", ""))
    except (ValueError, AttributeError):
        return ""


def erase_events(
    ids: Collection[str], numbers: Collection[int], note: Callable[[SeenOfPersons], None], words: Collection[str] = ()
) -> Rewritten:
    """Remove these people in one commit, however many they are; the old files stay on the disk until they are deleted.

    Args:
        ids: all of them (`same_person.ids_of`).
        numbers: their numbers.
        note: called before the commit with what was found: afterwards it can't be counted.
        words: ids that stay in others' events, where they mean something else.

    Raises:
        ownership.StoreRefused: when the store is damaged or not this database's.
    """
    if not store.exists():
        return Rewritten()
    ownership.check_to_write()
    change = Change(ids, numbers, words)

    def before(removed: int) -> None:
        change.seen.events = removed
        _forget_message_ids(change.seen.message_ids)
        note(change.seen)

    return rewrite(Rewriting(change, before=before))


def _forget_message_ids(message_ids: Collection[str]) -> None:
    """Forget their message ids: anyone can compute these digests, and some ids contain the user's."""
    names = sorted(map(unmarked, message_ids))
    for start in range(0, len(names), BATCH):
        some = names[start : start + BATCH]
        MessageId.objects.filter(key__in=[UUID(hex=key) for key in keys_of(some)]).delete()
        FormerOutboxEvent.objects.filter(message_id__in=some, flush__committed_at__isnull=False).delete()
