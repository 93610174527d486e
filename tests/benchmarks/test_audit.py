"""The subjects of the audit that no other test runs, small: each still runs, and its figures lie where they must."""

from importlib import import_module

import pytest

from benchmarks.audit import controls, placebo
from benchmarks.audit.frame.figure import Figure
from experiments.analyse.codes import Code


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["steps", "first_stage", "dose_words"])
def test_figures__a_twentieth_of_the_runs__are_met_but_for_chance(subject: str) -> None:
    rows: list[Figure] = import_module(f"benchmarks.audit.{subject}").figures(0.05)

    judged = [row.met for row in rows if row.met is not None]

    # Fifty runs a row: a rate of 5 % shows 8 % or more in one row of six, so a single miss proves nothing.
    assert judged
    assert judged.count(False) <= 1, [row for row in rows if row.met is False]


@pytest.mark.slow
def test_controls__few_and_noisy__do_not_alarm_as_the_normal_law_did() -> None:
    assert controls.false_alarms(0.02, 0.02, 5, 600) <= 0.05  # 12.7 % in version 0.3; 1.8 % in 2,400 runs since


@pytest.mark.slow
def test_placebo__of_equal_salience__shows_what_works_and_nothing_else() -> None:
    works = placebo.world(20, 0, direct=0.015, effect=0.15, take_up=0.2)
    idle = placebo.world(20, 10_000, direct=0.015, effect=0.0, take_up=0.2)

    assert works.share(Code.CAUSES) >= 0.8  # 97 % in 1,000 runs
    assert idle.share(Code.CAUSES, Code.HARMS) <= 0.2  # 5 % in 1,000 runs; version 0.3 said so of up to 27 %
