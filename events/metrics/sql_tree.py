"""The tree of an SQL metric, built anew from the parser's with the kind of each value; what isn't listed is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from events.metrics import sql_statement
from events.metrics.sql_statement import piece_of, refuse

# Rebuild numbers, texts and conditions of an SQL metric with their types.
#
# Every allowed function and operator is in one of the tables below; others that the parser knows are refused by name.

UNIT, NUMBER, TEXT, TRUTH, NOTHING = "unit", "number", "text", "truth", "nothing"
DOUBLE = exp.DataType.build("DOUBLE")
LITERAL = re.compile(r"\d{1,15}(\.\d{1,15})?(e[+-]?\d{1,2})?", re.IGNORECASE)
PROPERTY = re.compile(r"[^'\"\\\x00-\x1f]{1,200}")
MOST_LISTED, MOST_BRANCHES, DEEPEST = 100, 50, 60
TWO_NUMBERS: dict[type[exp.Expr], type[exp.Binary]] = {exp.Add: exp.Add, exp.Sub: exp.Sub, exp.Mul: exp.Mul}
ORDERS: dict[type[exp.Expr], type[exp.Binary]] = {exp.LT: exp.LT, exp.LTE: exp.LTE, exp.GT: exp.GT, exp.GTE: exp.GTE}
EQUALS: dict[type[exp.Expr], type[exp.Binary]] = {exp.EQ: exp.EQ, exp.NEQ: exp.NEQ}
JOINTS: dict[type[exp.Expr], type[exp.Connector]] = {exp.And: exp.And, exp.Or: exp.Or}
ONE_NUMBER: dict[type[exp.Expr], type[exp.Func]] = {exp.Abs: exp.Abs, exp.Floor: exp.Floor, exp.Ceil: exp.Ceil}
OF_MANY: dict[type[exp.Expr], type[exp.Func]] = {exp.Sum: exp.Sum, exp.Avg: exp.Avg, exp.Min: exp.Min, exp.Max: exp.Max}
NEEDED = {"this", "expression", "low", "high", "true"}
# The arguments that are read of each node; a node with any other one is refused.
BOTH_SIDES = (*TWO_NUMBERS, *ORDERS, *EQUALS, *JOINTS, exp.Like, exp.Is, exp.Nullif, exp.Filter)
ONE_SIDE = (*ONE_NUMBER, *OF_MANY, exp.Column, exp.Paren, exp.Neg, exp.Not, exp.Where)
ARGUMENTS: dict[type[exp.Expr], set[str]] = {
    **{node: {"this", "expression"} for node in BOTH_SIDES},
    **{node: {"this"} for node in ONE_SIDE},
    **{node: {"this", "expressions"} for node in (exp.Coalesce, exp.In, exp.Anonymous)},
    exp.Div: {"this", "expression", "typed", "safe"},
    exp.Literal: {"this", "is_string"},
    exp.Boolean: {"this"},
    exp.Null: set(),
    exp.Star: set(),
    exp.Between: {"this", "low", "high"},
    exp.Case: {"ifs", "default"},
    exp.If: {"this", "true"},
    exp.Count: {"this", "big_int"},
    exp.Distinct: {"expressions"},
    exp.Greatest: {"this", "expressions", "ignore_nulls"},
    exp.Least: {"this", "expressions", "ignore_nulls"},
}


@dataclass(frozen=True)
class Typed:
    """A rebuilt expression: its type, and the columns that it reads outside aggregates."""

    tree: exp.Expr
    kind: str
    columns: frozenset[str] = frozenset()


@dataclass
class Names:
    """Properties and event names used in a statement so far."""

    properties: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


class Values:
    """The expressions of one SELECT.

    Args:
        known: the columns that it may read, by type.
        base: records the properties and event names; None if the SELECT reads another SELECT.
    """

    def __init__(self, known: Mapping[str, str], base: Names | None) -> None:
        self.known, self.base, self.depth = known, base, 0

    def column(self, node: exp.Column) -> tuple[str, str]:
        """Name and type of a column."""
        self._arguments(node)
        name = node.name.lower()
        if not isinstance(node.this, exp.Identifier) or name not in self.known:
            refuse("no_column", node, names=", ".join(self.known))
        return name, self.known[name]

    def truth(self, node: exp.Expr, *, aggregates: bool) -> Typed:
        """A condition."""
        return self._of(node, aggregates, TRUTH)

    def any(self, node: exp.Expr, *, aggregates: bool) -> Typed:
        """Any expression except a unit.

        Args:
            node: of the parser's tree.
            aggregates: whether aggregates are allowed here.
        """
        self.depth += 1
        if self.depth > DEEPEST:
            refuse("too_deep", node)
        try:
            self._arguments(node)
            kind = type(node)
            if kind in OF_MANY or kind in (exp.Count, exp.Filter):
                return self._aggregate(node, aggregates)
            return self._single(node, aggregates)
        finally:
            self.depth -= 1

    def _single(self, node: exp.Expr, aggregates: bool) -> Typed:
        match node:
            case exp.Paren():
                return self.any(node.this, aggregates=aggregates)
            case exp.Literal() | exp.Boolean() | exp.Null():
                return _constant(node)
            case exp.Column():
                return self._named(node)
            case exp.Anonymous():
                return self._property(node)
            case exp.Case():
                return self._case(node, aggregates)
            case exp.Coalesce():
                return self._coalesce(node, aggregates)
        typed = self._arithmetic(node, aggregates) or self._condition(node, aggregates)
        if typed is None:
            refuse("not_listed", node)
        return typed

    def _named(self, node: exp.Column) -> Typed:
        name = node.name.lower()
        if name in sql_statement.PLACEHOLDERS and name not in self.known:
            return _number(exp.Placeholder(this=name))
        name, kind = self.column(node)
        if kind == UNIT:
            refuse("unit_as_value", node)
        return Typed(exp.column(name, quoted=True), kind, frozenset((name,)))

    def _property(self, node: exp.Anonymous) -> Typed:
        name, given = str(node.this).lower(), node.expressions
        if name not in ("property", "number") or not isinstance(node.this, str):
            refuse("not_listed", node)
        if self.base is None:
            refuse("property_outside", node)
        if len(given) != 1 or not isinstance(given[0], exp.Literal) or not given[0].is_string:
            refuse("property_quotes", node)
        key = str(given[0].this)
        if not PROPERTY.fullmatch(key):
            refuse("property_name", node)
        places = self.base.properties if name == "property" else self.base.numbers
        if key not in places:
            places.append(key)
        column = f"{name}_{places.index(key)}"
        return Typed(exp.column(column, quoted=True), TEXT if name == "property" else NUMBER, frozenset((column,)))

    def _aggregate(self, node: exp.Expr, allowed: bool) -> Typed:
        if not allowed:
            refuse("no_group", node)
        inner, where = node, None
        if isinstance(node, exp.Filter):
            inner = node.this
            self._arguments(inner)
            self._arguments(node.expression)
            where = self._of(node.expression.this, False, TRUTH)
        if isinstance(inner, exp.Count):
            tree: exp.Expr = exp.Count(this=self._counted(inner), big_int=True)
        elif type(inner) in OF_MANY:
            tree = OF_MANY[type(inner)](this=self._of(inner.this, False, NUMBER).tree)
        else:
            refuse("not_listed", inner)
        if where is not None:
            tree = exp.Filter(this=tree, expression=exp.Where(this=where.tree))
        return _number(tree)

    def _counted(self, node: exp.Count) -> exp.Expr:
        counted = node.this
        if isinstance(counted, exp.Star):
            self._arguments(counted)
            return exp.Star()
        if isinstance(counted, exp.Distinct):
            self._arguments(counted)
            if len(counted.expressions) != 1:
                refuse("count_one", counted)
            return exp.Distinct(expressions=[self._plain(counted.expressions[0])])
        return self._plain(counted)

    def _plain(self, node: exp.Expr) -> exp.Expr:
        typed = self.any(node, aggregates=False)
        if typed.kind not in (NUMBER, TEXT):
            refuse("no_number_or_text", node)
        return typed.tree

    def _arithmetic(self, node: exp.Expr, aggregates: bool) -> Typed | None:
        kind = type(node)
        if kind in ONE_NUMBER:
            operand = self._of(node.this, aggregates, NUMBER)
            return _number(ONE_NUMBER[kind](this=operand.tree), operand)
        if kind is exp.Neg:
            operand = self._of(node.this, aggregates, NUMBER)
            return Typed(exp.Paren(this=exp.Neg(this=exp.Paren(this=operand.tree))), NUMBER, operand.columns)
        if kind in TWO_NUMBERS or kind in (exp.Div, exp.Nullif):
            left, right = self._two(node, NUMBER, aggregates)
            if kind is exp.Nullif:
                return _number(exp.Nullif(this=left.tree, expression=right.tree), left, right)
            if kind is exp.Div:
                other = exp.Nullif(this=right.tree, expression=_number(exp.Literal.number(0)).tree)
                made: exp.Expr = exp.Div(this=left.tree, expression=other, typed=True, safe=False)
            else:
                made = TWO_NUMBERS[kind](this=left.tree, expression=right.tree)
            return Typed(exp.Paren(this=made), NUMBER, left.columns | right.columns)
        if kind in (exp.Greatest, exp.Least):
            parts = [self._of(part, aggregates, NUMBER) for part in (node.this, *node.expressions)]
            if not 2 <= len(parts) <= MOST_BRANCHES:
                refuse("compare_two", node)
            made = kind(this=parts[0].tree, expressions=[part.tree for part in parts[1:]], ignore_nulls=True)
            return _number(made, *parts)
        return None

    def _condition(self, node: exp.Expr, aggregates: bool) -> Typed | None:
        kind = type(node)
        if kind in JOINTS:
            return _joined(JOINTS[kind], *self._two(node, TRUTH, aggregates))
        if kind in ORDERS:
            return _joined(ORDERS[kind], *self._two(node, NUMBER, aggregates))
        if kind in EQUALS:
            left, right = (self.any(part, aggregates=aggregates) for part in (node.this, node.expression))
            if left.kind not in (NUMBER, TEXT) or right.kind != left.kind:
                refuse("compares", node)
            self._note_event(node.this, (node.expression,))
            self._note_event(node.expression, (node.this,))
            return _joined(EQUALS[kind], left, right)
        if kind is exp.Not:
            operand = self._of(node.this, aggregates, TRUTH)
            return Typed(exp.Not(this=exp.Paren(this=operand.tree)), TRUTH, operand.columns)
        if kind is exp.Between:
            three = [self._of(part, aggregates, NUMBER) for part in (node.this, node.args["low"], node.args["high"])]
            made = exp.Between(this=three[0].tree, low=three[1].tree, high=three[2].tree)
            return Typed(exp.Paren(this=made), TRUTH, frozenset().union(*(part.columns for part in three)))
        return self._of_one(node, aggregates)

    def _of_one(self, node: exp.Expr, aggregates: bool) -> Typed | None:
        if isinstance(node, exp.Is):
            if not isinstance(node.expression, exp.Null):
                refuse("is_null", node)
            operand = self.any(node.this, aggregates=aggregates)
            if operand.kind not in (NUMBER, TEXT):
                refuse("no_number_or_text", node)
            return Typed(exp.Paren(this=exp.Is(this=operand.tree, expression=exp.Null())), TRUTH, operand.columns)
        if isinstance(node, exp.Like):
            operand, pattern = self._of(node.this, aggregates, TEXT), self.any(node.expression, aggregates=False)
            if not isinstance(node.expression, exp.Literal) or pattern.kind != TEXT:
                refuse("like", node)
            return Typed(exp.Paren(this=exp.Like(this=operand.tree, expression=pattern.tree)), TRUTH, operand.columns)
        if not isinstance(node, exp.In):
            return None
        operand = self.any(node.this, aggregates=aggregates)
        listed = [self.any(part, aggregates=False) for part in node.expressions]
        wrong = any(part.kind != operand.kind or part.columns for part in listed)
        if not 1 <= len(listed) <= MOST_LISTED or operand.kind not in (NUMBER, TEXT) or wrong:
            refuse("in_list", node)
        self._note_event(node.this, node.expressions)
        made = exp.In(this=operand.tree, expressions=[part.tree for part in listed])
        return Typed(exp.Paren(this=made), TRUTH, operand.columns)

    def _case(self, node: exp.Case, aggregates: bool) -> Typed:
        branches, results = [], []
        for branch in node.args["ifs"]:
            self._arguments(branch)
            condition = self._of(branch.this, aggregates, TRUTH)
            result = self.any(branch.args["true"], aggregates=aggregates)
            branches.append((condition, result))
            results.append(result)
        default = node.args.get("default")
        last = None if default is None else self.any(default, aggregates=aggregates)
        kinds = {result.kind for result in (*results, *([last] if last else []))} - {NOTHING}
        if len(kinds) != 1 or not kinds <= {NUMBER, TEXT} or len(branches) > MOST_BRANCHES:
            refuse("one_kind", node)
        made = exp.Case(
            ifs=[exp.If(this=condition.tree, true=result.tree) for condition, result in branches],
            default=None if last is None else last.tree,
        )
        read = [part for pair in branches for part in pair] + ([last] if last else [])
        (kind,) = kinds
        columns = frozenset().union(*(part.columns for part in read))
        return _number(made, *read) if kind == NUMBER else Typed(made, TEXT, columns)

    def _coalesce(self, node: exp.Coalesce, aggregates: bool) -> Typed:
        parts = [self.any(part, aggregates=aggregates) for part in (node.this, *node.expressions)]
        kinds = {part.kind for part in parts}
        if len(kinds) != 1 or not kinds <= {NUMBER, TEXT} or len(parts) > MOST_BRANCHES:
            refuse("one_kind", node)
        made = exp.Coalesce(this=parts[0].tree, expressions=[part.tree for part in parts[1:]])
        return Typed(made, parts[0].kind, frozenset().union(*(part.columns for part in parts)))

    def _two(self, node: exp.Expr, kind: str, aggregates: bool) -> tuple[Typed, Typed]:
        return self._of(node.this, aggregates, kind), self._of(node.expression, aggregates, kind)

    def _of(self, node: exp.Expr, aggregates: bool, kind: str) -> Typed:
        typed = self.any(node, aggregates=aggregates)
        if typed.kind != kind:
            refuse(f"no_{kind}", node)
        return typed

    def _note_event(self, node: exp.Expr, others: list[exp.Expr] | tuple[exp.Expr, ...]) -> None:
        if self.base is None or not isinstance(node, exp.Column) or node.name.lower() != "event":
            return
        names = [str(other.this) for other in others if isinstance(other, exp.Literal) and other.is_string]
        self.base.events += [name for name in dict.fromkeys(names) if name not in self.base.events]

    def _arguments(self, node: exp.Expr) -> None:
        allowed = ARGUMENTS.get(type(node))
        if allowed is None:
            refuse("not_listed", node)
        more = any(name not in allowed and value not in (None, False, []) for name, value in node.args.items())
        if more or any(node.args.get(name) is None for name in allowed & NEEDED):
            refuse("not_listed", node)


def _constant(node: exp.Expr) -> Typed:
    match node:
        case exp.Boolean():
            return Typed(exp.Boolean(this=bool(node.this)), TRUTH)
        case exp.Null():
            return Typed(exp.Null(), NOTHING)
    text = str(node.this)
    if node.args["is_string"]:
        return Typed(exp.Literal.string(text), TEXT)
    if not LITERAL.fullmatch(text):
        refuse("number", node)
    return _number(exp.Literal.number(text))


def _joined(made: type[exp.Expr], left: Typed, right: Typed) -> Typed:
    tree = exp.Paren(this=made(this=left.tree, expression=right.tree))
    return Typed(tree, TRUTH, left.columns | right.columns)


def _number(tree: exp.Expr, *parts: Typed) -> Typed:
    columns = frozenset().union(*(part.columns for part in parts))
    return Typed(exp.Cast(this=tree, to=DOUBLE.copy()), NUMBER, columns)


# Rebuild the tree of an SQL metric from the parser's: only listed nodes are allowed.
#
# A node is read only through the arguments that `ARGUMENTS` lists for it, and one with any other argument is refused.
# Numbers are cast to DOUBLE where they enter and divisions by 0 give NULL, so that engines compute alike.

NAME = re.compile(r"[a-z_][a-z0-9_]{0,59}")
OURS = re.compile(r"(property|number)_\d+")
SELECT = {"expressions", "from_", "where", "group", "having"}
MOST_COLUMNS = 20
LEVELS = 4  # of SELECTs


class Rebuilding:
    """One statement being rebuilt, with the properties and event names found so far."""

    def __init__(self) -> None:
        self.names = Names()

    def checked(self, select: exp.Select) -> sql_statement.Checked:
        """The whole statement.

        Raises:
            Refused: naming the piece that is not allowed.
        """
        tree, columns = self._select(select, 1)
        if list(columns) != [sql_statement.UNIT, sql_statement.VALUE] or columns[sql_statement.VALUE] != NUMBER:
            refuse("two_columns", select)
        if tree.args.get("group") is None or len(tree.args["group"].expressions) != 1:
            refuse("one_row_per_unit", select)
        return sql_statement.Checked(
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
            name, typed = self._item(item, values, grouped)
            if name in columns:
                refuse("same_name", item, piece=name)
            columns[name] = typed.kind
            made.append("expressions", exp.alias_(typed.tree, name, quoted=True))
        if not 1 <= len(columns) <= MOST_COLUMNS or sql_statement.UNIT not in columns:
            refuse("columns", select)
        if grouped is not None:
            made.set("group", exp.Group(expressions=[exp.column(name, quoted=True) for name in grouped]))
        if having := select.args.get("having"):
            if grouped is None:
                refuse("having", having)
            _only(having, {"this"})
            typed = values.truth(having.this, aggregates=True)
            _of_group(having, typed, grouped or ())
            made.set("having", exp.Having(this=typed.tree))
        return made, columns

    def _source(self, select: exp.Select, level: int) -> tuple[exp.Expr, Mapping[str, str]]:
        from_ = select.args.get("from_")
        if from_ is None:
            refuse("no_table", select)
        _only(from_, {"this"})
        source = from_.this
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
            _only(source, {"this"})
            if source.name.lower() != sql_statement.TABLE:
                refuse("other_table", source)
            return exp.table_(sql_statement.TABLE), sql_statement.EVENT_COLUMNS
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
        if sql_statement.UNIT not in names or len(set(names)) < len(names):
            refuse("group_by_unit", group)
        return names

    def _item(self, item: exp.Expr, values: Values, grouped: Sequence[str] | None) -> tuple[str, Typed]:
        inner = item.this if isinstance(item, exp.Alias) else item
        name = item.alias.lower() if isinstance(item, exp.Alias) else ""
        if isinstance(item, exp.Alias):
            _only(item, {"this", "alias"})
        if isinstance(inner, exp.Column):
            own, kind = values.column(inner)
            if kind == UNIT and name not in ("", sql_statement.UNIT):
                refuse("unit_name", item)
            typed, name = Typed(exp.column(own, quoted=True), kind, frozenset((own,))), name or own
            taken = name in values.known and name != own
        else:
            typed = values.any(inner, aggregates=grouped is not None)
            taken = name in values.known or bool(OURS.fullmatch(name))
        if taken:  # engines disagree about which of the two a condition then refers to
            refuse("shadowed", item, piece=name)
        if not name or not NAME.fullmatch(name) or (name == sql_statement.UNIT and typed.kind != UNIT):
            refuse("no_name", item)
        if typed.kind not in (NUMBER, TEXT, UNIT):
            refuse("truth_as_column", item)
        if grouped is not None:
            _of_group(item, typed, grouped)
        return name, typed


def _only(node: exp.Expr, allowed: set[str]) -> None:
    for name, value in node.args.items():
        if name not in allowed and value not in (None, False, []):
            other = value[0] if isinstance(value, list) else value
            where = other if isinstance(other, exp.Expr) else node
            piece = piece_of(where) if where is not node else name.strip("_").upper()
            refuse("not_listed", where, piece=piece)


def _of_group(node: exp.Expr, typed: Typed, grouped: Sequence[str]) -> None:
    stray = sorted(typed.columns - set(grouped))
    if stray:
        refuse("not_in_group", node, piece=stray[0])
