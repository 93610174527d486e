"""Two segments side by side: what differs, whether that is more than chance, and what differs by construction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from segments.published.members import TraitShare
from segments.report.two_segments import Side, by_construction, traits_table, two_segments


@dataclass
class Row:
    """As the model has it."""

    pk: int
    key: str
    name: str
    stayed: Mapping[str, Any] | None
    pattern: Sequence[Sequence[str]] | None = None
    stability: float | None = None
    size: int = 1_000


def side(name: str, count: int, n: int = 1_000, *, rule: Any = None, retention: str = "window:21-27") -> Side:
    stayed = {"count": count, "n": n, "retention": retention}
    return Side(Row(1, "g1", name, stayed), "Style v1", 4_000, rule, {})


@pytest.mark.parametrize(
    ("first", "second", "pairs", "words"),
    [
        (300, 400, 1, "B is retained more than A: +10.0"),
        (400, 300, 1, "B is retained less than A: \u221210.0"),
        (300, 341, 1, "B is retained more than A"),
        (300, 341, 6, "Retention does not differ detectably between A and B"),  # p .050 to .3 after six pairs
        (300, 300, 1, "Retention does not differ detectably"),
    ],
)
def test_finding__both_sides_of_chance_and_of_the_pairs(first: int, second: int, pairs: int, words: str) -> None:
    found = two_segments(side("A", first), side("B", second), pairs=pairs)

    assert found.finding.startswith(words)
    assert ("adjusted for the 6 pairs" in found.finding) is (pairs == 6)
    assert [row[0] for row in found.facts.rows] == ["users", "retained (95% CI)", "version"]
    assert "n 1,000" in found.facts.rows[1][1]


def test_finding__two_definitions__not_compared() -> None:
    found = two_segments(side("A", 300), side("B", 400, retention="window:7-13"), pairs=1)

    assert found.finding == "Their retention was measured by two definitions, so it can’t be compared."
    assert found.facts.rows[1][3] == ""


@pytest.mark.parametrize("n", [0, 49])
def test_finding__too_few__says_why(n: int) -> None:
    found = two_segments(side("A", 0, n), side("B", 400), pairs=1)

    assert found.finding.startswith("Who stays can’t be compared yet: ")


def test_construction__groups_rules_and_both__said() -> None:
    groups = side("A", 1), side("B", 1)
    counted = side("A", 1, rule={"all": [{"behaviour": "battle", "days": 7, "at_least": 1}]})
    features = side("B", 1, rule={"all": [{"feature": "recency", "at_most": 3}]})
    traits = side("B", 1, rule={"all": [{"trait": "platform", "is": "ios"}]})

    assert ["formed by how often" in words for words in by_construction(*groups)] == [True]
    assert by_construction(counted, traits) == (
        "A is defined by battle, so a difference in it is there by construction.",
    )
    assert "a difference in retention is there by construction" in by_construction(traits, features)[0]
    assert by_construction(traits, groups[0]) == ()


def test_traits__shares_of_those_who_have_it() -> None:
    first = TraitShare("platform", 100, (("ios", 75), ("web", 25)))
    second = TraitShare("platform", 50, (("web", 50),))

    table = traits_table(("A", "B"), ([first], [second]))

    assert table is not None
    assert [row[1:] for row in table.rows] == [
        ("ios", "75.0% (75/100)", "0.0% (0/50)"),
        ("web", "25.0% (25/100)", "100.0% (50/50)"),
    ]
    assert traits_table(("A", "B"), ([first], [])) is None
