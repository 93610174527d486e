"""Users of a numbered store as ids and as numbers, in expressions: numbers inside the warehouse, ids at its doors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

TEXT = "user_text"  # the column with the id in the events of a numbered store
OWN = "own_user"  # and the one with the number of the id that was sent, where some ids count as one person


@dataclass(frozen=True)
class Users:
    """The dictionary in an open warehouse.

    Attributes:
        known: ``known_id, known_number, known_own``: each user's id and the number that they count as, which is their
            own or that of the user to whom they were joined.
        joined: some were joined.
    """

    known: ir.Table
    joined: bool

    def named(self, units: ir.Table) -> ir.Table:
        """A table with numbers in ``user_id``, with ids instead."""
        names = self.known.filter(self.known.known_own) if self.joined else self.known
        table = units.join(names, units.user_id == names.known_number)
        return table.select(**{name: table.known_id if name == "user_id" else table[name] for name in units.columns})

    def keyed(self, units: ir.Table) -> ir.Table:
        """A table with ids in ``user_id``, with numbers instead; whom the store doesn't know is left out.

        Of several rows that count as one user, which were several users when the table was made, the user's own stays.
        """
        import ibis

        table = units.join(self.known, units.user_id == self.known.known_id)
        if self.joined:
            order = ibis.window(group_by="known_number", order_by=[ibis.desc("known_own"), "known_id"])
            table = table.filter(ibis.row_number().over(order) == 0)
        return table.select(**{n: table.known_number if n == "user_id" else table[n] for n in units.columns})


def text_of(events: ir.Table) -> ir.Column:
    """The users' ids as they were sent: of what is drawn or sampled by them, so that numbers change nothing in it."""
    return events[TEXT] if TEXT in events.columns else events.user_id
