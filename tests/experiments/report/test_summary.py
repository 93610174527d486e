"""The first screen of a result as a reader reads it: every verdict, many results, each fact held against the JSON.

A parser takes the facts from the parts of the screen; the JSON document, which other programs read, is the truth.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.utils import translation

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.codes import Code
from experiments.analyse.result import AnalysisResult, Opened
from experiments.report import stored_document
from experiments.report.summary import Summary, as_text, one_decimal, summary, ticks
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells
from tests.experiments.make_readout import CLEAN, RUNNING, TODAY, broken, make_readout, make_result

SEEDS = range(20)
MOST_WORDS = 110
LONGEST_SENTENCE = 25


def read(units: dict[str, Any], **plan: Any) -> AnalysisResult:
    planned = make_analysed(planned_units=len(units["arm"]), **plan)
    cells = make_cells(units, behaviour=planned.plan.claim is not None)
    return analyse_answers(planned, make_answers(units, cells=cells), CLEAN, today=TODAY)


def seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1_000_000))


def causes(rng: np.random.Generator) -> AnalysisResult:
    n = int(rng.integers(4_000, 40_000))
    return read(draw_units(n, seed(rng), moved=rng.uniform(0.2, 0.6), effect=rng.uniform(0.25, 0.6)))


def harms(rng: np.random.Generator) -> AnalysisResult:
    n = int(rng.integers(20_000, 40_000))
    return read(draw_units(n, seed(rng), moved=rng.uniform(0.3, 0.6), effect=rng.uniform(-0.19, -0.14)))


def nothing(rng: np.random.Generator) -> AnalysisResult:
    return read(draw_units(int(rng.integers(150_000, 200_000)), seed(rng), moved=0.5, effect=0.0))


def unsure(rng: np.random.Generator) -> AnalysisResult:
    units = draw_units(int(rng.integers(2_000, 6_000)), seed(rng), moved=rng.uniform(0.2, 0.4), effect=0.0)
    return read(units, smallest_effect=0.02)


def failed(rng: np.random.Generator) -> AnalysisResult:
    return read(draw_units(int(rng.integers(4_000, 9_000)), seed(rng), moved=0.0))


def another_way(rng: np.random.Generator) -> AnalysisResult:
    """Being nudged keeps half of those who didn't do it: with the nudge fewer leave without having done it."""
    units = draw_units(int(rng.integers(8_000, 20_000)), seed(rng), moved=0.05, effect=0.0)
    stays = (units["arm"] == 1) & (units["reached"] == 0) & (rng.random(len(units["arm"])) < rng.uniform(0.4, 0.7))
    return read({**units, "value": np.where(stays, 1.0, units["value"])})


def invalid(rng: np.random.Generator) -> AnalysisResult:
    units = draw_units(int(rng.integers(4_000, 9_000)), seed(rng))
    kept = (units["arm"] == 0) | (rng.random(len(units["arm"])) < rng.uniform(0.5, 0.8))
    return read({name: values[kept] for name, values in units.items()})


WORLDS: dict[Code, Callable[[np.random.Generator], AnalysisResult]] = {
    Code.CAUSES: causes,
    Code.HARMS: harms,
    Code.NO_MATERIAL_EFFECT: nothing,
    Code.INCONCLUSIVE: unsure,
    Code.NUDGE_FAILED: failed,
    Code.NUDGE_NOT_BEHAVIOUR: another_way,
    Code.INVALID: invalid,
}


def with_verdict(code: Code) -> list[Opened]:
    """Twenty random results with this verdict."""
    found: list[Opened] = []
    for number in range(200):
        result = WORLDS[code](np.random.default_rng(1_000 + number))
        if isinstance(result, Opened) and result.verdict.code is code:
            found.append(result)
        if len(found) == len(SEEDS):
            return found
    raise AssertionError(f"only {len(found)} results are {code}")


def screen(found: Summary) -> list[str]:
    """The texts of the English screen, with the labels of its template."""
    promise = []
    if found.promise is not None:
        promise = ["dashboard promised", found.promise.promised, "experiment found", found.promise.found]
    return [
        *found.quality,
        found.basis,
        f"{found.decision} {found.finding}",
        *(f"{side.text} {side.group}" for side in found.sides),
        found.difference,
        found.limits,
        found.whom,
        found.question,
        found.answer,
        *found.because,
        *promise,
        f"Weak spot {found.weak} Why",
        *(f"{fact.title} {fact.sentence}" for fact in found.facts),
    ]


def words(texts: list[str]) -> int:
    return sum(any(letter.isalnum() for letter in word) for text in texts for word in text.split())


def numbers(text: str) -> list[float]:
    plain = text.replace("\u2212", "-").replace(",", "").replace("\u00a0", " ").replace("~", " ")
    return [float(found) for found in re.findall(r"(?<![\d.])-?\d+(?:\.\d+)?", plain)]


