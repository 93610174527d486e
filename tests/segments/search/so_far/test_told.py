"""The parts of a segmentation that are shown early: they are right, and listening changes nothing."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from events.simulation import WORLDS, simulate
from events.warehouse.session import questions
from segments.search import gather, partial_results
from segments.search.partial_results import Started, TierSizes, tier_sizes
from segments.search.question import Inputs
from segments.search.segmentation import Segmentation, segment
from segments.search.tiers import Cuts
from stats.results import NotComputable
from tests.aha.store import store_of
from tests.segments.make import world_table
from tests.segments.search.test_workers import SMALL, numbers

INPUTS = Inputs("signup", 0, 6, "window:21-27")
UNITS = 400


class Listener:
    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def __call__(self, name: str, record: object) -> None:
        self.told.append((name, record))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with store_of(simulate(WORLDS["planted_groups"], UNITS, 11), tmp_path_factory.mktemp("early")):
        yield


def test_tiers__by_hand__cut_at_the_terciles() -> None:
    found = tier_sizes(np.asarray([0, 1, 1, 2, 2, 3, 3], dtype=np.int64), eligible=7, seed=1, least=3)

    assert found == TierSizes(7, 7, 1, Cuts(1, 2), (2, 2, 2), 5)


def test_tiers__all_alike__have_no_cuts() -> None:
    found = tier_sizes(np.asarray([2, 2, 2], dtype=np.int64), eligible=3, seed=1, least=3)

    assert isinstance(found.cuts, NotComputable)
    assert found.sizes == ()


@pytest.mark.slow
@pytest.mark.django_db
def test_play__few_users__are_all_counted(store: None) -> None:
    listener = Listener()

    with questions() as asked:
        play = gather.read_play(asked, INPUTS, seed=1, early=listener)

    assert [name for name, _ in listener.told] == [partial_results.STARTED, partial_results.TIERS]
    assert listener.told[0][1] == Started(UNITS, len(play.whole))
    assert listener.told[1][1].users == len(play.whole)


@pytest.mark.slow
@pytest.mark.django_db
def test_play__many_users__are_sampled_first(store: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "ALL_AT_ONCE", 100)
    monkeypatch.setattr(gather, "SAMPLE", 50)
    listener = Listener()

    with questions() as asked:
        play = gather.read_play(asked, INPUTS, seed=1, early=listener)

    _, sampled, exact = (record for _, record in listener.told)
    assert (sampled.users, sampled.eligible, sampled.seed) == (50, len(play.whole), 1)
    assert sum(sampled.sizes) <= 50
    assert exact.users == exact.eligible
    assert sum(exact.sizes) == int((play.whole.active_days > 0).sum())


@pytest.mark.slow
def test_segment__listened_to__is_the_one_that_nobody_listened_to() -> None:
    table, simulation = world_table("planted_groups", seed=1, units=1_500)
    outcome = 1.0 - simulation.retained.astype(np.float64)
    listener = Listener()

    alone = segment(table, outcome=outcome, options=SMALL)
    heard = segment(table, outcome=outcome, options=SMALL, early=listener)

    assert isinstance(alone, Segmentation)
    assert isinstance(heard, Segmentation)
    assert numbers(heard) == numbers(alone)
    heard_parts = dict(listener.told)
    assert list(heard_parts) == [
        partial_results.FEATURES,
        partial_results.GROUPS,
        partial_results.METHOD,
        partial_results.CHANCE,
        partial_results.GAPS,
    ]
    assert heard_parts[partial_results.FEATURES].features == len(alone.features)
    assert (heard_parts[partial_results.METHOD].method, heard_parts[partial_results.METHOD].groups.k) == (
        alone.method,
        alone.k,
    )
    assert heard_parts[partial_results.CHANCE].p_value == alone.null.p_value
    assert heard_parts[partial_results.GAPS].shape is alone.shape
