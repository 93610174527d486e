"""ivmodels' answers on units against ours from moments, where both take one covariance for all groups."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stats.instrument.arms import EffectSet
from stats.instrument.pooled import Instrument, Pooled, SharedControl, pooled
from stats.instrument.pooled_sets import conditional_p, likelihood_ratio, lowest, stacked
from stats.iv_moments import IvMoments
from stats.results import computable
from tests.stats.make import computed

CASES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "reference" / "pooling.json").read_text())["cases"]
EVERY_CASE = pytest.mark.parametrize("name", list(CASES))


def instruments(case: dict[str, Any]) -> list[Instrument]:
    """The rows of a case, every group with the covariance that ivmodels pools."""
    found = []
    for place, row in enumerate(case["arms"]):
        v_r, c_rd, v_d = (case[part] for part in ("v_r", "c_rd", "v_d"))
        both, control = 1 / row["n_control"] + 1 / row["n_variant"], 1 / row["n_control"]
        moments = IvMoments(
            row["itt"], row["first_stage"], v_r * both, v_d * both, c_rd * both, row["n_control"], row["n_variant"]
        )
        shared = SharedControl(v_r * control, v_d * control, c_rd * control)
        found.append(Instrument(str(row["experiment"]), f"arm {place}", moments, shared))
    return found


def answer(case: dict[str, Any]) -> Pooled:
    return computed(pooled(instruments(case)))


@EVERY_CASE
def test_pooled__units_of_ivmodels__gives_its_liml_and_over_identification(name: str) -> None:
    case = CASES[name]
    found = answer(case)
    stack = stacked(instruments(case), alpha=0.05)

    assert stack.effect(lowest(stack)) == pytest.approx(case["liml"], rel=1e-6)
    if computable(found.liml):
        assert found.liml.estimate == pytest.approx(case["liml"], rel=1e-6)
    if len(case["arms"]) > 1:
        agreement = computed(found.agreement)
        assert agreement.statistic == pytest.approx(case["over_identification"], rel=1e-6)
        assert agreement.p_over_identified == pytest.approx(case["over_identification_p"], rel=1e-6)


@EVERY_CASE
def test_statistics__units_of_ivmodels__are_its_ar_and_clr_with_their_p(name: str) -> None:
    case = CASES[name]
    stack = stacked(instruments(case), alpha=0.05)
    for row in case["tests"]:
        angle = np.arctan([row["effect"] / stack.unit])
        ratio, strength = likelihood_ratio(stack, angle)
        assert float(stack.ar(angle)[0]) == pytest.approx(row["ar"], rel=1e-6)
        assert float(ratio[0]) == pytest.approx(row["lr"], rel=1e-6, abs=1e-6)
        assert float(conditional_p(ratio, strength, stack.size)[0]) == pytest.approx(row["lr_p"], abs=1e-6)


@EVERY_CASE
def test_sets__units_of_ivmodels__are_its_sets(name: str) -> None:
    found = answer(CASES[name])

    assert_same(found.anderson_rubin, CASES[name]["ar_set"], 1e-6)
    # ivmodels searches the ends of this one; its statistic and p are compared to 1e-6 above.
    assert_same(found.likelihood_ratio, CASES[name]["lr_set"], 1e-5)


def assert_same(found: EffectSet, expected: list[list[float | None]], tolerance: float) -> None:
    assert len(found.pieces) == len(expected)
    for piece, other in zip(found.pieces, expected, strict=True):
        for end, wanted in zip(piece, other, strict=True):
            assert (end is None) == (wanted is None)
            assert end is None or end == pytest.approx(wanted, rel=tolerance, abs=tolerance)
