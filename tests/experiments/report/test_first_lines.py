"""The first lines of a report: verdict, alarms, what is asked, what may be known while it is locked."""

from dataclasses import replace

import pytest
from django.utils import translation

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.codes import LIGHTS, SIGNS, Code
from experiments.report import first_lines
from experiments.report.first_lines import opening
from experiments.report.promise_and_finding import contrasts
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells
from tests.experiments.make_readout import CLEAN, RUNNING, TODAY, broken, make_readout, make_result


def test_opening__of_a_final_gain__says_verdict_and_estimand_without_alarms() -> None:
    found = opening(make_readout())

    assert (found.code, found.light, found.alarms) == ("CAUSES", "good", ())
    assert "raises retention" in found.sentence
    assert "retention on days 21–27" in found.sentence
    assert "only if nudged" in found.estimand
    assert "3 friends" in found.estimand
    assert found.known == ()


def test_opening__of_a_moment_that_nobody_named__names_it_in_the_readers_language() -> None:
    claim = make_analysed().plan.claim
    assert claim is not None
    unnamed = replace(claim, name="friend_add ≥ 3 within 7 days")

    with translation.override("ko"):
        found = opening(make_readout(claim=unnamed))

    assert "within" not in found.sentence
    assert "7일 안에" in found.sentence


def test_opening__without_a_moment__asks_about_the_nudge() -> None:
    found = opening(make_readout(claim=None))

    assert "does nudge instead of control change retention" in found.estimand


def test_opening__of_a_peek__alarms_before_the_verdict() -> None:
    found = opening(make_readout(peek=True, **RUNNING))

    assert len(found.alarms) == 1
    assert found.alarms[0].startswith("Opened early: a person read the outcome when 20.0%")


def test_opening__of_broken_data__alarms_and_strikes_out_every_number() -> None:
    readout = broken()

    assert opening(readout).code == "INVALID"
    assert opening(readout).alarms[0].startswith("These data are broken.")
    assert all(row.struck for row in contrasts(readout))


def test_opening__while_locked__tells_progress_take_up_and_the_day() -> None:
    readout = make_result(**RUNNING)
    found = opening(readout)

    assert (found.code, found.light) == (first_lines.PENDING, "")
    assert "Results unlock when enrolment ends and outcomes are final" in found.sentence
    assert found.known[0].startswith("4,000 of 20,000 planned users exposed")
    assert found.known[1] == "As planned it opens on Apr 29, 2026."
    assert "changed the share doing it from 20.8% to 44.9%" in found.known[2]


def test_opening__while_locked__tells_whether_a_guardrail_alarms() -> None:
    units = draw_units(4_000)
    cells = make_cells(units, outcomes=("window:21-27", "on_day:1"))
    readout = analyse_answers(
        make_analysed(**RUNNING, guardrails=("on_day:1",)), make_answers(units, cells=cells), CLEAN, today=TODAY
    )

    assert opening(readout).known[-1] == "1 guardrail alarms among 1 guardrails: see the data quality."
    quiet = replace(readout, health=())
    assert opening(quiet).known[-1] == "None of the 1 guardrails alarms."


@pytest.mark.parametrize("code", list(Code))
def test_every_verdict__has_light_and_sign(code: Code) -> None:
    assert LIGHTS[code] in ("good", "bad", "warn")
    assert SIGNS[code]
