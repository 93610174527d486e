"""Waltons and lung: ways to be wrong about censoring that the report doesn't take, beside the known answers.

The log-rank tests, medians and shares themselves: tests/stats/survival/test_kaplan_meier.py.
"""

from pathlib import Path

import numpy as np
import pytest

from reporting.numbers import GLUE, p_relation
from stats.survival.kaplan_meier import kaplan_meier
from stats.survival.rmst import compare_restricted_means
from tests.stats.make import computed, log_rank
from tests.stats.survival.test_kaplan_meier import lung, waltons


def test_waltons__p_of_ten_to_the_minus_28__is_never_printed_as_zero(real_data: Path) -> None:
    found = computed(log_rank(*waltons(real_data)))
    assert 0 < found.p_value == pytest.approx(2.04e-28, rel=5e-3, abs=0)
    assert p_relation(found.p_value) == f"<{GLUE}0.0001"


def test_lung__medians__count_the_censored(real_data: Path) -> None:
    """Among the dead alone 208.5 and 293, of all rows 224 and 292.5: both ignore those who were still alive."""
    frame, *groups = lung(real_data)
    dead = [float(np.median(frame.time[(frame.sex == sex) & (frame.status == 1)])) for sex in (1, 2)]
    rows = [float(np.median(frame.time[frame.sex == sex])) for sex in (1, 2)]
    assert (dead, rows) == ([208.5, 293], [224, 292.5])
    steps = [computed(kaplan_meier(group)).steps for group in groups]
    assert [next(step.time for step in rows if step.survival <= 0.5) for rows in steps] == [270, 426]


def test_lung__missing_values__cost_only_the_question_that_needs_them(real_data: Path) -> None:
    frame, men, women = lung(real_data)
    missing = frame.isna().sum()
    assert missing[missing > 0].to_dict() == {
        "inst": 1,
        "ph.ecog": 1,
        "ph.karno": 1,
        "pat.karno": 3,
        "meal.cal": 47,
        "wt.loss": 14,
    }
    assert men.n + women.n == len(frame) == 228
    assert len(frame.dropna()) < 170


@pytest.mark.parametrize("name", ["waltons", "lung"])
def test_restricted_mean__real_groups__equals_the_area_added_up_by_hand(real_data: Path, name: str) -> None:
    """Area under the product limit added up step by step here; the sign agrees with the log-rank test."""
    groups = waltons(real_data) if name == "waltons" else lung(real_data)[1:]
    tau = min(group.follow_up for group in groups)
    found = computed(compare_restricted_means(*groups, tau=tau))
    areas = []
    for group in groups:
        steps = [(0.0, 1.0), *((step.time, step.survival) for step in computed(kaplan_meier(group)).steps)]
        ends = [*(time for time, _ in steps[1:]), np.inf]
        areas.append(
            sum(share * max(min(end, tau) - time, 0.0) for (time, share), end in zip(steps, ends, strict=True))
        )
    assert found.estimate == pytest.approx(areas[1] - areas[0], rel=1e-9)
    assert found.p_value < 0.01
    tested = computed(log_rank(*groups))
    # More leave than expected exactly where the mean time is shorter.
    assert (tested.observed > tested.expected) == (found.estimate < 0)
