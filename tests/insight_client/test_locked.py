"""A locked outcome stays locked: two worlds that differ in their outcomes alone look the same through the client."""

from typing import Any

import pytest

from insight_client import Locked, charts, frames
from insight_client.records import Analysis
from tests.experiments.make_locked import keep, two_worlds
from tests.experiments.make_readout import stored
from tests.insight_client.conftest import Ask

pytestmark = pytest.mark.django_db(transaction=True)
DOORS = [
    pytest.param(lambda found: found.verdict, id="verdict"),
    pytest.param(lambda found: found.effects, id="effects"),
    pytest.param(lambda found: found.readings, id="readings"),
    pytest.param(frames.effects, id="table of effects"),
    pytest.param(frames.readings, id="table of readings"),
    pytest.param(charts.effects, id="chart"),
]


@pytest.fixture
def locked(ask: Ask) -> Analysis:
    stored("exp", two_worlds(is_open=False)[0])
    found = ask().latest_analysis("exp")
    assert found is not None
    return found


@pytest.mark.parametrize("door", DOORS)
def test_locked__every_way_to_the_outcome__raises_with_the_sites_sentence(locked: Analysis, door: Any) -> None:
    with pytest.raises(Locked) as caught:
        door(locked)

    assert locked.document is not None
    assert caught.value.sentence == locked.document["state_reason"] != ""
    assert caught.value.opens_on == locked.document["opens_on"]


@pytest.mark.slow
def test_locked__two_worlds__give_the_same_records_and_tables(ask: Ask) -> None:
    worlds = two_worlds(is_open=False)
    row, site = stored("exp", worlds[0]), ask()

    seen = []
    for world in worlds:
        keep(row, world)
        whole = site.latest_analysis("exp")
        seen.append((whole, site.analyses("exp"), frames.analyses(site.analyses("exp")).to_csv()))

    assert seen[0] == seen[1]
    assert "CAUSES" not in str(seen[0])


@pytest.mark.slow
def test_open__two_worlds__differ(ask: Ask) -> None:
    worlds = two_worlds(is_open=True)
    row, site = stored("exp", worlds[0]), ask()

    seen = []
    for world in worlds:
        keep(row, world)
        whole = site.latest_analysis("exp")
        assert whole is not None
        seen.append(whole.effects)

    assert seen[0] != seen[1]
