"""What the arms of a plan could tell: planned ones as they are, proposed ones where there is none."""

from dataclasses import replace
from typing import Any

import pytest

from experiments.plan.arms_power import arms_power, last_level, proposed_targets, targets_of
from experiments.plan.record import Claim, PlannedVariant
from stats.instrument.dose_power import DosePlan, dose_power, placebo_power
from stats.results import NotComputable, Reason
from tests.experiments.plan.test_record import BASE
from tests.stats.instrument.test_dose_power import ACTS
from tests.stats.make import computed

CLAIM = Claim("three", "Three friends", "add", 3, 7, "window:21-27")
TESTED = replace(BASE, claim=CLAIM, alpha=0.05, power=0.8, expected_take_up=0.2, method="fixed", looks=())


def variants(*roles: tuple[str, int | None]) -> tuple[PlannedVariant, ...]:
    weight = 10_000 // (len(roles) + 1)
    treated = [PlannedVariant(f"v{at}", True, weight, role, dose) for at, (role, dose) in enumerate(roles)]
    return (PlannedVariant("control", False, weight), *treated)


def test_arms__of_a_plan_without_any__are_proposed_as_large_as_control() -> None:
    found = arms_power(replace(TESTED, variants=variants(("nudge", None))), ACTS, (5_000, 5_000), 0.2)

    assert found is not None
    assert (found.placebo.planned, found.placebo.units) == (False, 5_000)
    assert found.placebo.shown == placebo_power(1 - ACTS.below(3), 0.2, (5_000, 5_000))
    assert (found.doses.planned, found.doses.targets, found.doses.units) == (False, (2, 3, 5), 20_000)
    expected = computed(dose_power(DosePlan(ACTS, 3, (2, 3, 5), (1, 1, 1, 1), 0.2, 0.2), 20_000))
    assert (found.doses.tells_step, found.doses.needed) == (expected.tells_step, expected.needed)


def test_arms__planned_ones__have_their_own_numbers_sizes_and_base() -> None:
    plan = replace(TESTED, variants=variants(("placebo", None), ("nudge", None), ("dose", 6)))
    found = arms_power(plan, ACTS, (4_000, 2_000, 3_000, 1_000), 0.2)

    assert found is not None
    assert (found.placebo.planned, found.placebo.units) == (True, 2_000)
    assert found.placebo.shown == placebo_power(1 - ACTS.below(3), 0.2, (4_000, 2_000))
    assert targets_of(plan) == (3, 6)
    # The placebo is what dose arms are compared with: control plays no part.
    assert (found.doses.planned, found.doses.targets, found.doses.units) == (True, (3, 6), 6_000)
    expected = computed(dose_power(DosePlan(ACTS, 3, (3, 6), (2, 3, 1), 0.2, 0.2), 6_000))
    assert found.doses.tells_step == expected.tells_step


@pytest.mark.parametrize(("times", "targets"), [(1, (1, 3)), (2, (1, 2, 4)), (3, (2, 3, 5))])
def test_targets__proposed__lie_on_both_sides_of_the_number(times: int, targets: tuple[int, ...]) -> None:
    assert proposed_targets(times) == targets


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expected_take_up": None}, NotComputable(Reason.NO_TAKE_UP)),
        ({"variants": variants(("dose", 1), ("dose", 2))}, NotComputable(Reason.ARMS_ALIKE)),
    ],
)
def test_arms__that_can_not_be_planned__say_why(changes: dict[str, Any], why: NotComputable) -> None:
    plan = replace(TESTED, **{"variants": variants(("nudge", None)), **changes})
    found = arms_power(plan, ACTS, (5_000,) * len(plan.variants), 0.2)
    assert found is not None
    assert found.doses.tells_step == why


def test_arms__of_a_plan_without_a_behaviour__are_none() -> None:
    assert arms_power(replace(TESTED, claim=None), ACTS, (5_000, 5_000), 0.2) is None


def test_level__of_a_plan_with_looks__is_that_of_its_last() -> None:
    assert last_level(TESTED) == 0.05
    looks = replace(TESTED, method="group_sequential", looks=(0.2, 0.4, 0.6, 0.8, 1.0))
    # R ldbounds: the fifth of five O'Brien-Fleming type bounds is 2.0310, 4.2 % two-sided.
    assert last_level(looks) == pytest.approx(0.0422, abs=2e-4)
