"""A result of an older version says which rules have changed since, and only where they touch it."""

from dataclasses import replace
from typing import Any

import pytest

from experiments.analyse.payload_versions import READOUT, RULES, Changed, changed_rules
from experiments.analyse.result import AnalysisResult, Opened
from experiments.report.first_lines import older_rules
from tests.experiments.make_readout import make_readout


def of_0_4(readout: Opened) -> Opened:
    return replace(readout, rules=1)


def test_payload__without_an_edition__is_of_the_first() -> None:
    stored = READOUT.store(make_readout())
    assert stored.pop("rules") == RULES

    found = READOUT.read(stored)

    assert isinstance(found, AnalysisResult)
    assert found.rules == 1


def test_result__of_today__says_nothing_of_older_rules() -> None:
    found = make_readout()

    assert changed_rules(replace(found, flow=replace(found.flow, several_variants=3))) == ()


def test_result__of_one_nudge_and_a_share__comes_out_alike_today() -> None:
    assert older_rules(of_0_4(make_readout())) == ()


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        (Changed.TWO_ARMS_MET, {"several_variants": 1}),
        (Changed.TWO_ARMS_MET, {"identity_conflicts": 1}),
        (Changed.TIES, {"primary": ("quantile:50%:count:coins:0-27",)}),
        (Changed.MIX, {"primary": ("count:coins:0-27 / count:buy:0-27",)}),
        (Changed.CLUSTERS, {"cluster": "guild"}),
    ],
)
def test_result__of_0_4__names_the_rule_that_would_judge_otherwise(changed: Changed, fields: dict[str, Any]) -> None:
    made = of_0_4(make_readout())
    flow = {name: value for name, value in fields.items() if hasattr(made.flow, name)}
    plan = {name: value for name, value in fields.items() if name not in flow}
    found = replace(
        made, flow=replace(made.flow, **flow), analysed=replace(made.analysed, plan=replace(made.plan, **plan))
    )

    assert changed_rules(found) == (changed,)
    assert len(older_rules(found)) == 2


@pytest.mark.parametrize(
    ("changes", "changed"), [({}, (Changed.ARMS,)), ({"doses": ("second",)}, ()), ({"placebo": "second"}, ())]
)
def test_result__of_two_nudges__says_so_where_both_could_lead(
    changes: dict[str, Any], changed: tuple[Changed, ...]
) -> None:
    made = of_0_4(make_readout())
    first, *rest = made.report.outcomes
    rows = (*first.comparisons, replace(first.comparisons[0], variant="second"))
    report = replace(made.report, outcomes=(replace(first, comparisons=rows), *rest))

    assert changed_rules(replace(made, report=replace(report, design=replace(report.design, **changes)))) == changed


def test_result__of_a_placebo_that_gave_way_to_control__says_so() -> None:
    made = of_0_4(make_readout())
    first, *rest = made.report.outcomes
    rows = tuple(
        replace(row, encouragement=replace(row.encouragement, comparator_reason="placebo_moves_behaviour"))
        for row in first.comparisons
        if row.encouragement is not None
    )
    found = replace(made, report=replace(made.report, outcomes=(replace(first, comparisons=rows), *rest)))

    assert changed_rules(found) == (Changed.PLACEBO,)
