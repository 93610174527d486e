"""Progress and cancelling, alike for every kind of run."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from aha.models import Study
from events.models import FileImport, MetricCheck
from events.simulation.event_worlds import RULES
from experiments.models import Analysis, FinishedTest, Holdout, HoldoutPlan, HoldoutReading, OverlapReport
from insight_site.models import SelfTest
from launches.models import BalanceRun, GrowthForecast, LaunchReading
from launches.readings import register
from runs.kinds import kind_of
from runs.models import Run
from runs.web import open_runs
from segments.models import ChurnRun, ComparisonRun, Segment, SegmentationRun, SegmentModel, SegmentVersion
from tests.events.metric_catalogue.make import metric
from tests.experiments.make import draft
from tests.launches.make import answers

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def segment(number: int) -> Segment:
    model, _new = SegmentModel.objects.get_or_create(key="style", name="Style", kind="cluster")
    version, _new = SegmentVersion.objects.get_or_create(model=model, number=1)
    made, _new = Segment.objects.get_or_create(version=version, key=f"s{number}", number=number)
    return made


def holdout_plan() -> HoldoutPlan:
    holdout, _new = Holdout.objects.get_or_create(key="h", defaults={"share": 500})
    return HoldoutPlan.objects.create(
        holdout=holdout, since=date(2026, 2, 1), outcome="on_day:7", readings=["2026-03-01"]
    )


MAKERS: dict[str, Callable[[], Run]] = {
    "study": lambda: Study.objects.create(),
    "search": lambda: SegmentationRun.objects.create(),
    "churn": lambda: ChurnRun.objects.create(segment=segment(1)),
    "comparison": lambda: ComparisonRun.objects.create(first=segment(1), second=segment(2)),
    "import": lambda: FileImport.objects.create(name="log.csv"),
    "analysis": lambda: Analysis.objects.create(experiment=draft("exp")),
    "metric": lambda: MetricCheck.objects.create(version=metric().current),
    "holdout": lambda: HoldoutReading.objects.create(plan=holdout_plan()),
    "overlap": lambda: OverlapReport.objects.create(),
    "finished test": lambda: FinishedTest.objects.create(name="banner.csv"),
    "self-test": lambda: SelfTest.objects.create(),
    "balance": lambda: BalanceRun.objects.create(title="Summer event", inputs=RULES),
    "growth": lambda: GrowthForecast.objects.create(),
    "launch": lambda: LaunchReading.objects.create(launch=register(answers=answers())),
}
each = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(User.objects.create_user("ann"))
    return client


@pytest.fixture
def researcher(client: Client) -> Client:
    bob = User.objects.create_user("bob")
    kinds = (Study, SegmentationRun, ChurnRun, ComparisonRun, FileImport, Analysis)
    launched = (LaunchReading, BalanceRun, GrowthForecast)
    for run in (*kinds, MetricCheck, HoldoutReading, OverlapReport, FinishedTest, SelfTest, *launched):
        app, codename = kind_of(run()).permission.split(".")
        bob.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client.force_login(bob)
    return client


@each
def test_cancel__open_then_ended__says_both_and_returns(researcher: Client, make: Callable[[], Run]) -> None:
    run = make()
    kind = kind_of(run)

    first = researcher.post(kind.url(run, "cancel"), follow=True)
    second = researcher.post(kind.url(run, "cancel"), follow=True)

    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED
    assert first.redirect_chain == second.redirect_chain == [(kind.home_url(run), 302)]
    assert "The run was asked to stop." in first.content.decode()
    assert "ended already" in second.content.decode()


@each
@pytest.mark.parametrize("action", ["progress", "cancel"])
def test_pages__without_login__ask_for_it(client: Client, make: Callable[[], Run], action: str) -> None:
    run = make()
    url = kind_of(run).url(run, action)

    answer = client.get(url) if action == "progress" else client.post(url)

    assert answer["Location"].startswith("/login/")


@each
def test_progress__polled__until_it_ended(reader: Client, make: Callable[[], Run]) -> None:
    run = make()
    url = kind_of(run).url(run, "progress")
    type(run)._default_manager.update(status="running", share=0.42)

    going = reader.get(url, headers=HTMX)
    type(run)._default_manager.update(status="done")
    ended = reader.get(url, headers=HTMX)
    plain = reader.get(url)

    assert "42%" in going.content.decode()
    assert "HX-Request" in going["Vary"]
    assert ("HX-Refresh" in going, ended["HX-Refresh"]) == (False, "true")
    assert plain["Location"] == kind_of(run).home_url(run)


def test_progress__of_another_experiment__404(reader: Client) -> None:
    run = Analysis.objects.create(experiment=draft("exp"))
    draft("other")

    assert reader.get(f"/experiments/other/{run.pk}/progress/", headers=HTMX).status_code == 404


def test_open_runs__of_every_kind__newest_first_in_one_query_each_and_one_more(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    made = [make() for make in MAKERS.values()]
    for days, run in enumerate(made):
        type(run)._default_manager.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(days=days))
    Study.objects.create(title="done", status="done")

    with django_assert_num_queries(len(MAKERS) + 1):
        found = open_runs()
        assert [(str(run), kind_of(run).url(run)) for run in found] == [
            (str(run), kind_of(run).url(run)) for run in made
        ]


def test_open_runs__of_one_kind__asks_only_for_that_one(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    Study.objects.create(title="done", status="done")
    Study.objects.create(title="going", status="running")
    Study.objects.create(title="waits")

    with django_assert_num_queries(2):
        assert [str(run) for run in open_runs()] == ["waits", "going"]
