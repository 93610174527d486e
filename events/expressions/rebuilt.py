"""Rebuild the tree of an SQL metric from the parser's: only listed nodes are allowed.

A node is read only through the arguments that `ARGUMENTS` lists for it, and one with any other argument is refused.
Numbers are cast to DOUBLE where they enter and divisions by 0 give NULL, so that engines compute alike.
"""

import re
from collections.abc import Mapping, Sequence

from sqlglot import exp

from events.expressions import statement
from events.expressions.refusing import piece_of, refuse
from events.expressions.typed_nodes import NUMBER, TEXT, UNIT, Names, Typed, Values

NAME = re.compile(r"[a-z_][a-z0-9_]{0,59}")
OURS = re.compile(r"(property|number)_\d+")
SELECT = {"expressions", "from_", "where", "group", "having"}
MOST_COLUMNS = 20
LEVELS = 4  # of SELECTs


class Rebuilding:
    """One statement being rebuilt, with the properties and event names found so far."""

    def __init__(self) -> None:
        self.names = Names()

    def checked(self, select: exp.Select) -> statement.Checked:
        """The whole statement.

        Raises:
            Refused: naming the piece that is not allowed.
        """
        tree, columns = self._select(select, 1)
        if list(columns) != [statement.UNIT, statement.VALUE] or columns[statement.VALUE] != NUMBER:
            refuse("two_columns", select)
        if tree.args.get("group") is None or len(tree.args["group"].expressions) != 1:
            refuse("one_row_per_unit", select)
        return statement.Checked(
            tree, tuple(self.names.properties), tuple(self.names.numbers), tuple(self.names.events)
        )

    def _select(self, select: exp.Select, level: int) -> tuple[exp.Select, dict[str, str]]:
        _only(select, SELECT)
        if level > LEVELS:
            refuse("too_many_selects", select)
        source, known = self._source(select, level)
        values = Values(known, self.names if isinstance(source, exp.Table) else None)
        grouped = self._group(select, values)
        made = exp.Select().from_(source)
        if where := select.args.get("where"):
            _only(where, {"this"})
            made.set("where", exp.Where(this=values.truth(where.this, aggregates=False).tree))
        columns = {}
        for item in select.expressions:
            name, found = self._item(item, values, grouped)
            if name in columns:
                refuse("same_name", item, piece=name)
            columns[name] = found.kind
            made.append("expressions", exp.alias_(found.tree, name, quoted=True))
        if not 1 <= len(columns) <= MOST_COLUMNS or statement.UNIT not in columns:
            refuse("columns", select)
        if grouped is not None:
            made.set("group", exp.Group(expressions=[exp.column(name, quoted=True) for name in grouped]))
        if having := select.args.get("having"):
            if grouped is None:
                refuse("having", having)
            _only(having, {"this"})
            found = values.truth(having.this, aggregates=True)
            _of_group(having, found, grouped or ())
            made.set("having", exp.Having(this=found.tree))
        return made, columns

    def _source(self, select: exp.Select, level: int) -> tuple[exp.Expr, Mapping[str, str]]:
        from_ = select.args.get("from_")
        if from_ is None:
            refuse("no_table", select)
        _only(from_, {"this"})
        source = from_.this
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
            _only(source, {"this"})
            if source.name.lower() != statement.TABLE:
                refuse("other_table", source)
            return exp.table_(statement.TABLE), statement.EVENT_COLUMNS
        if not isinstance(source, exp.Subquery) or not isinstance(source.this, exp.Select):
            refuse("other_table", source)
        _only(source, {"this", "alias"})
        if alias := source.args.get("alias"):
            _only(alias, {"this"})
        inner, columns = self._select(source.this, level + 1)
        return inner.subquery(f"inner_{level}"), columns

    def _group(self, select: exp.Select, values: Values) -> list[str] | None:
        group = select.args.get("group")
        if group is None:
            return None
        _only(group, {"expressions"})
        names = []
        for item in group.expressions:
            if not isinstance(item, exp.Column):
                refuse("group_by_names", item)
            names.append(values.column(item)[0])
        if statement.UNIT not in names or len(set(names)) < len(names):
            refuse("group_by_unit", group)
        return names

    def _item(self, item: exp.Expr, values: Values, grouped: Sequence[str] | None) -> tuple[str, Typed]:
        inner = item.this if isinstance(item, exp.Alias) else item
        name = item.alias.lower() if isinstance(item, exp.Alias) else ""
        if isinstance(item, exp.Alias):
            _only(item, {"this", "alias"})
        if isinstance(inner, exp.Column):
            own, kind = values.column(inner)
            if kind == UNIT and name not in ("", statement.UNIT):
                refuse("unit_name", item)
            found, name = Typed(exp.column(own, quoted=True), kind, frozenset((own,))), name or own
            taken = name in values.known and name != own
        else:
            found = values.any(inner, aggregates=grouped is not None)
            taken = name in values.known or bool(OURS.fullmatch(name))
        if taken:  # engines disagree about which of the two a condition then refers to
            refuse("shadowed", item, piece=name)
        if not name or not NAME.fullmatch(name) or (name == statement.UNIT and found.kind != UNIT):
            refuse("no_name", item)
        if found.kind not in (NUMBER, TEXT, UNIT):
            refuse("truth_as_column", item)
        if grouped is not None:
            _of_group(item, found, grouped)
        return name, found


def _only(node: exp.Expr, allowed: set[str]) -> None:
    for name, value in node.args.items():
        if name not in allowed and value not in (None, False, []):
            other = value[0] if isinstance(value, list) else value
            where = other if isinstance(other, exp.Expr) else node
            piece = piece_of(where) if where is not node else name.strip("_").upper()
            refuse("not_listed", where, piece=piece)


def _of_group(node: exp.Expr, found: Typed, grouped: Sequence[str]) -> None:
    stray = sorted(found.columns - set(grouped))
    if stray:
        refuse("not_in_group", node, piece=stray[0])
