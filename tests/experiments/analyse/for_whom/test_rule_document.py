"""A rule whom to nudge as a segment by rule: it takes exactly the users that the analysis meant."""

from itertools import product

import pytest

from experiments.analyse.segment_draft import rule_document
from runs.refusals import Refused
from segments.rules import Facts, matches, parse_rule
from stats.policy import NudgeRule, TraitCondition
from stats.trait_cells import SEGMENT

PAYERS = {"all": [{"trait": "plan", "is": "pro"}]}
SEGMENTS = {"payers.v1": PAYERS, "clusters.v1.social": None}


def is_(trait: str, level: str, *, holds: bool = True) -> TraitCondition:
    return TraitCondition(trait, level, holds)


@pytest.mark.parametrize("any_of", [False, True])
@pytest.mark.parametrize("holds", [(True, True), (True, False), (False, False)])
def test_document__every_user__is_taken_as_the_analysis_meant(*, any_of: bool, holds: tuple[bool, bool]) -> None:
    rule = NudgeRule((is_("platform", "ios", holds=holds[0]), is_("level", "3", holds=holds[1])), any_of)
    parsed = parse_rule(rule_document(rule, {}))
    for platform, level in product(("ios", "web", None), ("3", 3, 4, None)):
        meant = ((platform == "ios") == holds[0], (str(level) == "3") == holds[1])
        traits = {name: value for name, value in (("platform", platform), ("level", level)) if value is not None}
        assert matches(parsed, Facts(traits=traits)) == (any(meant) if any_of else all(meant))


def test_document__truth_values_and_what_is_unknown__are_understood() -> None:
    paid = parse_rule(rule_document(NudgeRule((is_("paid", "true"),)), {}))
    unknown = parse_rule(rule_document(NudgeRule((is_("platform", ""),)), {}))

    assert matches(paid, Facts(traits={"paid": True}))
    assert matches(paid, Facts(traits={"paid": "true"}))
    assert not matches(paid, Facts(traits={"paid": 1}))
    assert matches(unknown, Facts(traits={}))
    assert not matches(unknown, Facts(traits={"platform": "ios"}))


def test_document__segment_by_rule__is_written_out() -> None:
    rule = NudgeRule((is_(SEGMENT, "payers.v1", holds=False), is_("platform", "ios")))
    parsed = parse_rule(rule_document(rule, SEGMENTS))

    assert matches(parsed, Facts(traits={"plan": "free", "platform": "ios"}))
    assert not matches(parsed, Facts(traits={"plan": "pro", "platform": "ios"}))


def test_document__everyone_else__is_nobody_of_the_named_segments() -> None:
    parsed = parse_rule(rule_document(NudgeRule((is_(SEGMENT, ""),)), {"payers.v1": PAYERS, "": None}))

    assert matches(parsed, Facts(traits={"plan": "free"}))
    assert not matches(parsed, Facts(traits={"plan": "pro"}))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (is_(SEGMENT, "clusters.v1.social"), "isn't a segment by rule"),
        (is_("active_days_before", "3"), "isn't a trait"),
    ],
)
def test_document__what_no_rule_can_say__is_refused(condition: TraitCondition, words: str) -> None:
    with pytest.raises(Refused, match=words):
        rule_document(NudgeRule((condition,)), SEGMENTS)
