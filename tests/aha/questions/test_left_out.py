"""The command line says what a study's question names and the study won't use."""

import pytest

from aha.management.commands.discover import left_out
from aha.models import Study
from aha.study.question import Inputs
from reporting.document import dump


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (Inputs("signup", (1, 7), "window:7-13"), []),
        (
            Inputs("signup", (1, 7, 8, 20), "window:7-13"),
            ["Warning: --days 8 20 overlap the days of retention and are left out."],
        ),
        (
            Inputs("signup", (1,), "window:7-13", inert=("a", "b", "c", "d")),
            ["Warning: --inert names 4; fewer than 5 can't show how much is found where nothing is."],
        ),
        (Inputs("signup", (1,), "window:7-13", inert=("a", "b", "c", "d", "e")), []),
    ],
)
def test_discover__what_it_leaves_out__is_said_before_it_starts(inputs: Inputs, said: list[str]) -> None:
    assert left_out(Study(inputs=dump(inputs))) == said