def facts_of(result: Opened) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the document says about the first outcome, and about the only comparison on it."""
    document = json.loads(json.dumps(stored_document.document(result), default=str))["report"]
    outcome = document["outcomes"][0]
    (comparison,) = outcome["comparisons"]
    return outcome, comparison


@pytest.mark.slow
@pytest.mark.parametrize("code", list(Code))
def test_reader__of_twenty_random_results__finds_each_fact_as_the_document_has_it(code: Code) -> None:
    for result in with_verdict(code):
        for language in ("en", "ko"):
            with translation.override(language):
                found = summary(result)
            _says_what_to_decide_by(found, code)
            if language == "en":
                _is_short(found)
            if code is not Code.INVALID:
                outcome, comparison = facts_of(result)
                _levels_are_those_of(found, outcome)
                _difference_is_that_of(found, comparison)
                if code in (Code.CAUSES, Code.HARMS):
                    _effect_is_that_of(found, comparison["encouragement"])


def _says_what_to_decide_by(found: Summary, code: Code) -> None:
    assert found.code == code
    assert all((found.decision, found.finding, found.question, found.answer, found.weak, found.quality))
    assert found.alarm is (code is Code.INVALID)
    if found.alarm:  # nothing that could be read as an effect
        assert (found.sides, found.difference, found.whom, found.promise, found.scale) == ((), "", "", None, None)


def _is_short(found: Summary) -> None:
    texts = screen(found)
    assert words(texts) <= MOST_WORDS, (words(texts), texts)
    for sentence in re.split(r"(?<=[.:?]) ", " ".join((found.answer, *found.because, found.weak))):
        assert len(sentence.split()) <= LONGEST_SENTENCE, sentence


def _levels_are_those_of(found: Summary, outcome: dict[str, Any]) -> None:
    assert [side.group for side in found.sides] == ["control", "nudge"]
    for side in found.sides:
        assert numbers(side.text) == [near(outcome["values"][side.group]["mean"])]
        assert side.n == outcome["values"][side.group]["n"]
    assert sum(side.n for side in found.sides) == max(numbers(found.whom))


def _difference_is_that_of(found: Summary, comparison: dict[str, Any]) -> None:
    row = comparison["difference"]
    assert numbers(found.difference) == [near(row["estimate"])]
    assert numbers(found.limits) == [95, near(row["low"]), near(row["high"])]


def _effect_is_that_of(found: Summary, row: dict[str, Any]) -> None:
    said = numbers(" ".join((found.answer, *found.because)))
    limits = row["anderson_rubin"]
    for value in (row["effect"]["estimate"], limits["low"], limits["high"]):
        assert any(one == near(value) for one in said), (value, said)
    assert any(one == pytest.approx(100 * row["take_up"]["difference"], abs=0.51) for one in said)
    # Rounded down: "keeps more than" may never promise a larger direct effect than the breakdown value.
    size = abs(100 * row["breakdown"])
    assert any(size - 0.11 <= one <= size for one in numbers(found.weak))


def near(share: float) -> Any:
    """The share in points, to the printed decimal."""
    return pytest.approx(100 * share, abs=0.051)


# ── Cases that random worlds don't reach ──────────────────────────────────────
def test_plain_test__gain__says_that_it_works_and_not_why() -> None:
    found = summary(make_readout(claim=None))

    assert (found.decision, found.finding, found.light) == ("Ship it.", "More users stay.", "good")
    assert found.question == "Did nudge cause it?"
    assert found.weak == "It shows that nudge works, not why."
    assert found.promise is None


def test_locked__nothing_of_the_outcome() -> None:
    found = summary(make_result(**RUNNING))

    assert found.decision == "Wait until Apr 29, 2026."
    assert (found.finding, found.sides, found.difference, found.scale) == ("", (), "", None)
    assert [fact.title for fact in found.facts] == ["Guardrails", "Next"]


def test_peek__never_recommends_to_ship() -> None:
    found = summary(make_readout(peek=True, **RUNNING))

    assert found.decision.startswith("Wait")
    assert found.weak.startswith("Analysed before its time")


def test_broken__says_why_and_has_no_number_to_copy() -> None:
    found = summary(broken())

    assert found.decision == "Don't decide on these data."
    assert "planned sizes" in found.weak
    assert "points" not in as_text(found, "Test")


def test_undecided__promise_isn_t_held_against_a_number_that_may_be_nothing() -> None:
    readout = read(draw_units(3_000, effect=0.0), smallest_effect=0.02)

    assert isinstance(readout, Opened)
    assert readout.verdict.code is Code.INCONCLUSIVE
    assert summary(readout).promise is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0165, "+1.7"), (-0.0165, "\u22121.7"), (0.0004, "+0.04"), (-0.00004, "\u22120.004"), (0.0, "0.0")],
)
def test_one_decimal__never_rounds_an_effect_to_nothing(value: float, text: str) -> None:
    assert one_decimal(value, share=True, plus=True) == text


@pytest.mark.parametrize(("low", "high"), [(-1.2, 4.1), (0.0, 0.3), (-66.0, 12.0), (0.0, 0.0)])
def test_ticks__are_few_round_and_hold_the_interval(low: float, high: float) -> None:
    found = ticks(low, high)

    assert 1 <= len(found) <= 8
    assert found[0] <= low
    assert found[-1] >= high
    assert 0.0 in found


def test_text__plain_and_markdown__say_the_same() -> None:
    found = summary(make_readout())
    plain, marked = as_text(found, "Friends"), as_text(found, "Friends", markdown=True)

    assert plain == "\n".join(line.removeprefix("- ") for line in marked.replace("**", "").splitlines())
    assert found.difference in plain
    assert found.weak in plain


def test_drawn__zero_span_and_estimate_lie_on_the_axis() -> None:
    scale = summary(make_readout()).scale

    assert scale is not None
    drawn = scale.drawn
    assert 30 <= drawn["zero"] < drawn["low"] < drawn["estimate"] < drawn["high"] <= 570
    flat = replace(scale, low=0.0, high=0.0, estimate=0.0, ticks=ticks(0.0, 0.0))
    assert flat.drawn["zero"] == flat.drawn["estimate"]
