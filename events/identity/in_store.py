"""Tell the event store which ids count as which, after a flush: the database decides, the store's questions follow."""

from itertools import batched

from events import store
from events.identity.joining import count_as
from events.identity.persons import roots_of
from events.models import IdLink
from events.outbox import ownership

AT_ONCE = 20_000
BATCH = 500


def write_links() -> int:
    """Write what isn't in the store yet; how many ids count as another one, or as none any more, since this call.

    Killed anywhere, the next call does it again: what the store has already it isn't told twice.

    Raises:
        ownership.StoreRefused: when the store is not whole or not this database's.
    """
    done = 0
    while waiting := list(IdLink.objects.filter(in_store=False).order_by("id")[:AT_ONCE]):
        if not store.exists():
            return done
        ownership.check_to_write()
        done += count_as(roots_of({row.visitor for row in waiting}))
        for some in batched(waiting, BATCH):
            for state in {row.state for row in some}:  # one that has turned meanwhile is written again
                same = [row.pk for row in some if row.state == state]
                IdLink.objects.filter(pk__in=same, state=state).update(in_store=True)
    return done
