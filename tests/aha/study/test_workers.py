"""A study is the same, to the last digit, with any number of workers."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from aha.study.discover import study
from events.simulation import WORLDS, simulate
from reporting.document import dump
from runs.parallel import use_workers
from tests.aha.answers import INPUTS, SMALL, answers_of
from tests.marks import first_in_ci


@pytest.fixture(autouse=True)
def _one_worker_afterwards() -> Iterator[None]:
    yield
    use_workers(1)


@pytest.mark.slow
@pytest.mark.parametrize("numbers_of_workers", first_in_ci([[1, 4], [1, 2]]))
def test_study__one_or_several_workers__gives_the_same_report(numbers_of_workers: list[int]) -> None:
    inputs = replace(INPUTS, inert=("mute", "rotate", "ad_seen", "help_open", "screenshot"))
    answers = answers_of(simulate(WORLDS["step"], 2_500, 5), inputs, by_group=True)
    effort = replace(SMALL, repeats=2, followed=2)
    found = []

    for number in numbers_of_workers:
        use_workers(number)
        found.append(json.dumps(dump(study(answers, inputs, seed=3, effort=effort))))

    assert found[1] == found[0]
