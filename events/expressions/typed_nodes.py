"""Rebuild numbers, texts and conditions of an SQL metric with their types.

Every allowed function and operator is in one of the tables below; others that the parser knows are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from events.expressions import statement
from events.expressions.refusing import refuse

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
        found = self._arithmetic(node, aggregates) or self._condition(node, aggregates)
        if found is None:
            refuse("not_listed", node)
        return found

    def _named(self, node: exp.Column) -> Typed:
        name = node.name.lower()
        if name in statement.PLACEHOLDERS and name not in self.known:
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
        said = str(given[0].this)
        if not PROPERTY.fullmatch(said):
            refuse("property_name", node)
        places = self.base.properties if name == "property" else self.base.numbers
        if said not in places:
            places.append(said)
        column = f"{name}_{places.index(said)}"
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
        found = self.any(node, aggregates=False)
        if found.kind not in (NUMBER, TEXT):
            refuse("no_number_or_text", node)
        return found.tree

    def _arithmetic(self, node: exp.Expr, aggregates: bool) -> Typed | None:
        kind = type(node)
        if kind in ONE_NUMBER:
            one = self._of(node.this, aggregates, NUMBER)
            return _number(ONE_NUMBER[kind](this=one.tree), one)
        if kind is exp.Neg:
            one = self._of(node.this, aggregates, NUMBER)
            return Typed(exp.Paren(this=exp.Neg(this=exp.Paren(this=one.tree))), NUMBER, one.columns)
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
            one = self._of(node.this, aggregates, TRUTH)
            return Typed(exp.Not(this=exp.Paren(this=one.tree)), TRUTH, one.columns)
        if kind is exp.Between:
            three = [self._of(part, aggregates, NUMBER) for part in (node.this, node.args["low"], node.args["high"])]
            made = exp.Between(this=three[0].tree, low=three[1].tree, high=three[2].tree)
            return Typed(exp.Paren(this=made), TRUTH, frozenset().union(*(part.columns for part in three)))
        return self._of_one(node, aggregates)

    def _of_one(self, node: exp.Expr, aggregates: bool) -> Typed | None:
        if isinstance(node, exp.Is):
            if not isinstance(node.expression, exp.Null):
                refuse("is_null", node)
            one = self.any(node.this, aggregates=aggregates)
            if one.kind not in (NUMBER, TEXT):
                refuse("no_number_or_text", node)
            return Typed(exp.Paren(this=exp.Is(this=one.tree, expression=exp.Null())), TRUTH, one.columns)
        if isinstance(node, exp.Like):
            one, pattern = self._of(node.this, aggregates, TEXT), self.any(node.expression, aggregates=False)
            if not isinstance(node.expression, exp.Literal) or pattern.kind != TEXT:
                refuse("like", node)
            return Typed(exp.Paren(this=exp.Like(this=one.tree, expression=pattern.tree)), TRUTH, one.columns)
        if not isinstance(node, exp.In):
            return None
        one = self.any(node.this, aggregates=aggregates)
        listed = [self.any(part, aggregates=False) for part in node.expressions]
        wrong = any(part.kind != one.kind or part.columns for part in listed)
        if not 1 <= len(listed) <= MOST_LISTED or one.kind not in (NUMBER, TEXT) or wrong:
            refuse("in_list", node)
        self._note_event(node.this, node.expressions)
        made = exp.In(this=one.tree, expressions=[part.tree for part in listed])
        return Typed(exp.Paren(this=made), TRUTH, one.columns)

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
        found = self.any(node, aggregates=aggregates)
        if found.kind != kind:
            refuse(f"no_{kind}", node)
        return found

    def _note_event(self, node: exp.Expr, others: list[exp.Expr] | tuple[exp.Expr, ...]) -> None:
        if self.base is None or not isinstance(node, exp.Column) or node.name.lower() != "event":
            return
        said = [str(other.this) for other in others if isinstance(other, exp.Literal) and other.is_string]
        self.base.events += [name for name in dict.fromkeys(said) if name not in self.base.events]

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
    said = str(node.this)
    if node.args["is_string"]:
        return Typed(exp.Literal.string(said), TEXT)
    if not LITERAL.fullmatch(said):
        refuse("number", node)
    return _number(exp.Literal.number(said))


def _joined(made: type[exp.Expr], left: Typed, right: Typed) -> Typed:
    tree = exp.Paren(this=made(this=left.tree, expression=right.tree))
    return Typed(tree, TRUTH, left.columns | right.columns)


def _number(tree: exp.Expr, *parts: Typed) -> Typed:
    columns = frozenset().union(*(part.columns for part in parts))
    return Typed(exp.Cast(this=tree, to=DOUBLE.copy()), NUMBER, columns)
