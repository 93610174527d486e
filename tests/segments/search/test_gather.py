"""What units did, as arrays: on a small simulated store, of everybody and of a sample."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from events.simulation import WORLDS, Simulation, simulate
from events.warehouse.session import WarehouseSession, questions
from insight_site.selftest.self_tests import _styles, usual_question
from insight_site.selftest.selftest_result import Why
from runs.progress import silent
from runs.refusals import Refused
from segments.search import composition, gather
from segments.search.question import Inputs
from tests.aha.store import store_of

UNITS = 1_500
INPUTS = Inputs("signup", 0, 13, "window:21-27")
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLDS["planted_groups"], UNITS, 5)


@pytest.fixture(scope="module")
def store(world: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with store_of(world, tmp_path_factory.mktemp("gather")):
        yield


@pytest.mark.slow
def test_read_play__halves__add_up_to_the_whole_and_retention_is_the_drawn_one(store: None, world: Simulation) -> None:
    with questions() as asked:
        found = gather.read_play(asked, INPUTS, seed=1)

    assert found.signed_up == UNITS == len(found.whole)
    assert (found.first_half.counts + found.second_half.counts == found.whole.counts).all()
    assert (np.abs(found.first_half.active_days - found.second_half.active_days) <= 1).all()
    assert found.retained is not None
    assert found.retained.tolist() == world.retained.astype(float).tolist()
    assert "signup" not in found.whole.behaviours


@pytest.mark.slow
def test_read_play__users_who_do_nothing_but_start__are_refused_in_a_sentence(store: None) -> None:
    with questions() as asked:
        log = asked.log.filter(asked.log.event.isin(["signup", "Experiment Viewed"]))
        starts = WarehouseSession(replace(asked.warehouse, events=log), asked.basis, asked.events)

        with pytest.raises(Refused, match="no event besides 'signup'") as refused:
            gather.read_play(starts, INPUTS, seed=1)

        assert refused.value.at == "behaviours"
        shortfalls = _styles(starts, usual_question(signup_event="signup"), 1, silent)[1]
        assert [(row.why, row.figures["n"]) for row in shortfalls] == [(Why.FEW_BEHAVIOURS, 0)]


@pytest.mark.slow
def test_read_play__more_users_than_are_profiled__a_sample_has_what_it_has_among_everybody(
    store: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with questions() as asked:
        everybody = gather.read_play(asked, INPUTS, seed=1)
    monkeypatch.setattr(composition, "PROFILE_ROWS", 200)
    with questions(memory="200MB") as asked:
        some = gather.read_play(asked, INPUTS, seed=1)

    rows = some.profiled
    assert len(rows) == 200 < len(everybody.profiled)
    assert (some.whole.counts == everybody.whole.counts).all()
    for half, of_all in ((some.first_half, everybody.first_half), (some.second_half, everybody.second_half)):
        assert half.unit_ids.tolist() == of_all.unit_ids[rows].tolist()
        assert (half.counts == of_all.counts[rows]).all()
        assert (half.sessions == of_all.sessions[rows]).all()
    assert some.follow_up is not None
    assert everybody.follow_up is not None
    for found, of_all_users in zip(some.follow_up, everybody.follow_up, strict=True):
        assert found.tolist() == of_all_users[rows].tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        (Inputs("nothing", 0, 13), "--signup-event: there is no event 'nothing'"),
        (Inputs("signup", 0, 13, behaviours=("chat", "nope")), "--behaviours: there is no event 'nope'"),
        (Inputs("signup", 0, 300), "--window: none of 1,500 users"),
    ],
)
def test_read_play__what_the_log_does_not_have__is_refused(store: None, inputs: Inputs, sentence: str) -> None:
    with questions() as asked, pytest.raises(Refused, match=sentence):
        gather.read_play(asked, inputs, seed=1)
