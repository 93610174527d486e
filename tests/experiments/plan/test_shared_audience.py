"""Which running experiments a draft would share units with, counted on a handful of assignments."""

from typing import Any

import pytest

from experiments.models import Experiment
from experiments.plan.audience import create_holdout, create_layer, shared_with_running
from tests.experiments.make import do, draft, running
from tests.experiments.stored import assign

pytestmark = pytest.mark.django_db
UNITS = [f"u{number}" for number in range(20)]


def other(key: str = "other", *, units: int = 20, **fields: Any) -> Experiment:
    row = running(key, flag_key=f"flag-{key}", **fields)
    assign(row, UNITS[:units], "control")
    return row


def shared(**fields: Any) -> list[tuple[str, int]]:
    row = draft("mine", flag_key="mine", **fields)
    return [(one.key, one.units) for one in shared_with_running(row)]


def test_everybody__shares_all_units() -> None:
    other()
    other("smaller", units=3)

    assert shared() == [("other", 20), ("smaller", 3)]


def test_coverage_and_slice__take_their_part() -> None:
    other()
    layer = create_layer(key="l")

    found = shared(audience=[{"segment_key": None, "coverage": 5_000}], layer=layer, layer_low=0, layer_high=5_000)

    assert found == [("other", 5)]


def test_one_layer__keeps_them_apart() -> None:
    layer = create_layer(key="l")
    other(layer=layer, layer_low=0, layer_high=5_000)

    assert shared(layer=layer, layer_low=5_000, layer_high=10_000) == []


def test_another_holdout__takes_its_share_out_and_the_same_none() -> None:
    mine = create_holdout(key="h", share=5_000, active=False)
    other()
    other("same", holdout=mine)

    assert shared(holdout=mine) == [("same", 20), ("other", 10)]


def test_new_users__can_only_be_shared_from_now_on() -> None:
    other()

    row = draft("mine", flag_key="mine", enrolment="new_units")

    assert [(one.units, one.open) for one in shared_with_running(row)] == [(0, True)]


def test_closed_or_stopped__shares_nobody_to_come() -> None:
    other("closed", units=0)
    do("closed", "close_enrolment")
    other("stopped")
    do("stopped", "stop")

    assert shared() == []


def test_many__the_five_with_most_units_are_named() -> None:
    for number in range(7):
        other(f"e{number}", units=number + 1)

    assert [units for _key, units in shared()] == [7, 6, 5, 4, 3]
