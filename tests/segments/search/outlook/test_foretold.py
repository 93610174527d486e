"""What a search for groups says before it starts: numbers, what refuses, and the mend."""

import pytest

from runs.run_times import Spent
from segments.report.page import facts
from segments.search.question import Inputs
from segments.search.segmentation import MIN_UNITS
from segments.search.segmentations import PACE, Foretold, foretold, search_size

INPUTS = Inputs("signup", 0, 13, "window:21-27")


def test_foretold__enough_of_all__numbers_add_up_and_nothing_refuses() -> None:
    found = foretold(INPUTS, 5_000, 4_000, 3_000, 15)

    assert (found.signed_up, found.too_young, found.quiet, found.placed) == (5_000, 1_000, 1_000, 3_000)
    assert found.too_young + found.quiet + found.placed == found.signed_up
    assert (found.troubles, found.refuses) == ((), False)
    assert [row[0] for row in facts(found)] == ["Users in groups", "Left out", "No group", "Behaviours", "Takes"]


@pytest.mark.parametrize(
    ("placed", "refuses", "warned"),
    [(MIN_UNITS, False, True), (MIN_UNITS - 1, True, True), (2_000, False, False), (1_999, False, True)],
)
def test_foretold__both_sides_of_the_least(placed: int, refuses: bool, warned: bool) -> None:
    found = foretold(INPUTS, 5_000, 4_000, placed, 15)

    assert (found.refuses, bool(found.troubles)) == (refuses, warned)


@pytest.mark.parametrize(
    ("inputs", "numbers", "field", "value"),
    [
        (Inputs("signup", 0, 13, first_date="2030-01-01"), (0, 0, 0, 15), "first_date", ""),
        (Inputs("nothing", 0, 13), (0, 0, 0, 15), "signup_event", ""),
        (INPUTS, (500, 0, 0, 15), "retention", ""),  # play alone would be over
        (Inputs("signup", 0, 60), (500, 0, 0, 15), "last_day", "19"),
        (Inputs("signup", 0, 13, behaviours=("chat",)), (500, 400, 300, 1), "behaviours", ""),
    ],
)
def test_foretold__refusals__name_the_field_and_what_mends_it(
    inputs: Inputs, numbers: tuple[int, int, int, int], field: str, value: str
) -> None:
    found: Foretold = foretold(inputs, *numbers, oldest=20)

    (trouble,) = found.troubles
    assert (trouble.field, trouble.value, trouble.refuses) == (field, value, True)
    assert (trouble.label is None) is (field == "signup_event")


def test_foretold__time__comes_from_measured_searches_and_is_a_range_before() -> None:
    size = search_size(4_000, 3_000, 15)
    last = [Spent(75.0, 100.0, 900.0, 2, {"counting": 5.0, "groups": 35.0}, size)]

    range_told = facts(foretold(INPUTS, 5_000, 4_000, 3_000, 15))[-1]
    told = facts(foretold(INPUTS, 5_000, 4_000, 3_000, 15, last=last))[-1]

    assert told == ("Takes", "about 40 seconds", "you can leave the page")
    assert range_told[1].startswith("about ")
    assert " to " in range_told[1]
    assert range_told[2].startswith("no run has been measured on this machine yet")


def test_pace__of_a_search__has_usual_seconds_of_every_step_and_size() -> None:
    assert PACE.slopes.keys() == PACE.usual.keys()
    assert PACE.at.keys() == search_size(1, 1, 1).keys()
    assert {part for slopes in PACE.slopes.values() for part in slopes} <= PACE.at.keys()


@pytest.mark.parametrize(("placed", "sample"), [(199_999, 199_999), (200_001, 200_000)])
def test_search_size__sample__ends_where_the_models_end(placed: int, sample: int) -> None:
    assert search_size(10**6, placed, 5) == {"users": 10**6, "sample": sample, "behaviours": 5}
