"""Rules: what parses, what is refused and where, and one answer for one unit, for many, and in the SDKs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.metrics import Behaviour
from events.windows import LastDays
from runs.refusals import Refused
from segments.rules import (
    MAX_CONDITIONS,
    MAX_DAYS,
    MAX_DEPTH,
    BehaviourCount,
    Condition,
    Facts,
    Feature,
    Needs,
    Operator,
    Quantifier,
    RecentCount,
    Rule,
    Subject,
    Trait,
    grows_old,
    is_live,
    matches,
    members,
    needs,
    parse_rule,
    sentence,
    to_document,
)

Columns = dict[Subject, np.ndarray[Any, Any]]
ADDED = BehaviourCount(Behaviour("friend_add"), 7)
EXAMPLE: dict[str, Any] = {
    "all": [
        {"trait": "platform", "in": ["ios", "web"]},
        {"behaviour": "friend_add", "days": 7, "at_least": 3},
        {"none": [{"feature": "recency", "at_least": 14}, {"trait": "staff", "is": True}]},
    ]
}


def one(condition: dict[str, Any]) -> dict[str, Any]:
    return {"all": [condition]}


def nested(depth: int) -> dict[str, Any]:
    document: dict[str, Any] = {"all": [{"trait": "a", "is": 1}]}
    for _ in range(depth - 1):
        document = {"any": [document]}
    return document


def test_parse_rule__example__comes_back_and_says_what_it_needs() -> None:
    rule = parse_rule(EXAMPLE)

    assert to_document(rule) == EXAMPLE
    assert needs(rule) == Needs(("platform", "staff"), (ADDED,), ("recency",))
    assert not is_live(rule)
    assert is_live(parse_rule(one({"trait": "a", "exists": True})))


def test_sentence__example__plain_words() -> None:
    assert sentence(parse_rule(EXAMPLE)) == (
        "all of (platform is one of ios, web; number of friend_add in the first 7 days at least 3; "
        "none of (days since the last activity at least 14; staff is true))"
    )


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"trait": "a", "is_not": "x"}, "a is known and not x"),
        ({"trait": "a", "exists": False}, "a is not known"),
        ({"trait": "a", "exists": True}, "a is known"),
        ({"trait": "a", "at_most": 2.5}, "a at most 2.5"),
        ({"feature": "tenure", "at_most": 3}, "days since the first activity at most 3"),
        ({"behaviour": "b", "days": 1, "at_most": 0}, "number of b in the first 1 day at most 0"),
        ({"behaviour": "b", "last": 7, "at_least": 2}, "number of b in the last 7 days at least 2"),
        (
            {"behaviour": "b", "last": 7, "before": 1, "at_most": 2},
            "number of b in the 7 days before the last 1 day at most 2",
        ),
        ({"feature": "active_days", "last": 28, "at_most": 3}, "active days in the last 28 days at most 3"),
        (
            {"feature": "active_days", "last": 28, "before": 28, "at_least": 8},
            "active days in the 28 days before the last 28 days at least 8",
        ),
    ],
)
def test_sentence__each_kind(condition: dict[str, Any], words: str) -> None:
    assert sentence(parse_rule(one(condition))) == f"all of ({words})"


FELL = {
    "all": [
        {"feature": "tenure", "at_least": 90},
        {"feature": "active_days", "last": 28, "before": 28, "at_least": 8},
        {"feature": "active_days", "last": 28, "at_most": 3},
        {"behaviour": "buy#item", "last": 7, "at_least": 1},
    ]
}
BEFORE, LATELY, BOUGHT = (
    RecentCount(None, LastDays(28, 28)),
    RecentCount(None, LastDays(28)),
    RecentCount(Behaviour("buy", None, "item"), LastDays(7)),
)


def test_parse_rule__of_the_last_days__comes_back_and_says_what_it_needs() -> None:
    rule = parse_rule(FELL)

    assert to_document(rule) == FELL
    assert needs(rule) == Needs((), (), ("tenure",), (LATELY, BEFORE, BOUGHT))
    assert not is_live(rule)


@pytest.mark.parametrize(("limits", "holds"), [((8, 3), True), ((7, 3), False), ((8, 4), False), ((None, 3), False)])
def test_matches__last_days__both_sides_of_each_limit(limits: tuple[int | None, int], holds: bool) -> None:
    before, lately = limits
    counts: dict[Any, float] = {LATELY: lately, BOUGHT: 1}
    if before is not None:
        counts[BEFORE] = before

    assert matches(parse_rule(FELL), Facts({}, counts, {"tenure": 90})) is holds


@pytest.mark.parametrize(
    ("condition", "grows"),
    [
        ({"trait": "a", "is": 1}, False),
        ({"behaviour": "b", "days": 7, "at_least": 1}, False),
        ({"feature": "sessions", "at_least": 1}, False),
        ({"feature": "recency", "at_least": 1}, True),
        ({"feature": "tenure", "at_most": 1}, True),
        ({"feature": "active_days", "last": 7, "at_least": 1}, True),
        ({"behaviour": "b", "last": 7, "at_least": 1}, True),
    ],
)
def test_grows_old__what_time_alone_changes(condition: dict[str, Any], grows: bool) -> None:
    assert grows_old(parse_rule(one({"none": [condition]}))) is grows


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (None, "the rule"),
        ([], "the rule"),
        ({}, "the rule"),
        ({"some": []}, "the rule"),
        ({"all": [], "any": []}, "the rule"),
        ({"all": []}, "all"),
        ({"all": "x"}, "all"),
        ({"all": [3]}, "all[0]"),
        ({"all": [{"any": [{"trait": "a", "is": 1}, {}]}]}, "all[0].any[1]"),
        (one({"trait": "a"}), "all[0]"),
        (one({"is": 1}), "all[0]"),
        (one({"trait": "a", "feature": "tenure", "is": 1}), "all[0]"),
        (one({"trait": "a", "is": 1, "in": [1]}), "all[0]"),
        (one({"trait": "a", "like": 1}), "all[0]"),
        (one({"trait": "a", "days": 3, "is": 1}), "all[0]"),
        (one({"all": [{"trait": "a", "is": 1}], "trait": "a"}), "all[0]"),
        (one({"trait": "", "is": 1}), "all[0].trait"),
        (one({"trait": 7, "is": 1}), "all[0].trait"),
        (one({"trait": "a", "is": None}), "all[0].is"),
        (one({"trait": "a", "is": float("nan")}), "all[0].is"),
        (one({"trait": "a", "in": []}), "all[0].in"),
        (one({"trait": "a", "in": ["x", []]}), "all[0].in[1]"),
        (one({"trait": "a", "at_least": "3"}), "all[0].at_least"),
        (one({"trait": "a", "at_least": True}), "all[0].at_least"),
        (one({"trait": "a", "exists": "yes"}), "all[0].exists"),
        (one({"feature": "age", "at_least": 1}), "all[0].feature"),
        (one({"feature": "tenure", "is": 1}), "all[0]"),
        (one({"feature": "tenure", "at_least": -1}), "all[0].at_least"),
        (one({"behaviour": "b", "at_least": 1}), "all[0].days"),
        (one({"behaviour": "b", "days": 0, "at_least": 1}), "all[0].days"),
        (one({"behaviour": "b", "days": MAX_DAYS + 1, "at_least": 1}), "all[0].days"),
        (one({"behaviour": "b", "days": True, "at_least": 1}), "all[0].days"),
        (one({"behaviour": "b", "days": 2.0, "at_least": 1}), "all[0].days"),
        (one({"behaviour": "b", "days": 2, "at_least": 1.5}), "all[0].at_least"),
        (one({"behaviour": "b[x", "days": 2, "at_least": 1}), "all[0].behaviour"),
        (one({"behaviour": "b[x", "last": 2, "at_least": 1}), "all[0].behaviour"),
        (one({"behaviour": "b", "days": 2, "last": 2, "at_least": 1}), "all[0]"),
        (one({"behaviour": "b", "last": 0, "at_least": 1}), "all[0].last"),
        (one({"behaviour": "b", "last": MAX_DAYS + 1, "at_least": 1}), "all[0].last"),
        (one({"behaviour": "b", "last": "28", "at_least": 1}), "all[0].last"),
        (one({"behaviour": "b", "last": 2, "at_least": 1.5}), "all[0].at_least"),
        (one({"behaviour": "b", "last": 28, "before": 0, "at_least": 1}), "all[0].before"),
        (one({"behaviour": "b", "last": 28, "before": MAX_DAYS + 1, "at_least": 1}), "all[0].before"),
        (one({"behaviour": "b", "days": 28, "before": 28, "at_least": 1}), "all[0].before"),
        (one({"feature": "active_days", "before": 28, "at_least": 1}), "all[0].before"),
        (one({"feature": "active_days", "days": 28, "at_least": 1}), "all[0]"),
        (one({"feature": "active_days", "last": True, "at_least": 1}), "all[0].last"),
        (one({"feature": "active_days", "last": 28, "is": 1}), "all[0]"),
        (one({"feature": "sessions", "last": 28, "at_least": 1}), "all[0].last"),
        (one({"trait": "a", "last": 28, "is": 1}), "all[0]"),
        (nested(MAX_DEPTH + 1), "any[0].any[0].any[0].any[0].any[0]"),
    ],
)
def test_parse_rule__bad_part__refused_with_its_path(document: object, where: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_rule(document)

    message = str(refused.value)
    assert message.startswith(f"At {where}: ")
    assert message.endswith(".")


def test_parse_rule__at_the_limits() -> None:
    many = {"any": [{"trait": "a", "is": i} for i in range(MAX_CONDITIONS)]}

    assert to_document(parse_rule(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    assert to_document(parse_rule(many)) == many
    with pytest.raises(Refused, match="101 conditions"):
        parse_rule({"any": [*many["any"], {"trait": "a", "is": 1}]})


@pytest.mark.parametrize(
    ("condition", "trait", "holds"),
    [
        ({"is": "ios"}, "ios", True),
        ({"is": "ios"}, "web", False),
        ({"is": 1}, 1.0, True),
        ({"is": 1}, True, False),
        ({"is": True}, 1, False),
        ({"is": "1"}, 1, False),
        ({"is_not": "ios"}, "web", True),
        ({"is_not": "ios"}, "ios", False),
        ({"is_not": 1}, True, True),
        ({"in": ["ios", 3]}, 3, True),
        ({"in": ["ios", 3]}, "3", False),
        ({"at_least": 3}, 3, True),
        ({"at_least": 3}, 2.99, False),
        ({"at_most": 3}, 3, True),
        ({"at_most": 3}, 3.01, False),
        ({"at_most": 3}, "2", False),
        ({"at_most": 3}, True, False),
        ({"is": "a"}, ["a"], False),
        ({"exists": True}, "", True),
        ({"exists": False}, 0, False),
    ],
)
def test_matches__known_trait(condition: dict[str, Any], trait: object, holds: bool) -> None:
    assert matches(parse_rule(one({"trait": "t", **condition})), Facts({"t": trait})) is holds


@pytest.mark.parametrize("facts", [Facts(), Facts({"t": None}), Facts({"t": float("nan")})])
@pytest.mark.parametrize(
    "condition", [{"is": "x"}, {"is_not": "x"}, {"in": ["x"]}, {"at_least": 0}, {"at_most": 9}, {"exists": True}]
)
def test_matches__unknown_trait__every_condition_is_false(condition: dict[str, Any], facts: Facts) -> None:
    assert not matches(parse_rule(one({"trait": "t", **condition})), facts)
    assert matches(parse_rule(one({"trait": "t", "exists": False})), facts)


@pytest.mark.parametrize(
    ("count", "recency", "holds"), [(3, 13, True), (2, 13, False), (3, 14, False), (None, 0, False), (3, None, True)]
)
def test_matches__example(count: int | None, recency: float | None, holds: bool) -> None:
    facts = Facts(
        {"platform": "ios"}, {} if count is None else {ADDED: count}, {} if recency is None else {"recency": recency}
    )

    assert matches(parse_rule(EXAMPLE), facts) is holds


SCALAR = st.sampled_from(["ios", "web", "", "1", 1, 0, 2.5, True, False])
TRAIT = st.fixed_dictionaries({"trait": st.sampled_from(["a", "b"])}).flatmap(
    lambda base: st.one_of(
        SCALAR.map(lambda v: {**base, "is": v}),
        SCALAR.map(lambda v: {**base, "is_not": v}),
        st.lists(SCALAR, min_size=1, max_size=3).map(lambda v: {**base, "in": v}),
        st.integers(-1, 3).map(lambda v: {**base, "at_least": v}),
        st.integers(-1, 3).map(lambda v: {**base, "at_most": v}),
        st.booleans().map(lambda v: {**base, "exists": v}),
    )
)
NUMBER = st.tuples(st.sampled_from(["at_least", "at_most"]), st.integers(0, 3))
OTHER = NUMBER.flatmap(
    lambda pair: st.sampled_from(
        [
            {"behaviour": "friend_add", "days": 7, pair[0]: pair[1]},
            {"feature": "tenure", pair[0]: pair[1]},
            {"feature": "active_days", "last": 28, pair[0]: pair[1]},
        ]
    )
)


def documents(condition: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    def join(parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        lists = st.lists(parts, min_size=1, max_size=3)
        return st.tuples(st.sampled_from(["all", "any", "none"]), lists).map(lambda pair: {pair[0]: pair[1]})

    inner = join(condition)
    return st.one_of(inner, join(st.one_of(condition, inner)))


FACT = st.one_of(st.none(), SCALAR)
NUMERIC_FACT = st.one_of(st.none(), st.integers(0, 4))


@pytest.mark.slow
@given(
    document=documents(st.one_of(TRAIT, OTHER)),
    units=st.lists(st.tuples(FACT, FACT, NUMERIC_FACT, NUMERIC_FACT, NUMERIC_FACT), min_size=1, max_size=8),
)
@settings(deadline=None, max_examples=300)
def test_members__any_rule_and_units__as_matches_says_of_each(document: dict[str, Any], units: list[Any]) -> None:
    rule = parse_rule(document)
    a, b, counts, tenures, lately = ([unit[i] for unit in units] for i in range(5))
    columns: Columns = {
        Trait("a"): np.array([*a, None], dtype=object)[:-1],
        Trait("b"): np.array([*b, None], dtype=object)[:-1],
        ADDED: np.array([np.nan if count is None else count for count in counts], dtype=float),
        Feature("tenure"): np.array([np.nan if tenure is None else tenure for tenure in tenures], dtype=float),
        LATELY: np.array([np.nan if number is None else number for number in lately], dtype=float),
    }

    together = members(rule, columns, units=len(units))

    alone = [
        matches(
            rule,
            Facts(
                {"a": unit[0], "b": unit[1]},
                {key: unit[i] for i, key in ((2, ADDED), (4, LATELY)) if unit[i] is not None},
                {} if unit[3] is None else {"tenure": unit[3]},
            ),
        )
        for unit in units
    ]
    assert together.tolist() == alone
    assert parse_rule(to_document(rule)) == rule


def test_members__missing_or_wrong_column() -> None:
    rule = parse_rule({"any": [{"trait": "a", "exists": False}, {"feature": "tenure", "at_least": 0}]})

    assert members(rule, {}, units=3).tolist() == [True] * 3
    with pytest.raises(ValueError, match="not \\(3,\\)"):
        members(rule, {Feature("tenure"): np.zeros(2)}, units=3)


def test_matches__size_without_a_number__raises() -> None:
    flawed = Rule(Quantifier.ALL, (Condition(Trait("a"), Operator.AT_LEAST, "x"),))

    with pytest.raises(ValueError, match="needs a number"):
        matches(flawed, Facts({"a": 1}))


def test_members__typed_columns__texts_and_numbers() -> None:
    rule = parse_rule({"all": [{"trait": "a", "is": "x"}, {"trait": "level", "at_least": 2}]})
    columns: Columns = {Trait("a"): np.array(["x", "x", "y"]), Trait("level"): np.array([2, 1, 5])}

    assert members(rule, columns, units=3).tolist() == [True, False, False]
