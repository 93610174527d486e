"""Which findings may be pooled: one definition, sound data, each user once; results never decide."""

from dataclasses import replace
from datetime import date

import pytest

from aha.evidence.findings import Definition, PastFinding, Why, sort_out, usual_definition
from stats.instrument.pooled_sets import SharedControl
from stats.iv_moments import IvMoments
from tests.aha.evidence.past.make_findings import FRIENDS, finding

NULL = IvMoments(0.0, 0.0, 1e-4, 1e-4, 0.0, 10, 10)
SHARED = SharedControl(1e-5, 1e-5, 0.0)


def kept(*rows: PastFinding, definition: Definition = FRIENDS) -> list[str]:
    return [row.variant for row in sort_out(rows, definition)[0]]


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        (replace(FRIENDS, times=4), Why.OTHER_CLAIM),
        (replace(FRIENDS, days=6), Why.OTHER_CLAIM),
        (replace(FRIENDS, outcome="window:20-27"), Why.OTHER_OUTCOME),
    ],
)
def test_definition__another_one__is_left_out_with_the_reason(definition: Definition, why: Why) -> None:
    used, left = sort_out([finding(), finding("other", definition=definition)], FRIENDS)

    assert [row.source for row in used] == ["banner"]
    assert [(one.finding.source, one.why) for one in left] == [("other", why)]


def test_definition__another_behaviour__isn_t_named_at_all() -> None:
    assert sort_out([finding(definition=replace(FRIENDS, behaviour="chat"))], FRIENDS) == ((), ())


@pytest.mark.parametrize(("one", "other"), [("week:3", "window:15-21"), ("on_day:7", "window:7-7")])
def test_definition__written_in_another_way__is_the_same(one: str, other: str) -> None:
    row = finding(definition=replace(FRIENDS, outcome=one))

    assert len(sort_out([row], replace(FRIENDS, outcome=other))[0]) == 1


@pytest.mark.parametrize("verdict", ["CAUSES", "HARMS", "NUDGE_FAILED", "NUDGE_NOT_BEHAVIOUR", "INCONCLUSIVE"])
def test_verdict__any_but_invalid__counts_whatever_was_found(verdict: str) -> None:
    assert kept(finding(verdict=verdict, moments=NULL)) == ["nudge"]


def test_verdict__invalid__is_left_out() -> None:
    _used, left = sort_out([finding(verdict="INVALID")], FRIENDS)

    assert [one.why for one in left] == [Why.INVALID]


def test_arms__of_one_experiment__count_together_only_with_the_errors_of_their_control() -> None:
    first, second = finding(variant="a", place=1), finding(variant="b", place=2)

    assert kept(second, first) == ["a"]  # by the plan's order, not by what was found
    assert kept(*(replace(row, shared=SHARED) for row in (first, second))) == ["a", "b"]
    assert kept(replace(first, shared=SHARED), replace(second, shared=SHARED, comparator="placebo")) == ["a"]
    assert kept(first, replace(second, source="letter")) == ["a", "b"]
    assert kept(first, replace(second, origin="file")) == ["a", "b"]


def test_usual_definition__is_that_of_most_experiments_then_the_latest() -> None:
    other = replace(FRIENDS, times=5)
    rows = [finding("a"), finding("b", definition=other, variant="x"), finding("b", definition=other, variant="y")]

    assert usual_definition([*rows, finding("c")], "friend_add") == FRIENDS
    later = [replace(rows[1], ended=date(2027, 1, 1)), *rows[:1]]
    assert usual_definition(later, "friend_add") == other
    assert usual_definition(rows, "friend_add", times=5) == other
    assert usual_definition(rows, "friend_add", outcome="on_day:1") is None
    assert usual_definition(rows, "chat") is None
