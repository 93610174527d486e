"""What a search for groups says before it starts: numbers, what refuses, and the mend."""

import pytest

from segments.report.foretelling import facts
from segments.search.outlook.foretold import Foretold, foretold
from segments.search.question import Inputs
from segments.search.segmentation import MIN_UNITS

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
