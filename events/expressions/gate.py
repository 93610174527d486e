"""What an SQL metric may be: one SELECT over `events`, built anew from a list of nodes. Pure; sqlglot loads late.

The contract: ``SELECT user_id, <number> AS value FROM events … GROUP BY user_id``, where `events` may also be a SELECT
of the same kind in brackets. `EVENT_COLUMNS` and `FUNCTIONS` list all that there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from events.expressions.one_line import refuse_text
from runs.refusals import Refused

if TYPE_CHECKING:
    from sqlglot import exp

    from events.windows import Window

# By name: sqlglot costs a third of a second and 40 MB, which no process pays before it meets an SQL metric.
REBUILDING = "events.expressions.rebuilt:Rebuilding"
TABLE = "events"
UNIT, VALUE = "user_id", "value"
# What an SQL metric sees of each event, by kind; more are its properties, by the functions "property" and "number".
EVENT_COLUMNS = {UNIT: "unit", "event": "text", "day": "number", "seconds": "number"}
PLACEHOLDERS = ("first_day", "last_day")  # of the window


@dataclass(frozen=True)
class Checked:
    """An SQL metric that may run.

    Attributes:
        tree: built by us: `TABLE`, and columns ``property_0, …, number_0, …`` for the properties.
        properties: names of the properties that are read as text, in that order.
        numbers: those that are read as numbers.
        events: names that `event` is compared with.
    """

    tree: exp.Select
    properties: tuple[str, ...]
    numbers: tuple[str, ...]
    events: tuple[str, ...]

    def sql(self, *, dialect: str, table: str, window: Window) -> str:
        """The SELECT in an engine's words, of a table with those columns."""
        return self._filled(self.tree, table, window).sql(dialect=dialect)

    def comparisons(self, *, dialect: str, table: str, window: Window) -> tuple[str, int]:
        """A SELECT of `UNIT` and ``c_0, c_1, …``, 1 where one of the unit's events passes a comparison that stands in
        the statement, by itself and outside of any sum; and how many there are.
        """
        from sqlglot import exp

        base = next(one for one in self.tree.find_all(exp.Select) if isinstance(one.args["from_"].this, exp.Table))
        found = [
            node
            for node in base.find_all(exp.Predicate)
            if not isinstance(node, exp.Connector) and node.find(exp.AggFunc) is None
        ]
        unique = list({node.sql(): node for node in found}.values())
        made = exp.select(exp.column(UNIT, quoted=True)).from_(exp.table_(TABLE))
        for at, node in enumerate(unique):
            passes = exp.Case(ifs=[exp.If(this=node.copy(), true=exp.Literal.number(1))], default=exp.Literal.number(0))
            made = made.select(exp.alias_(exp.Max(this=passes), f"c_{at}", quoted=True))
        made = made.group_by(exp.column(UNIT, quoted=True))
        return self._filled(made, table, window).sql(dialect=dialect), len(unique)

    @staticmethod
    def _filled(tree: exp.Select, table: str, window: Window) -> exp.Expr:
        from sqlglot import exp

        days = {"first_day": window.start_day, "last_day": window.end_day or 0}

        def filled(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Placeholder):
                return exp.Literal.number(days[node.name])
            if isinstance(node, exp.Table):
                return exp.table_(table, quoted=True)
            return node

        return tree.copy().transform(filled)


@lru_cache(maxsize=256)
def checked(sql: str) -> Checked:
    """The statement, parsed and built anew.

    Args:
        sql: on one line, as `one_line` has it.

    Raises:
        Refused: with one sentence that names the piece and where it stands.
    """
    refuse_text(sql)
    try:
        found: Checked = resolve_name(REBUILDING)().checked(_parsed(sql))
        return found
    except RecursionError:
        raise Refused("This SQL metric is nested too deeply.") from None


def _parsed(sql: str) -> exp.Select:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    first = (sql.split() or [""])[0]
    if first.upper() != "SELECT":  # the parser then never meets another statement
        raise Refused("An SQL metric begins with SELECT, not with '{piece}'.", piece=first[:40])
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError as error:
        found = (getattr(error, "errors", None) or [{}])[0]
        piece, end = str(found.get("highlight") or ""), int(found.get("col") or 0)
        raise Refused(
            "This is no SQL that can be read: see '{piece}' at character {place}.",
            piece=piece[:40] or sql[:40],
            place=max(end - len(piece) + 1, 1),
        ) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        kind = "nothing" if not statements or statements[0] is None else statements[0].key.upper()
        raise Refused("An SQL metric is one SELECT, not {piece}.", piece=kind)
    return statements[0]
