"""A validated SQL metric, and the names that it may use. Pure; sqlglot is imported late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

    from events.windows import Window

TABLE = "events"
UNIT, VALUE = "user_id", "value"
# Columns of each event in an SQL metric, by kind; properties are read with the functions "property" and "number".
EVENT_COLUMNS = {UNIT: "unit", "event": "text", "day": "number", "seconds": "number"}
PLACEHOLDERS = ("first_day", "last_day")  # of the window


@dataclass(frozen=True)
class Checked:
    """A validated SQL metric.

    Attributes:
        tree: the rebuilt tree, with `TABLE` and columns ``property_0, …, number_0, …`` for the properties.
        properties: names of the properties that are read as text, in that order.
        numbers: those that are read as numbers.
        events: names that `event` is compared with.
    """

    tree: exp.Select
    properties: tuple[str, ...]
    numbers: tuple[str, ...]
    events: tuple[str, ...]

    def sql(self, *, dialect: str, table: str, window: Window) -> str:
        """The SELECT in an engine's dialect, over a table with those columns."""
        return self._filled(self.tree, table, window).sql(dialect=dialect)

    def comparisons(self, *, dialect: str, table: str, window: Window) -> tuple[str, int]:
        """A SELECT of `UNIT` and ``c_0, c_1, …`` with one column per comparison in the statement, and their number.

        A column is 1 if one of the unit's events passes that comparison alone, outside of any aggregate.
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
