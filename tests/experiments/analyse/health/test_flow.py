"""Units and events that are missing: each check at its threshold and just beyond."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from experiments.analyse.gather.answers import Audit
from experiments.analyse.health.flow import (
    check_inflow,
    check_late,
    check_no_signup,
    check_silent,
    check_sizes,
    check_unexposed,
)
from tests.experiments.analyse.health.make_context import codes, findings, halves, only, stored, units
from tests.experiments.make_answers import END, draw_units, make_analysed, make_answers, make_cells


@pytest.mark.parametrize(("n", "tiny"), [(49, True), (50, False)])
def test_tiny_variant__below_fifty(n: int, tiny: bool) -> None:
    assert ("tiny_variant" in findings(units((100, n)))) == tiny


@pytest.mark.parametrize(
    ("assigned", "check"),
    [
        ({"control": 1_250, "nudge": 1_250}, None),
        ({"control": 1_251, "nudge": 1_250}, "unexposed"),
        ({"control": 1_000, "nudge": 1_100}, "unexposed_differs"),
    ],
)
def test_unexposed__a_fifth_or_a_difference(assigned: dict[str, int], check: str | None) -> None:
    of = stored(audit=Audit(0, 0, assigned))

    found = list(check_unexposed(of))

    assert [finding.check for finding in found] == ([] if check is None else [check])


@pytest.mark.parametrize(
    ("silent", "check"), [((499, 500), None), ((500, 500), "silent"), ((10, 60), "silent_differs")]
)
def test_silent__half_or_a_difference(silent: tuple[int, int], check: str | None) -> None:
    rows = tuple((label, 1_000, n) for label, n in zip(("control", "nudge"), silent, strict=True))
    of = stored(replace(halves(1_000, 1_000), silent=rows))

    assert codes(check_silent, of) == ([] if check is None else [check])


@pytest.mark.parametrize(("late", "warns"), [(1_000, False), (1_001, True)])
def test_late_events__beyond_one_percent(late: int, warns: bool) -> None:
    of = stored(replace(halves(1_000, 1_000), late=(100_000, late)))

    assert bool(codes(check_late, of)) is warns


@pytest.mark.parametrize(("quiet", "running", "warns"), [(1, True, False), (2, True, True), (2, False, False)])
def test_inflow__stopped_for_two_whole_days(quiet: int, running: bool, warns: bool) -> None:
    last = END.date() - timedelta(days=1 + quiet)
    days = tuple((last - timedelta(days=back), "control", 20) for back in range(10))
    plan = make_analysed(enrolment_ended=None if running else date(2026, 2, 1))
    of = stored(replace(halves(1_000, 1_000), exposures_by_day=days), plan)

    assert bool(codes(check_inflow, of)) is warns


def test_sizes__empty_and_tiny_arms() -> None:
    cells = make_cells(draw_units(49, arm=np.zeros(49, dtype=int)))
    of = stored(make_answers(draw_units(49), cells=cells))

    assert codes(check_sizes, of) == ["tiny_variant", "empty_variant"]


def test_no_signup__is_said() -> None:
    assert only(check_no_signup, stored(replace(halves(1_000, 1_000), no_signup=4))).details == {"n": 4}


def test_left_out__each_reason__with_its_share_of_the_rows() -> None:
    found = findings(units((100, 100), rows=250, excluded={"missing_unit": 50}))

    assert found["missing_unit"].details == {"n": 50, "share": 0.2}
    assert "missing_variant" not in found
