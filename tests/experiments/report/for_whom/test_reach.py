"""The section "For whom?": its sentences, tables and pictures, and when it says nothing."""

from dataclasses import replace

import pytest

from experiments.analyse.codes import Code
from experiments.analyse.effects import Report
from experiments.report import targeting
from experiments.report.targeting import combination_words, of_report, rule_words
from stats.policy import NudgeRule, Policy, TraitCondition
from stats.results import NotComputable, Reason
from stats.trait_cells import SEGMENT
from tests.experiments.analyse.for_whom.make import opposite, told


def report() -> Report:
    found = opposite().report
    assert found is not None
    return found


def policy() -> Policy:
    return told(report().outcomes[0].comparisons[0].policy)


def with_verdict(code: Code) -> Report:
    found = report()
    outcome = found.outcomes[0]
    row = outcome.comparisons[0]
    rows = (replace(row, verdict=replace(row.verdict, code=code)),)
    return replace(found, outcomes=(replace(outcome, comparisons=rows),))


def test_section__parts_in_order__with_pictures_and_tables_of_the_same_rows() -> None:
    parts = of_report(with_verdict(Code.CAUSES)).parts

    assert [part.slug for part in parts] == ["everybody-1", "everybody-cells-1", "policy-1"]
    reach, _cells, rule = parts
    assert reach.finding.startswith("Known for 2")
    assert "For the others it lies somewhere between" in reach.finding
    assert "If similar users respond alike" in reach.note
    assert rule.finding.startswith("Nudge only where segment is new, ")
    for part, marks_of_a_row in ((reach, 3), (rule, 2)):
        assert part.draw is not None
        assert part.table is not None
        assert part.draw()[1] == marks_of_a_row * len(part.table.rows)


@pytest.mark.parametrize(
    ("code", "slugs"),
    [
        (Code.INVALID, []),
        (Code.NUDGE_FAILED, ["policy-1"]),
        (Code.NUDGE_NOT_BEHAVIOUR, ["policy-1"]),
        (Code.INCONCLUSIVE, ["everybody-1", "everybody-cells-1", "policy-1"]),
    ],
)
def test_section__verdict_that_denies_the_behaviour__says_nothing_of_it(code: Code, slugs: list[str]) -> None:
    assert [part.slug for part in of_report(with_verdict(code)).parts] == slugs


def test_refusal__says_no_rule_beats_everybody_and_which_came_nearest() -> None:
    refused = replace(policy(), beats=False)
    everybody = replace(refused, rule=None, everybody=True)

    assert targeting.whom_to_nudge_finding(refused, True).startswith(
        "No rule beats everybody. The best one found, segment is new, gains +"
    )
    assert targeting.whom_to_nudge_finding(everybody, True).startswith("Nudge everyone: no group does better")
    assert "benefits enough" in targeting.whom_to_nudge_finding(replace(everybody, everybody=False), True)
    assert len(targeting.whom_to_nudge_table("nudge", everybody, True).rows) == 1


@pytest.mark.slow
def test_note__cost__is_said() -> None:
    assert "cost nothing" in targeting.whom_to_nudge_note(policy(), True)
    assert "costs 1.0 points per" in targeting.whom_to_nudge_note(replace(policy(), cost=0.01), True).replace(
        "\u00a0", " "
    )


def test_beyond_moved__what_is_missing__is_a_reason() -> None:
    outcome = report().outcomes[0]
    row = outcome.comparisons[0]
    encouragement = row.encouragement
    assert encouragement is not None
    found = told(encouragement.everybody)
    bare = replace(
        found,
        reweighted=NotComputable(Reason.NO_TRAITS),
        others=NotComputable(Reason.MODEL_CONTRADICTED),
        everyone=NotComputable(Reason.MODEL_CONTRADICTED),
    )
    parts = targeting.parts_of(outcome, replace(row, encouragement=replace(encouragement, everybody=bare)), 1)

    assert len(parts) == 1
    assert parts[0].draw is None
    assert "No mix of users" in parts[0].finding
    assert parts[0].table is not None
    assert len(parts[0].table.rows) == 4


def test_names__rules_and_combinations__read_as_words() -> None:
    both = (TraitCondition("platform", "ios", holds=True), TraitCondition(SEGMENT, "", holds=False))

    assert rule_words(NudgeRule(both)) == "platform is ios and segment is not Everyone else"
    assert rule_words(NudgeRule(both, any_of=True)) == "platform is ios or segment is not Everyone else"
    assert combination_words(((SEGMENT, "new"), ("platform", ""))) == "new · platform unknown"
