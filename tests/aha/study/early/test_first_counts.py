"""The counts that a study shows first, from a real store: a sample's, then everybody's, and the result is the same."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from aha.models import Study
from aha.study import studies
from aha.study.cells import Cell
from aha.study.discover import _table as build_sample
from aha.study.discover import study
from aha.study.gather import gather
from aha.study.payload_versions import STUDY
from aha.study.population import Restriction
from aha.study.preliminary import COUNTED, LEFT, Counted
from aha.study.question import Inputs
from aha.study.result import Report
from events.simulation import WORLDS, simulate
from events.warehouse.session import questions
from reporting.document import dump
from runs.kinds import kind_of
from runs.perform import number_told
from tests.aha.answers import SMALL
from tests.aha.store import store_of

pytestmark = pytest.mark.django_db
UNITS = 1_000
INPUTS = Inputs("signup", (3, 7), "window:21-27", max_times=5)


@pytest.fixture(scope="module", autouse=True)
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with store_of(simulate(WORLDS["step"], UNITS, 11), tmp_path_factory.mktemp("early")):
        yield


class Listener:
    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def __call__(self, name: str, record: object) -> None:
        self.told.append((name, record))

    @property
    def counts(self) -> list[Counted]:
        return [record for name, record in self.told if name == COUNTED]


@pytest.mark.slow
def test_gather__few_users__are_all_counted_at_once() -> None:
    listener = Listener()

    with questions() as asked:
        gather(asked, INPUTS, Restriction(), seed=4, early=listener)

    (only,) = listener.counts
    assert (only.users, only.sampled, only.retention_sampled) == (UNITS, False, False)
    assert only.population.eligible == UNITS


@pytest.mark.slow
def test_gather__more_users_than_the_sample__shows_sample_then_everybody() -> None:
    listener = Listener()

    with questions() as asked:
        answers = gather(asked, INPUTS, Restriction(), seed=4, most_units=400, early=listener)

    first, exact = listener.counts
    # The first comes before anybody's retention is known, of the very units that the study's sample begins with.
    assert (first.users, first.seed, first.population.eligible) == (400, 4, UNITS)
    assert (first.sampled, first.retention_sampled) == (True, True)
    assert (exact.users, exact.sampled, exact.retention_sampled) == (UNITS, False, False)
    assert exact.population.retained == int(answers.retained.sum())
    table = build_sample(answers)
    for name, cell in zip(first.behaviours, first.cells, strict=True):
        if isinstance(cell, Cell):
            did = table.counts[:, table.behaviours.index(name), table.days.index(cell.days)] >= cell.times
            assert (cell.b, cell.c) == (int((did & table.retained).sum()), int((did & ~table.retained).sum()))
            assert cell.a + cell.b + cell.c + cell.o == 400
    assert set(exact.behaviours) == set(first.behaviours)


@pytest.mark.slow
@pytest.mark.once
def test_study__listened_to__is_the_study_that_nobody_listened_to() -> None:
    listener = Listener()
    with questions() as asked:
        unseen = gather(asked, INPUTS, Restriction(), seed=4, most_units=400)
        seen = gather(asked, INPUTS, Restriction(), seed=4, most_units=400, early=listener)

    alone = study(unseen, INPUTS, seed=4, effort=SMALL)
    watched = study(seen, INPUTS, seed=4, effort=SMALL, early=listener)

    assert isinstance(listener.counts[0].cells[0], Cell)
    assert dump(watched) == dump(alone)
    names = {name for name, _ in listener.told}
    assert {"counted", "marked", "luck", "active", "model", "jumps", "followed"} <= names
    assert any(name.startswith(LEFT) for name in names) == bool(alone.candidates)
    told = listener.counts[-1]
    cell = told.cells[0]
    assert isinstance(cell, Cell)
    place = alone.grid.find(alone.asked.behaviours.index(told.behaviours[0]), cell.days, cell.times)
    assert (cell.a, cell.b, cell.c, cell.o) == tuple(getattr(alone.grid, name)[place] for name in "abco")


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.once
def test_run__watched_from_its_page__stores_what_a_run_without_a_page_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.perform.SECONDS_BETWEEN_NOTES", 0.0)
    row = studies.create_study(inputs=INPUTS, seed=4)
    seen: list[int] = []

    def look(_stage: str, _share: float) -> None:
        run = Study.objects.get(pk=row.pk)
        growing = kind_of(run).growing(run)
        if growing is not None and number_told(run) not in seen:
            seen.append(number_told(run))

    assert studies.run_study(row.pk, listen=look, watched=True)

    row.refresh_from_db()
    assert len(seen) >= 4
    assert row.early is None
    with questions() as asked:
        answers = gather(asked, INPUTS, Restriction(), seed=4)
    report = STUDY.of(row)
    assert isinstance(report, Report)
    assert row.payload == STUDY.store(replace(study(answers, INPUTS, seed=4), spent=report.spent))
    assert "early" not in str(row.payload)
