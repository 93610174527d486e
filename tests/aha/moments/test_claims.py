"""What moments store about promises and findings, read as records: today's JSON, that of 0.3, and broken parts."""

from datetime import date
from typing import Any

import pytest

from aha.moments.claims import (
    Effect,
    EffectSet,
    ExperimentFinding,
    PromisedDifference,
    TakeUp,
    promised,
    read_finding,
    write_finding,
)

FOUND = ExperimentFinding(
    code="CAUSES",
    experiment="invite",
    analysis=3,
    on=date(2026, 11, 24),
    retest_on=date(2027, 11, 24),
    outcome="window:14-20",
    reason="found",
    effect=Effect(0.06, 0.02),
    effect_set=EffectSet("ray", 0.01),
    kind="proportion",
    take_up=TakeUp(0.2, 0.5, 0.3),
)
# As version 0.3 wrote it: no kind, no breakdown, and the promise of a moment without a study is null.
STORED = {
    "code": "CAUSES",
    "experiment": "invite",
    "analysis": 3,
    "on": "2026-11-24",
    "retest_on": "2027-11-24",
    "outcome": "window:14-20",
    "promised": None,
    "reason": "found",
    "effect": {"estimate": 0.06, "standard_error": 0.02},
    "effect_set": {"shape": "ray", "low": 0.01, "high": None},
    "take_up": {"control": 0.2, "variant": 0.5, "difference": 0.3},
}


def test_finding__written__keeps_the_keys_that_others_read() -> None:
    assert write_finding(FOUND) == {**STORED, "kind": "proportion"}
    assert read_finding(write_finding(FOUND)) == FOUND


def test_finding__of_version_0_3__is_a_share() -> None:
    found = read_finding(STORED)

    assert found.is_share
    assert (found.effect, found.on, found.breakdown) == (Effect(0.06, 0.02), date(2026, 11, 24), None)


@pytest.mark.parametrize("broken", [{"estimate": "much"}, {"not_computable": "no data"}, [], 3])
def test_finding__a_part_that_can_not_be_read__costs_itself(broken: Any) -> None:
    found = read_finding({**STORED, "effect": broken})

    assert found.effect is None
    assert (found.code, found.effect_set) == ("CAUSES", EffectSet("ray", 0.01))


def rungs(*estimates: float | None) -> dict[str, Any]:
    missing = {"reason": "no_overlap", "details": {}}
    return {"ladder": {"rungs": [{"difference": missing if one is None else {"estimate": one}} for one in estimates]}}


@pytest.mark.parametrize(
    ("evidence", "raw", "adjusted"),
    [
        ({}, None, None),
        (None, None, None),
        (rungs(), None, None),
        (rungs(None, None), None, None),
        (rungs(0.4, 0.3, 0.0), 0.4, 0.0),
        (rungs(0.4, 0.3, None), 0.4, 0.3),
        (rungs(None, 0.3), None, 0.3),
    ],
)
def test_promised__raw_is_the_first_rung_and_adjusted_the_last_that_is_known(
    evidence: Any, raw: float | None, adjusted: float | None
) -> None:
    found = promised(evidence)

    assert found.raw == (None if raw is None else PromisedDifference(raw))
    assert found.adjusted == (None if adjusted is None else PromisedDifference(adjusted))
