"""The subjects of the audit that no other test runs, small: each still runs, and its figures lie where they must."""

from importlib import import_module

import pytest

from benchmarks.audit import controls
from benchmarks.audit.frame.figure import Figure


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["steps", "first_stage", "placebo", "dose_words"])
def test_figures__a_twentieth_of_the_runs__are_met_but_for_chance(subject: str) -> None:
    rows: list[Figure] = import_module(f"benchmarks.audit.{subject}").figures(0.05)

    judged = [row.met for row in rows if row.met is not None]

    # Fifty runs a row: a rate of 5 % shows 8 % or more in one row of six, so a single miss proves nothing.
    assert judged
    assert judged.count(False) <= 1, [row for row in rows if row.met is False]


@pytest.mark.slow
def test_controls__few_and_noisy__do_not_alarm_as_the_normal_law_did() -> None:
    assert controls.false_alarms(0.02, 0.02, 5, 600) <= 0.05  # 12.7 % in version 0.3; 1.8 % in 2,400 runs since
