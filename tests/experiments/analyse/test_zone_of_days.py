"""An experiment keeps the zone in which it started: its days and weeks don't move when the site gets another zone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from events.simulation import WORLDS, Simulation, draw_arms, simulate
from experiments.analyse.analyses import create_analysis, run_analysis
from experiments.models import Analysis, Experiment
from experiments.plan.audience import create_holdout
from experiments.plan.stored import history_of
from runs.site_zone import choose_site_zone
from tests.aha.store import store_of
from tests.experiments.make import do, draft, running
from tests.experiments.make_holdout import a_plan
from tests.experiments.stored import stored_experiment

pytestmark = pytest.mark.django_db
UNITS = 1_000


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLDS["step"], UNITS, 3, draw_arms(WORLDS["step"], UNITS, 3))


@pytest.fixture
def _store(world: Simulation, tmp_path: Any) -> Iterator[None]:
    with store_of(world, tmp_path):
        yield


def counted(experiment: Experiment) -> dict[str, Any]:
    row = create_analysis(experiment=experiment)
    assert run_analysis(row.pk), Analysis.objects.get(pk=row.pk).reason
    payload = Analysis.objects.get(pk=row.pk).payload
    assert payload is not None
    return dict(payload)


@pytest.mark.slow
@pytest.mark.usefixtures("_store")
def test_running__in_calendar_days__is_counted_alike_after_the_site_has_another_zone(world: Simulation) -> None:
    experiment = stored_experiment(world, stopped=False, day_mode="calendar")
    before = counted(experiment)
    choose_site_zone("Asia/Seoul")

    assert counted(experiment) == before
    assert before["time_zone"] == "UTC"
    Experiment.objects.update(time_zone="Asia/Seoul")  # had it started there, its days would end elsewhere
    there = counted(Experiment.objects.get(pk=experiment.pk))
    assert there["time_zone"] == "Asia/Seoul"
    assert datetime.fromisoformat(there["data_end"]).astimezone(UTC).hour == 15


def test_start__stores_the_zone__and_a_draft_follows_the_site() -> None:
    waiting = draft("waiting")
    first = running("first", flag_key="first")
    assert (waiting.zone, first.time_zone) == ("UTC", "UTC")

    choose_site_zone("Asia/Seoul")

    assert (waiting.zone, Experiment.objects.get(key="first").zone) == ("Asia/Seoul", "UTC")
    assert do("waiting", "start").time_zone == "Asia/Seoul"


def test_started_before_0_5__keeps_the_zone_of_the_settings() -> None:
    experiment = running()
    at = datetime(2026, 3, 4, 16, tzinfo=UTC)  # in Seoul the 5th
    Experiment.objects.update(time_zone="", started_at=at)
    choose_site_zone("Asia/Seoul")

    experiment.refresh_from_db()

    assert experiment.zone == "UTC"
    assert history_of(experiment).started.day == 4


def test_plan_of_a_holdout_report__keeps_the_zone_of_its_day() -> None:
    plan = a_plan(create_holdout(key="rest", share=1_000))
    choose_site_zone("Asia/Seoul")

    plan.refresh_from_db()

    assert plan.zone == "UTC"
