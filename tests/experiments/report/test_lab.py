"""A lab's result as JSON, in sentences and as a page: open, locked, broken, in both languages."""

import json
from dataclasses import replace
from typing import Any

import pytest
from django.utils import translation

from experiments.analyse.result import AnalysisResult, Opened
from experiments.plan.record import GuardrailRule
from experiments.report import flow, lab
from experiments.report.page import parts, sections
from experiments.report.stored_document import document
from experiments.report.summary import as_text, summary
from tests.experiments.analyse.labs.lab_world import GUARDRAIL, draw_users, lab_plan, read
from tests.experiments.make_readout import make_readout, opened

MOVES = [[0.2, 0.04], [0.04, 0.2]]
FIRST = {"take_ups", "nudges", "most_nudges"}


def result_of(n: int = 20_000, *, plan: Any = None, **changes: Any) -> AnalysisResult:
    planned = lab_plan() if plan is None else plan
    return read(planned, draw_users(planned, n, 1, **{"moves": MOVES, "effects": [0.4, 0.0], **changes}))


def test_document__of_a_lab__has_what_each_nudge_moved_and_each_behaviour_does() -> None:
    made = document(result_of())

    found = made["lab"]
    json.dumps(made, allow_nan=False)
    assert [row["key"] for row in found["nudges"]] == ["a", "b"]
    assert [(row["nudge"], row["behaviour"], row["aimed"]) for row in found["take_ups"]] == [
        ("a", "friend_add", True),
        ("a", "chat", False),
        ("b", "friend_add", False),
        ("b", "chat", True),
    ]
    assert [(row["behaviour"], row["times"], row["state"]) for row in found["behaviours"]] == [
        ("friend_add", 1, "causes"),
        ("chat", 1, "inconclusive"),
    ]
    effect = found["behaviours"][0]["effect"]
    assert effect["low"] < 0.4 < effect["high"]
    assert effect["p_value"] <= effect["adjusted_p_value"]
    assert "not_computable" in found["agreement"]
    assert found["interactions"][0]["nudges"] == ["a", "b"]
    assert {row["assumption"] for row in found["whole"]} == {"only_through_its_behaviour"}
    assert "take_ups" not in made
    assert [row["variant"] for row in made["report"]["outcomes"][0]["comparisons"]] == ["a", "b"]


def test_document__of_a_locked_or_broken_lab__has_take_ups_alone() -> None:
    locked = result_of(2_000, plan=lab_plan(enrolment_ended=None))
    assert not isinstance(locked, Opened)

    found = document(locked)["lab"]

    assert len(found["take_ups"]) == 4
    assert not any(value for name, value in found.items() if name not in FIRST)


def test_sentences__one_for_each_nudge_and_each_behaviour() -> None:
    screen = summary(result_of())

    assert screen.decision == "Decide nudge by nudge."
    assert len(screen.nudges) == 2
    assert screen.nudges[0].startswith("a: Ship it. ")
    assert "points" in screen.nudges[0]
    assert len(screen.because) == 2
    assert screen.because[0].startswith("friend_add raises ")
    assert " (95%: " in screen.because[0]
    assert screen.because[1].startswith("Not known whether chat changes ")
    assert screen.nudges[0] in as_text(screen, "Lab")
    assert "one analysis, as planned" in screen.quality  # its path has a row for each nudge


def test_sentences__behaviours_that_no_nudge_parts__name_each_other() -> None:
    screen = summary(result_of(moves=[[0.15, 0.15], [0.15, 0.15]]))

    assert screen.because[0] == "friend_add can't be told apart from chat: the nudges move both alike."


def test_summary__of_a_locked_lab__says_nothing_of_behaviours_and_names_harm() -> None:
    rules = {GUARDRAIL: GuardrailRule("higher", 0.02)}
    planned = lab_plan(enrolment_ended=None, guardrails=(GUARDRAIL,), guardrail_rules=rules)
    result = result_of(12_000, plan=planned, guard=[0.0, -0.3])

    screen = summary(result)

    assert screen.because == ()
    assert screen.sides == ()
    assert screen.decision.startswith("Wait ")
    assert screen.nudges == ("b: Don't ship it. Harm is proved: retention on day 7.",)


def test_heat__says_in_words_what_its_shades_say() -> None:
    found = lab.heat(result_of())

    assert found is not None
    cells = [cell for _name, row in found.rows for cell in row]
    assert [cell.said for cell in cells] == ["raised, aimed at", "raised", "raised", "raised, aimed at"]
    assert all(cell.classes.startswith("shade-") for cell in cells)
    assert all("+" in cell.text for cell in cells)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_page__of_a_lab__has_its_sections_in_both_languages(language: str) -> None:
    with translation.override(language):
        result = result_of(4_000)
        slugs = [section.slug for section in sections(result)]
        found = {part.slug: part for part in parts(result)}

    assert slugs.index("lab") < slugs.index("outcomes") if "outcomes" in slugs else "lab" in slugs
    assert {"lab-take-ups", "lab-behaviours", "lab-agreement", "lab-interactions", "lab-whole"} <= found.keys()
    by_day = found["inflow"].table
    assert by_day is not None
    assert len(by_day.columns) == 2  # one for all sets of nudges
    with translation.override(language):
        assert len(lab.tables(result)) == 4


def test_flow__of_a_lab__is_said_by_nudge_and_never_by_set() -> None:
    result = result_of(4_000)
    result = replace(result, flow=replace(result.flow, exposed={"none": 7, "a": 5, "b": 3, "a.b": 1}))

    rows = flow.flow(result).rows

    assert rows[:4] == (
        ("exposed with a", "6"),
        ("exposed without a, which they could have had", "10"),
        ("exposed with b", "4"),
        ("exposed without b, which they could have had", "12"),
    )
    assert not any("a.b" in row[0] for row in rows)
    assert flow.split(result).startswith("Planned split: 4 sets of 2 nudges. Sample-ratio test")
    assert flow.section(result).parts[0].finding.startswith("4,000 users in 4 sets of nudges; ")


def test_page__of_a_lab_with_one_nudge_at_once__says_that_no_two_meet() -> None:
    result = result_of(8_000, plan=lab_plan(most=1))

    [part] = [part for part in parts(result) if part.slug == "lab-interactions"]

    assert part.finding.startswith("Too few users had two nudges at once")


def test_page__of_a_lab__names_no_set_where_nudges_are_compared() -> None:
    result = opened(result_of(4_000))

    for part in parts(result):
        if part.table is not None and part.slug != "units":
            assert not any("a.b" in cell for row in part.table.rows for cell in row), part.slug


def test_result__of_a_test__has_no_part_of_a_lab() -> None:
    result = make_readout()

    assert document(result)["lab"] is None
    assert not lab.section(result).parts
    assert summary(result).nudges == ()
