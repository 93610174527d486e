"""An SQL metric that has passed the gate, the names that it may use, and how the gate refuses. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from reporting.words import Message, later
from runs.refusals import Refused

if TYPE_CHECKING:
    from sqlglot import exp

    from events.windows import Window


# A validated SQL metric, and the names that it may use. Pure; sqlglot is imported late.

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

        base = next(
            select for select in self.tree.find_all(exp.Select) if isinstance(select.args["from_"].this, exp.Table)
        )
        nodes = [
            node
            for node in base.find_all(exp.Predicate)
            if not isinstance(node, exp.Connector) and node.find(exp.AggFunc) is None
        ]
        unique = list({node.sql(): node for node in nodes}.values())
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


# Error messages for SQL metrics: one sentence with the offending piece and its position.

SHOWN = 40
SENTENCES = {
    "columns": later("Every SELECT of an SQL metric gives user_id and at most 19 more columns: '{piece}'."),
    "compare_two": later("'{piece}' at character {place} compares two numbers or more."),
    "compares": later("'{piece}' at character {place} compares no numbers or texts."),
    "count_one": later("'{piece}' at character {place} counts one thing at a time."),
    "group_by_names": later("GROUP BY takes names of columns, not '{piece}' at character {place}."),
    "group_by_unit": later("GROUP BY names user_id, and each column once: '{piece}' at character {place}."),
    "having": later("HAVING needs GROUP BY: '{piece}' at character {place}."),
    "in_list": later("'{piece}' at character {place}: IN is followed by numbers, or by texts in quotes."),
    "is_null": later("'{piece}' at character {place}: IS is followed by NULL or NOT NULL."),
    "like": later("'{piece}' at character {place}: LIKE is followed by a text in quotes."),
    "no_column": later("There is no column '{piece}' at character {place}; there are {names}."),
    "no_group": later("'{piece}' at character {place} stands where no group is, or inside another of its kind."),
    "no_name": later("A column needs a name in plain letters, AS value: '{piece}' at character {place}."),
    "no_number": later("'{piece}' at character {place} is no number."),
    "no_number_or_text": later("'{piece}' at character {place} is no number or text."),
    "no_table": later("An SQL metric reads FROM events: '{piece}'."),
    "no_text": later("'{piece}' at character {place} is no text."),
    "no_truth": later("'{piece}' at character {place} is no condition."),
    "not_in_group": later("'{piece}' is neither in GROUP BY nor inside sum, count or the like."),
    "not_listed": later("'{piece}' at character {place} is not among what an SQL metric may use."),
    "number": later("'{piece}' at character {place} is no number that engines read alike."),
    "one_kind": later("'{piece}' at character {place} has to give numbers alone, or texts alone."),
    "one_row_per_unit": later(
        "An SQL metric gives one row per user: its last line is GROUP BY user_id, not '{piece}'."
    ),
    "other_table": later("An SQL metric reads the table events and no other: '{piece}' at character {place}."),
    "property_name": later("'{piece}' at character {place} is no name of a property that engines read alike."),
    "property_outside": later("'{piece}' at character {place}: read properties in the SELECT that reads FROM events."),
    "property_quotes": later("'{piece}' at character {place} needs one name of a property in quotes."),
    "same_name": later("Two columns are called '{piece}' at character {place}."),
    "shadowed": later("'{piece}' at character {place} is what another column is called; give it a name of its own."),
    "too_deep": later("'{piece}' at character {place} is nested too deeply."),
    "too_many_selects": later("A SELECT in a SELECT in a SELECT is deep enough: '{piece}' at character {place}."),
    "truth_as_column": later("A column is a number or a text, write CASE WHEN … THEN 1 ELSE 0 END: '{piece}'."),
    "two_columns": later("An SQL metric gives two columns, user_id and a number AS value, not '{piece}'."),
    "unit_as_value": later("'{piece}' at character {place} is for GROUP BY alone: nobody is measured by id."),
    "unit_name": later("user_id has to stay: '{piece}' at character {place}."),
}


def refuse(code: str, node: exp.Expr, *, piece: str = "", names: str = "") -> NoReturn:
    """Refuse a node of the parser's tree.

    Args:
        code: of the sentence.
        node: the node.
        piece: shown instead of the node's own text.
        names: allowed alternatives.

    Raises:
        Refused: always.
    """
    fields = {"piece": piece or piece_of(node), "place": _place_of(node), "names": names}
    raise Refused(Message(SENTENCES[code], fields))


def piece_of(node: exp.Expr) -> str:
    """The node's own text, shortened."""
    words = node.sql(dialect="duckdb")
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}…"


def _place_of(node: exp.Expr) -> int:
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return min(starts, default=0) + 1
