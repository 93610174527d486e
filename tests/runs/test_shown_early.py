"""Parts of a run before its end: shown while it is computed, gone at every end, never in the payload."""

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from aha.models import Study
from events.models import FileImport
from runs.kinds import all_kinds
from runs.models import Run
from runs.perform import EarlyParts, number_told, perform
from runs.progress import Cancelled, Progress
from runs.queue.jobs import close_lost
from runs.refusals import Refused

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Part:
    answer: int


@pytest.fixture(autouse=True)
def _eager_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.perform.SECONDS_BETWEEN_NOTES", 0.0)


def kept(run: Run) -> Any:
    return type(run)._default_manager.get(pk=run.pk).early


def test_early__told__stands_in_the_row_until_the_run_is_done() -> None:
    run = Study.objects.create()
    early = EarlyParts(run)
    seen: list[Any] = []

    def compute(progress: Progress) -> dict[str, Any]:
        early.tell("first", Part(1))
        seen.append(kept(run))
        early.tell("first", Part(2))
        early.tell("second", Part(3))
        seen.append(kept(run))
        seen.append(number_told(Study.objects.get(pk=run.pk)))
        return {"answer": 7}

    assert perform(run, compute, dict, early=early)

    assert seen == [
        {"count": 1, "parts": {"first": {"answer": 1}}},
        {"count": 3, "parts": {"first": {"answer": 2}, "second": {"answer": 3}}},
        3,
    ]
    assert (run.early, run.payload) == (None, {"answer": 7})


@pytest.mark.parametrize("trouble", [Cancelled(), Refused("No."), ValueError("broken")])
def test_early__run_ends_badly__nothing_of_it_is_left(trouble: Exception) -> None:
    run = Study.objects.create()
    early = EarlyParts(run)

    def compute(progress: Progress) -> dict[str, Any]:
        early.tell("first", Part(1))
        raise trouble

    assert not perform(run, compute, dict, early=early)

    assert (run.early, run.payload) == (None, None)


def test_early__run_given_up_as_lost__loses_its_parts_and_gets_no_more() -> None:
    run = Study.objects.create()
    early = EarlyParts(run)

    def compute(progress: Progress) -> dict[str, Any]:
        early.tell("first", Part(1))
        Study.objects.filter(pk=run.pk).update(heard_at="2020-01-01T00:00:00Z")
        assert close_lost(Study) == 1
        assert kept(run) is None
        early.tell("second", Part(2))
        assert kept(run) is None
        return {}

    assert not perform(run, compute, dict, early=early)
    assert (run.status, run.early) == ("failed", None)


def test_early__told_in_another_thread__is_written_by_the_next_note() -> None:
    run = Study.objects.create()
    early = EarlyParts(run)
    seen: list[Any] = []

    def compute(progress: Progress) -> dict[str, Any]:
        helper = threading.Thread(target=early.tell, args=("first", Part(1)))
        helper.start()
        helper.join()
        seen.append(kept(run))
        progress("model", 0.5)
        seen.append(kept(run))
        return {}

    assert perform(run, compute, dict, early=early)
    assert seen == [None, {"count": 1, "parts": {"first": {"answer": 1}}}]


def test_kinds__analysis_of_an_experiment__shows_nothing_before_its_end() -> None:
    shown = {kind.model for kind in all_kinds() if kind.early}

    assert shown == {"aha.Study", "segments.SegmentationRun"}  # an outcome that is locked must not be seen early


def test_early__kind_that_shows_none__keeps_none() -> None:
    run = FileImport.objects.create()
    early = EarlyParts(run)

    def compute(progress: Progress) -> dict[str, Any]:
        early.tell("first", Part(1))
        assert kept(run) is None
        return {}

    assert perform(run, compute, dict, early=early)
