"""Analyses while the plan is amended, the worker dies, another analysis ends, or 32 ask at once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from aha.models import AhaMoment
from events.simulation import WORLDS, Simulation, draw_arms, simulate
from experiments.analyse import analyses
from experiments.analyse.analyses import create_analysis, run_analysis
from experiments.analyse.gather.gather import gather as whole
from experiments.models import Analysis, Experiment, WebhookDelivery, WebhookEndpoint
from experiments.plan import amend
from runs.queue.jobs import close_lost
from runs.refusals import Refused
from tests.aha.store import store_of
from tests.experiments.stored import stored_experiment

UNITS = 1_500
CALLS = 32


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLDS["step"], UNITS, 3, draw_arms(WORLDS["step"], UNITS, 3))


@pytest.fixture(scope="module", autouse=True)
def _store(world: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with store_of(world, tmp_path_factory.mktemp("races")):
        yield


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Let something happen once while the warehouse answers."""
    left = [happens]

    def gather(*args: Any, **kwargs: Any) -> Any:
        answers = whole(*args, **kwargs)
        if left:
            left.pop()()
        return answers

    monkeypatch.setattr("experiments.analyse.analyses.gather", gather)


@pytest.mark.slow
@pytest.mark.django_db
def test_amended_while_it_runs__says_nothing_and_the_next_one_is_judged_by_the_new_plan(
    world: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = stored_experiment(world)
    row = create_analysis(experiment=experiment)
    meanwhile(monkeypatch, lambda: amend.amend(key=experiment.key, why="Better.", primary_metrics=["on_day:21"]))

    assert not run_analysis(row.pk)

    row.refresh_from_db()
    assert (row.status, row.verdict, row.final, row.payload) == ("failed", "", False, None)
    assert "The plan was changed while this analysis ran" in row.reason
    assert AhaMoment.objects.get().finding is None
    again = create_analysis(experiment=experiment)
    assert run_analysis(again.pk)
    found = AhaMoment.objects.get().finding
    assert found is not None
    assert found["outcome"] == "on_day:21"


@pytest.mark.slow
@pytest.mark.django_db
def test_signup_event_amended_while_it_runs__says_nothing(world: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = stored_experiment(world)
    row = create_analysis(experiment=experiment)
    meanwhile(monkeypatch, lambda: amend.amend(key=experiment.key, why="Better.", signup_event="session_start"))

    assert not run_analysis(row.pk)

    row.refresh_from_db()
    assert "The plan was changed while this analysis ran" in row.reason


@pytest.mark.slow
@pytest.mark.django_db
def test_amended_while_it_waits__its_inputs_are_those_it_was_computed_with(world: Simulation) -> None:
    experiment = stored_experiment(world)
    row = create_analysis(experiment=experiment)
    amend.amend(key=experiment.key, why="Better.", primary_metrics=["on_day:21"])

    assert run_analysis(row.pk)

    row.refresh_from_db()
    assert row.payload is not None
    assert row.inputs["asked"]["outcomes"] == ["on_day:21"]
    assert row.inputs["definition"] == row.payload["plan"]["definition"]


@pytest.mark.slow
@pytest.mark.django_db
def test_dies_at_its_consequences__neither_verdict_nor_done_stays(
    world: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = create_analysis(experiment=stored_experiment(world))

    def die(**_said: Any) -> None:
        raise SystemExit(9)

    monkeypatch.setattr(analyses, "record_verdict", die)
    with pytest.raises(SystemExit):
        run_analysis(row.pk)

    row.refresh_from_db()
    assert (row.status, row.verdict, row.final) == ("running", "", False)
    assert AhaMoment.objects.get().finding is None


@pytest.mark.slow
@pytest.mark.django_db
def test_given_up_as_lost_while_it_runs__never_becomes_done_beside_the_next_one(
    world: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = stored_experiment(world)
    row = create_analysis(experiment=experiment)

    def give_up() -> None:
        Analysis.objects.update(heard_at=timezone.now() - timedelta(hours=1))
        assert close_lost(Analysis) == 1
        assert run_analysis(create_analysis(experiment=experiment).pk)

    meanwhile(monkeypatch, give_up)

    assert not run_analysis(row.pk)

    row.refresh_from_db()
    assert (row.status, row.verdict, row.payload) == ("failed", "", None)
    assert Analysis.objects.filter(final=True).count() == Analysis.objects.filter(status="done").count() == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_32_at_once__ask_and_compute__one_final_one_message_one_finding(
    world: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.analyse.analyses.enqueue", lambda run: run)
    WebhookEndpoint.objects.create(name="hook", url="https://example.com/", secret="whsec_eA==")
    experiment: Experiment = stored_experiment(world)
    WebhookDelivery.objects.all().delete()
    barrier = threading.Barrier(CALLS)

    def call(number: int) -> int:
        try:
            connection.ensure_connection()
            barrier.wait()
            if number % 2:
                return analyses.request_due()
            try:
                return int(run_analysis(analyses.request_analysis(experiment=experiment).pk))
            except Refused:
                waiting = Analysis.objects.order_by("-pk").first()
                return 0 if waiting is None else int(run_analysis(waiting.pk))
        finally:
            connection.close()

    with ThreadPoolExecutor(CALLS) as pool:
        list(pool.map(call, range(CALLS)))
    for row in Analysis.objects.filter(status="queued"):
        run_analysis(row.pk)

    assert Analysis.objects.filter(final=True).count() == 1
    assert not Analysis.objects.filter(status__in=("queued", "running")).exists()
    assert Analysis.objects.filter(status="done").count() == 1
    assert [one.type for one in WebhookDelivery.objects.all()] == ["experiment.verdict"]
