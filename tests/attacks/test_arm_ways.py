"""A locked outcome can't be read past its experiment: the event log itself is turned from one world to the other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from events import arm_marks
from tests.attacks import arm_doors
from tests.attacks.arm_ways import DRAFTS, HONEST, WAYS, Way, table
from tests.attacks.arm_world import KEY, two_logs
from tests.experiments.make import draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Turns the log to a world; drafts whose outcomes tell arms apart lie there, as somebody else left them."""
    for door in ("aha.study.studies.enqueue", "runs.perform.enqueue", "aha.moments.promote.ask_for_count"):
        monkeypatch.setattr(door, lambda *_: None)
    monkeypatch.setattr("aha.explore.answering.ask", arm_doors.answered_at_once)
    with two_logs(tmp_path) as (turned, _begin):
        for key, metric in DRAFTS.items():
            draft(key, primary_metrics=[metric], signup_event="signup", enrolment="new_units")
        yield turned


def asked(way: Way) -> Any:
    ask, given = way.ask
    return ask(**given)


def in_world(turned: Any, world: int, way: Way) -> Any:
    with turned(world):
        return asked(way)


def both(turned: Any, way: Way) -> list[Any]:
    return [in_world(turned, world, way) for world in (0, 1)]


def assert_refused(found: Any, way: Way) -> None:
    """By the gate, with a sentence that names the experiment and no arm."""
    assert isinstance(found, dict), way
    _condition, _, why = found["refused"].partition(" can't be asked about while ")
    assert why == f"the outcome of the experiment “{KEY}” is locked: it would tell its arms apart.", (way, found)


@pytest.mark.proof
def test_ways__to_a_locked_outcome__are_refused_alike_in_both_worlds(turned: Any) -> None:
    for way in WAYS:
        first, second = both(turned, way)

        assert first == second, way
        assert_refused(first, way)


def test_ways__to_a_locked_outcome__are_refused(turned: Any) -> None:
    for number, way in enumerate(WAYS):
        assert_refused(in_world(turned, number % 2, way), way)


@pytest.mark.parametrize("some", [slice(0, 40, 4), pytest.param(slice(0, 40), marks=pytest.mark.proof)])
def test_questions__of_what_the_nudge_moves_or_leaves_alone__are_answered(turned: Any, some: slice) -> None:
    assert len(HONEST) == 40
    with turned(0):
        for way in HONEST[some]:
            found = asked(way)

            assert not (isinstance(found, dict) and "refused" in found), (way, found)


@pytest.mark.proof
@pytest.mark.parametrize("at", [0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18])
def test_ways__without_the_gate__tell_the_worlds_apart(turned: Any, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    monkeypatch.setattr(arm_marks, "_locked", list)

    first, second = both(turned, WAYS[at])

    assert first != second


def test_table__in_the_documentation__is_that_of_the_lists() -> None:
    assert table() in Path("docs/security.md").read_text()
