"""Map user ids to user numbers and back, in expressions: numbers inside the warehouse, ids outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

TEXT = "user_text"  # the column with the id in the events of a numbered store
OWN = "own_user"  # and the number of the id as sent, if some ids count as one person


@dataclass(frozen=True)
class Users:
    """The dictionary in an open warehouse.

    Attributes:
        known: ``known_id, known_number, known_own``: each user's id and the number that it counts as: its own, or that
            of the user it was joined to.
        joined: whether any ids were joined.
    """

    known: ir.Table
    joined: bool

    def named(self, units: ir.Table) -> ir.Table:
        """Replace numbers in ``user_id`` by ids."""
        names = self.known.filter(self.known.known_own) if self.joined else self.known
        table = units.join(names, units.user_id == names.known_number)
        return table.select(**{name: table.known_id if name == "user_id" else table[name] for name in units.columns})

    def keyed(self, units: ir.Table) -> ir.Table:
        """Replace ids in ``user_id`` by numbers; users that the store doesn't know are dropped.

        If several rows now count as one user, having been several when the table was made, that user's own row is kept.
        """
        import ibis

        table = units.join(self.known, units.user_id == self.known.known_id)
        if self.joined:
            order = ibis.window(group_by="known_number", order_by=[ibis.desc("known_own"), "known_id"])
            table = table.filter(ibis.row_number().over(order) == 0)
        return table.select(**{n: table.known_number if n == "user_id" else table[n] for n in units.columns})


def text_of(events: ir.Table) -> ir.Column:
    """The users' ids as sent: for sampling and random draws by id, so that numbering changes none of them."""
    return events[TEXT] if TEXT in events.columns else events.user_id
