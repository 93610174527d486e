"""An analysis that is computed anew after an erasure: the same when nobody in it was erased, fewer units otherwise."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from events.people import tombstones
from events.simulation import WORLDS, Simulation, draw_arms, simulate
from events.store import event_table
from experiments.analyse.analyses import create_analysis, run_analysis
from experiments.analyse.payload_versions import READOUT
from experiments.models import Analysis, Experiment
from insight_site.privacy import erasure, erasure_requests
from reporting.document import dump
from tests.aha.store import store_of
from tests.events.conftest import asked, file_uris
from tests.experiments.stored import stored_experiment

pytestmark = pytest.mark.django_db
UNITS = 2_000


@pytest.fixture
def world(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulation]:
    made = simulate(WORLDS["step"], UNITS, 3, draw_arms(WORLDS["step"], UNITS, 3))
    monkeypatch.setattr(erasure, "DOORS_SECONDS", 0.0)
    tombstones.forget()
    with store_of(made, tmp_path):
        yield made
    tombstones.forget()


def computed(experiment: Experiment) -> tuple[Analysis, Any]:
    Analysis.objects.filter(experiment=experiment).update(final=False)  # a final one is computed once
    row = create_analysis(experiment=experiment)
    assert run_analysis(row.pk), Analysis.objects.get(pk=row.pk).reason
    row.refresh_from_db()
    return row, READOUT.of(row)


def flat(readout: Any) -> dict[str, Any]:
    """Every number of a readout by its path."""

    def walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict | list):
            for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
                yield from walk(inner, f"{path}/{name}")
        elif isinstance(value, int | float):
            yield path, value

    found = dict(walk(dump(readout.report), ""))
    assert len(found) > 100
    return found


def erase(unit: str) -> None:
    erasure.perform_erasure(erasure_requests.request_erasure(ids=[unit], later=False).pk)


@pytest.mark.slow
def test_analysis__somebody_outside_or_inside_it_is_erased__is_the_same_or_says_so(world: Simulation) -> None:
    experiment = stored_experiment(world)
    stamp = pa.array([datetime(2026, 1, 20, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))
    outsider = {"user_id": ["outsider"], "event": ["signup"], "time": stamp, "properties": ["{}"]}
    event_table.append(pa.table({**outsider, "message_id": ["o"], "received_at": stamp}), app_id="more", version=1)
    first, before = computed(experiment)

    erase("outsider")
    second, after = computed(experiment)

    assert flat(after) == pytest.approx(flat(before), rel=1e-9)  # the order of rows moves the last digit of a sum
    assert before.report.units == after.report.units
    first.refresh_from_db()
    assert first.erased_units == 0

    met = "SELECT min(user_id) FROM read_parquet($files) WHERE event = 'Experiment Viewed'"
    erase(asked(met, file_uris())[0][0])
    third, without = computed(experiment)

    for row in (first, second, third):
        row.refresh_from_db()
    assert (first.erased_units, second.erased_units, third.erased_units) == (1, 1, 0)
    assert sum(dict(without.report.units).values()) == sum(dict(after.report.units).values()) - 1
