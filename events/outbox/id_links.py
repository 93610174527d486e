"""After a flush, write the links between ids to the event store; the database decides which links hold."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import batched

import numpy as np
import pyarrow as pa

from events import store
from events.delta import dictionary
from events.delta.snapshot import Snapshot, add_to_dictionary
from events.identity.persons import roots_of
from events.models import IdLink
from events.outbox import ownership

LINKS_AT_ONCE = 20_000
IDS_AT_ONCE = 50_000
BATCH = 500


def write_links() -> int:
    """Write links that the store doesn't have yet; returns how many ids now count as another one, or no longer do.

    If the process is killed, the next call continues; links that the store already has aren't written again.

    Raises:
        ownership.StoreRefused: when the store is damaged or not this database's.
    """
    done = 0
    while waiting := list(IdLink.objects.filter(in_store=False).order_by("id")[:LINKS_AT_ONCE]):
        if not store.exists():
            return done
        ownership.check_to_write()
        done += count_as(roots_of({row.visitor for row in waiting}))
        for some in batched(waiting, BATCH):
            for state in {row.state for row in some}:  # a link that changes meanwhile is written again
                same = [row.pk for row in some if row.state == state]
                IdLink.objects.filter(pk__in=same, state=state).update(in_store=True)
    return done


def count_as(roots: Mapping[str, str]) -> int:
    """Let each id's events count as another's, including later ones; returns how many entries were new.

    An id that the store doesn't know gets a number, so that its later events count at once. Readers look up once and
    follow no chain: map each id directly to the one that all of them count as.

    Args:
        roots: for each id the one it counts as; itself, to undo a join.
    """
    listed, done = sorted(roots.items()), 0
    for start in range(0, len(listed), IDS_AT_ONCE):
        some, counts = dict(listed[start : start + IDS_AT_ONCE]), [0]

        def make(at: Snapshot, some: Mapping[str, str] = some, counts: list[int] = counts) -> pa.Table | None:
            made, counts[0] = _entries(at, some)
            return made

        done += counts[0] if add_to_dictionary(make) else 0
    return done


def _entries(at: Snapshot, roots: Mapping[str, str]) -> tuple[pa.Table | None, int]:
    """The entries to write, and how many of them belong to joined ids."""
    texts = pa.array(sorted({*roots, *roots.values()}), pa.string())
    now = datetime.now(UTC)
    numbers = dictionary.numbers_of(texts, at.opened_dictionary())
    new = np.flatnonzero(numbers == 0)
    numbers[new] = at.highest() + 1 + np.arange(new.size)
    number = dict(zip(texts.to_pylist(), numbers.tolist(), strict=True))
    said = dictionary.joins_of(at.opened_dictionary(joins=True))
    goes = [
        (name, number[name], number[root])
        for name, root in sorted(roots.items())
        if said.get(number[name], number[name]) != number[root]
    ]
    if not goes:
        return None, 0
    used = {name for name, _own, _into in goes} | {roots[name] for name, _own, _into in goes}
    fresh = [place for place in new.tolist() if texts[place].as_py() in used]
    users = dictionary.entries(texts.take(pa.array(fresh, pa.int64())), numbers[fresh], now)
    joins = dictionary.join_entries([g[0] for g in goes], [g[1] for g in goes], [g[2] for g in goes], now)
    return pa.concat_tables([users, joins]), len(goes)
