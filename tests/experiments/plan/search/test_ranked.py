"""Designs in their order, each with the reason for its place."""

from dataclasses import replace

import pytest

from experiments.plan.designs import Assigned, Audience, PastTakeUp, SearchInputs, proposal, search
from experiments.report.planning import lead, named, ranked_tables, reason_sentence, refused_table
from stats.power.family_and_looks import Method

EVERYONE = Audience("", 350.0, 0.22, None, 0.29, 27)
KEEN = Audience("style.v1.keen", 50.0, 0.3, None, 0.6, 27)
ASKED = SearchInputs(
    effect=0.2,
    audiences=(EVERYONE, KEEN),
    take_ups=(PastTakeUp("tips", "", 0.15, 0.01), PastTakeUp("push", "", 0.05, 0.004)),
    r_squared=0.15,
)
FOUND = search(ASKED)


def test_ranked__all__are_in_the_order_of_their_days() -> None:
    days = [round(one.expected_days, 1) for one in FOUND.ranked]
    assert days == sorted(days)
    assert all(one.chance >= 0.8 - 1e-6 for one in FOUND.ranked)
    assert all(one.expected_days <= one.days + 1e-9 for one in FOUND.ranked)


def test_ranked__every_combination__is_ranked_or_refused() -> None:
    # Two nudges with and without placebo, and two kinds of feature: each adjusted or not, by three ways to look, twice.
    assert len(FOUND.ranked) + len(FOUND.refused) == (2 * 2 + 2) * 2 * 3 * 2
    refused = {(named(one.design, whole=False), str(one.why)) for one in FOUND.refused}
    assert ("the nudge tips, style.v1.keen", "no_take_up") in refused
    assert not [one for one in FOUND.refused if one.design.audience.segment == ""]


def test_ranked__stronger_nudge_adjustment_and_no_placebo__are_sooner() -> None:
    def days(nudge: str, *, placebo: bool = False, adjusted: bool = False) -> float:
        return next(
            one.expected_days
            for one in FOUND.ranked
            if (one.design.nudge, one.design.placebo, one.design.adjusted) == (nudge, placebo, adjusted)
            and one.design.method is Method.FIXED
        )

    assert days("tips") < days("push")
    assert days("tips", adjusted=True) < days("tips")
    assert days("tips") < days("tips", placebo=True) < days("push", placebo=True)


def test_reasons__of_a_placebo_and_of_looks__are_what_they_cost_and_save() -> None:
    by = {
        (one.design.placebo, one.design.method): one
        for one in FOUND.ranked
        if one.design.nudge == "tips" and not one.design.adjusted
    }
    with_placebo, without = by[True, Method.FIXED], by[False, Method.FIXED]
    codes = {reason.code: reason.values for reason in with_placebo.reasons}
    assert codes["placebo_costs"]["days"] == with_placebo.expected_days - without.expected_days
    assert "no_placebo" in {reason.code for reason in without.reasons}
    looks = {reason.code: reason.values for reason in by[False, Method.GROUP_SEQUENTIAL].reasons}
    assert looks["looks_save"]["days"] == without.expected_days - by[False, Method.GROUP_SEQUENTIAL].expected_days
    assert FOUND.ranked[0].reasons[0].code == "soonest"
    assert all(reason_sentence(reason) for one in FOUND.ranked for reason in one.reasons)


def test_proposal__has_a_placebo_and_tests_the_behaviour() -> None:
    best = proposal(FOUND)
    assert best is not None
    assert (best.design.assigned, best.design.placebo, best.design.nudge) == (Assigned.NUDGE, True, "tips")
    assert "against a placebo" in lead(ASKED, FOUND)
    nothing = search(replace(ASKED, take_ups=()))
    assert proposal(nothing) is None
    assert "No test of a nudge can be planned" in lead(ASKED, nothing)


def test_tables__show_every_design_once_with_its_reason() -> None:
    (nudges, features), refused = ranked_tables(FOUND), refused_table(FOUND)
    assert sorted(int(row[0]) for row in (*nudges.rows, *features.rows)) == list(range(1, len(FOUND.ranked) + 1))
    assert all(row[-1] for row in (*nudges.rows, *features.rows))
    assert [len(table.rows) for table in ranked_tables(FOUND, most=5)] == [5, 5]
    assert {row[0] for row in refused.rows} >= {"the nudge tips, style.v1.keen"}
    assert all(row[1] for row in refused.rows)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("effect", 0.0, "effect"),
        ("r_squared", 1.0, "r-squared"),
        ("power", 0.04, "alpha"),
        ("exposure", 0.0, "feature-exposure"),
        ("deadline", 0, "deadline"),
        ("take_ups", (PastTakeUp("x", "", 2.0),), "take-up"),
    ],
)
def test_inputs__that_can_not_be__are_refused(field: str, value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(ASKED, **{field: value})  # type: ignore[arg-type]
