"""Users of a segment in words: their traits as shares, ids shortened. Pure."""

from typing import Any

from reporting.numbers import percent
from reporting.table import Table
from reporting.words import gettext

LETTERS = 4


def breakdown(found: Any) -> Table | None:
    """Traits of a segment's users, from `who_is_in.WhoIsIn`; None where they have none."""
    rows = [
        (trait.name, value, percent(users / trait.users), f"{users:,}", f"{trait.users:,}")
        for trait in found.traits
        for value, users in trait.values
    ]
    if not rows:
        return None
    columns = (gettext("trait"), gettext("value"), gettext("share"), gettext("users"), gettext("users with the trait"))
    note = gettext("Of {read} users of the segment, at most 5,000.").format(read=f"{found.read:,}")
    return Table(gettext("Traits of its users"), columns, tuple(rows), note)


def shortened(unit: str) -> str:
    """An id that a page shows: both ends, which tell users apart."""
    return unit if len(unit) <= 2 * LETTERS + 1 else f"{unit[:LETTERS]}…{unit[-LETTERS:]}"
