"""Two users who are one person: from now on both count as one of them, in all questions to the store."""

from datetime import UTC, datetime

import pyarrow as pa

from events import store
from events.delta.snapshot import Snapshot, add_to_dictionary
from events.user_numbers import dictionary
from runs.refusals import Refused


def join_users(goes: str, stays: str) -> bool:
    """Let one user's events count as another's, also those that come later.

    Who was joined to the first one before follows. Forgetting the user who stays undoes the joining.

    Args:
        goes: the id of the user whose events count as the other's.
        stays: the id of the other.

    Returns:
        False when both count as one already.

    Raises:
        Refused: when the store doesn't know one of them, or has events without numbers still (`number_store`).
    """
    if not store.exists():
        raise Refused("There is no user {name} in the event store.", name=goes)
    return add_to_dictionary(lambda at: _entries(at, goes, stays))


def _entries(at: Snapshot, goes: str, stays: str) -> pa.Table | None:
    if at.unnumbered():
        raise Refused("Some events have no number of their user yet; the store's next maintenance gives it to them.")
    given = dictionary.numbers_of(pa.array([goes, stays], pa.string()), at.opened_dictionary()).tolist()
    for name, number in zip((goes, stays), given, strict=True):
        if not number:
            raise Refused("There is no user {name} in the event store.", name=name)
    joins = dictionary.joins_of(at.opened_dictionary(joins=True))
    gone, into = (joins.get(number, number) for number in given)
    if gone == into:
        return None
    # Everybody who counts as `gone` gets an entry of their own, so that readers look up once and follow no chain.
    moved = [gone, *(number for number, other in joins.items() if other == gone)]
    texts = dictionary.texts_of(moved, at.opened_dictionary())
    return dictionary.join_entries(
        [texts[number] for number in moved if number in texts],
        [number for number in moved if number in texts],
        into,
        datetime.now(UTC),
    )
