"""Joined users of the prepared log: a small table beside it, so that a login doesn't rebuild anything.

The log keeps its own numbers. While no users are joined, nothing of this is queried.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from events import store
from events.prepared.numbered_log import YOUNG_SECONDS, NumberedLog
from events.warehouse import Warehouse

if TYPE_CHECKING:
    import ibis.expr.types as ir

# For larger logs cached tables aren't rebuilt at each login, but at most every `YOUNG_SECONDS`.
MANY_EVENTS = 5_000_000


def with_joins(log: NumberedLog) -> NumberedLog:
    """The log with the digest of the store's joins; "" if there are none."""
    seen = store.look("")
    names = [] if seen is None else [file.name for file in store.Snapshot(seen.handle).opened_dictionary(joins=True)]
    if not names:
        return log
    return replace(log, joins=_recent(log) or hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:12])


def _recent(log: NumberedLog) -> str:
    """The digest of a moment ago, for logs so large that queries would have to wait."""
    if log.events < MANY_EVENTS:
        return ""
    begin = f"kept-{log.version}-"
    kept = [(place.stat().st_ctime, place.name) for place in log.folder.glob(f"{begin}*")]
    made, name = max(kept, default=(0.0, ""))
    return name.removeprefix(begin) if time.time() - made < YOUNG_SECONDS else ""


def pairs(warehouse: Warehouse, names: "ir.Table") -> "ir.Table":
    """``number, stays`` of the log's users who count as another of its users.

    Args:
        warehouse: the engine.
        names: ``user_id, number`` of all users of the log.

    A person whose own id has no events in the log counts as the smallest of their numbers.
    """
    import ibis

    said = warehouse.joined_ids(_entries())
    root = names.join(said, names.user_id == said.joined_id).select("number", root="root_id")
    roots = said.select(own_id="root_id").distinct()
    own = names.join(roots, names.user_id == roots.own_id).select("number", root="user_id")
    everybody = ibis.union(root.mutate(own=False), own.mutate(own=True))
    group = ibis.window(group_by="root")
    stays = ibis.coalesce(
        everybody.own.ifelse(everybody.number, ibis.null("int32")).max().over(group), everybody.number.min().over(group)
    )
    return everybody.mutate(stays=stays).filter(lambda row: row.number != row.stays).select("number", "stays")


def _entries() -> Sequence[str]:
    seen = store.look("")
    return [] if seen is None else store.Snapshot(seen.handle).dictionary()


def counted_as(table: "ir.Table", joins: "ir.Table | None") -> "ir.Table":
    """Replace numbers in ``user_id`` by those that they count as."""
    import ibis

    if joins is None:
        return table
    found = table.left_join(joins, table.user_id == joins.number)
    return found.select(
        **{n: ibis.coalesce(found.stays, found[n]) if n == "user_id" else found[n] for n in table.columns}
    )
