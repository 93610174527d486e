"""The home page of somebody with an account: what runs, what was found, and the next step."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from aha.models import AhaMoment, Study
from experiments.models import Analysis, Assignment, Experiment, Variant
from insight_site.pages.landing import landing, next_step
from reporting.document import dump
from segments.models import SegmentModel
from tests.aha.make_report import INPUTS, result

pytestmark = pytest.mark.django_db


def person(*permissions: str) -> User:
    user = User.objects.create_user("ann")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def study(**more: Any) -> Study:
    given = {"title": "Spring", "status": "done", "inputs": dump(INPUTS), **result(), **more}
    return Study.objects.create(**given)


def moment(**more: Any) -> AhaMoment:
    return AhaMoment.objects.create(
        key="friends",
        name="Three friends",
        behaviour="friend_add",
        times=3,
        days=7,
        signup_event="signup",
        retention="window:14-20",
        **more,
    )


def experiment(planned: int | None, assigned: int, status: str = "running") -> Experiment:
    row = Experiment.objects.create(
        key=f"hint-{status}",
        flag_key="hint",
        name="Hint",
        status=status,
        planned_units=planned,
        started_at=timezone.now(),
    )
    control = Variant.objects.create(experiment=row, position=0, key="control", weight=10_000)
    Assignment.objects.bulk_create(
        Assignment(unit=f"u{n}", experiment=row, variant=control, bucket=n, assigned_at=timezone.now())
        for n in range(assigned)
    )
    return row


@pytest.mark.parametrize(
    ("planned", "shown", "percent"), [(200, 50, 25), (50, 50, 100), (50, 60, 100), (None, 5, 0), (10, 0, 0)]
)
def test_running__planned_size__is_the_full_bar(planned: int | None, shown: int, percent: int) -> None:
    experiment(planned, shown)
    Assignment.objects.update(exposed_at=timezone.now())

    (row,) = landing(person())["experiments"]

    assert (row["at"].exposed, row["at"].percent) == (shown, percent)


def test_running__draft_and_stopped__are_not_shown() -> None:
    experiment(10, 0, "draft")
    experiment(10, 0, "stopped")
    experiment(10, 0, "paused")

    assert [row["experiment"].status for row in landing(person())["experiments"]] == ["paused"]


def test_verdicts__of_two_experiments__the_latest_of_each_with_its_words() -> None:
    first, second = experiment(10, 0), experiment(10, 0, "stopped")
    for row, verdict in ((first, "INCONCLUSIVE"), (second, "HARMS"), (first, "CAUSES"), (first, "")):
        Analysis.objects.create(experiment=row, status="done", verdict=verdict)
    Analysis.objects.create(experiment=second, status="failed", verdict="CAUSES")

    found = [(row["experiment"], str(row["words"]), row["light"]) for row in landing(person())["verdicts"]]

    assert found == [(first, "It causes a gain", "good"), (second, "It does harm", "bad")]


def test_open_runs__of_every_kind__newest_first() -> None:
    study(status="running", title="old")
    study(status="queued", title="new")
    study()

    assert [str(run) for run in landing(person())["open_runs"]] == ["new", "old"]


@pytest.mark.parametrize(
    ("state", "url"),
    [
        ("nothing", "/aha/studies/new/"),
        ("study", "/aha/studies/"),
        ("moment", "/admin/experiments/experiment/new/"),
        ("experiment", "/segments/runs/new/"),
        ("all", None),
    ],
)
def test_next_step__first_thing_missing__is_asked_for(state: str, url: str | None) -> None:
    states = ("nothing", "study", "moment", "experiment", "all")
    made: list[Callable[[], object]] = [
        study,
        moment,
        lambda: experiment(10, 1),
        lambda: SegmentModel.objects.create(key="k", kind="rule"),
    ]
    for make in made[: states.index(state)]:
        make()

    step = next_step(person("add_study", "add_experiment", "add_segmentationrun"))

    assert (step and step.url.startswith(url or "-")) or (step is None and url is None)


def test_next_step__not_allowed_to__says_nothing() -> None:
    assert next_step(person()) is None


def test_home__with_rows__shows_them(client: Client) -> None:
    study()
    moment(status="confirmed")
    experiment(200, 50)
    client.force_login(person())

    text = client.get("/").content.decode()

    assert "Spring" in text
    assert "Three friends" in text
    assert '<progress max="100" value="0"' in text
    assert "0 of 200 planned units were shown their variant (0 %)." in text


def test_home__empty__says_so_without_an_error(client: Client) -> None:
    client.force_login(person())

    text = client.get("/").content.decode()

    assert "No experiment is running." in text
    assert "No study yet." in text
