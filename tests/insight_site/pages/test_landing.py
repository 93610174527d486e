"""The home page of somebody with an account: what runs, what was found, and the next step."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from aha.models import AhaMoment, Study
from experiments.models import Analysis, Assignment, Experiment, Variant
from insight_site.connect.first_day import facts
from insight_site.models import Snapshot
from insight_site.pages import landing as pages_landing
from insight_site.pages.landing import landing, steps
from reporting.document import dump
from tests.aha.make_report import INPUTS, result

pytestmark = pytest.mark.django_db


def person(*permissions: str) -> User:
    user = User.objects.create_user("ann")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def events() -> None:
    Snapshot.objects.create(name=pages_landing.NAME, value={}, counted_at=timezone.now())


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

    assert found == [(first, "The behaviour causes a gain", "good"), (second, "The behaviour does harm", "bad")]


def test_open_runs__of_every_kind__newest_first() -> None:
    study(status="running", title="old")
    study(status="queued", title="new")
    study()

    assert [str(run) for run in landing(person())["open_runs"]] == ["new", "old"]


@pytest.mark.parametrize(
    ("state", "name", "url"),
    [
        ("nothing", None, None),
        ("events", "Study", "/aha/studies/new/"),
        ("study", "AHA moment", "/aha/studies/"),
        ("moment", "Experiment", "/experiments/-/new/"),
        ("experiment", None, None),
    ],
)
def test_loop__first_step_missing__is_the_next_one(state: str, name: str | None, url: str | None) -> None:
    states = ("nothing", "events", "study", "moment", "experiment")
    made: list[Callable[[], object]] = [events, study, moment, lambda: experiment(10, 1)]
    for make in made[: states.index(state)]:
        make()

    found = landing(person("add_study", "add_experiment"))["next"]

    assert (found and found.name) == name
    assert found is None or (url is not None and found.url.startswith(url))


def test_loop__not_allowed_to__offers_nothing() -> None:
    guest = person()

    assert all(not step.url for step in steps(guest, facts(guest, over=False), has_figures=False))


def test_loop__all_that_was_done__is_ticked() -> None:
    study()
    moment()
    Analysis.objects.create(experiment=experiment(10, 1), status="done", verdict="CAUSES", final=True)

    found = landing(person())

    assert [step.done for step in found["loop"]] == [True] * 5
    assert found["all_done"]


def test_studies__cancelled__are_not_shown() -> None:
    study(title="kept")
    study(title="gone", status="cancelled")

    assert [str(row["study"]) for row in landing(person())["studies"]] == ["kept"]


def test_waiting__alarms_come_before_results_and_drafts() -> None:
    experiment(10, 0, "draft")
    experiment(10, 0, "stopped")
    silent = experiment(10, 1)
    Experiment.objects.filter(pk=silent.pk).update(started_at=timezone.now() - timedelta(days=3))

    found = [(row.kind, row.light) for row in landing(User.objects.create_superuser("boss"))["waiting"]]

    assert found == [("Health", "bad"), ("To close", ""), ("Plan", "")]


def test_waiting__a_draft__says_why_it_cant_start() -> None:
    experiment(10, 0, "draft")

    (row,) = landing(person("change_experiment", "view_experiment"))["waiting"]

    assert row.words == "Can't start yet: The plan needs a hypothesis."
    assert row.url == "/experiments/hint-draft/plan/review/"


def test_waiting__an_alarm_of_somebody_elses__is_theirs() -> None:
    silent = experiment(10, 1)
    theirs = User.objects.create_user("bob")
    Experiment.objects.filter(pk=silent.pk).update(started_at=timezone.now() - timedelta(days=3), owner=theirs)

    assert landing(User.objects.create_superuser("boss"))["waiting"] == []
    assert [row.kind for row in landing(theirs)["waiting"]] == ["Health"]


def test_changes__of_a_week__newest_first_and_none_that_is_older() -> None:
    now = timezone.now()
    row = experiment(10, 1)
    Experiment.objects.filter(pk=row.pk).update(started_at=now - timedelta(days=6, hours=23))
    Experiment.objects.filter(pk=row.pk).update(flag_key="other")
    old = experiment(10, 1, "paused")
    Experiment.objects.filter(pk=old.pk).update(started_at=now - timedelta(days=7, hours=1))
    Analysis.objects.create(experiment=row, status="done", verdict="CAUSES", final=True)
    Analysis.objects.create(experiment=row, status="done", verdict="CAUSES", final=True)
    Analysis.objects.create(experiment=old, status="done", verdict="HARMS", final=False)
    Analysis.objects.filter(experiment=old).update(created_at=now - timedelta(days=8))
    Analysis.objects.create(experiment=old, status="done", verdict="HARMS", final=False)  # nothing new

    found = [(change.name, change.words) for change in landing(person())["changes"]]

    assert found == [("Hint", "Final verdict: The behaviour causes a gain"), ("Hint", "Started")]


def many(number: int) -> None:
    for n in range(number):
        row = experiment(10, 1, f"r{n}")
        Experiment.objects.filter(pk=row.pk).update(
            status=("running", "draft", "stopped")[n % 3],
            flag_key=f"f{n}",
            started_at=timezone.now() - timedelta(days=3),
            stopped_at=timezone.now(),
        )
        Analysis.objects.create(experiment=row, status="done", verdict="CAUSES", final=True)


def test_home__one_and_fifty_experiments__take_the_same_number_of_queries(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    moment()
    many(3)
    client.get("/")

    with CaptureQueriesContext(connection) as few:
        client.get("/")
    Analysis.objects.all().delete()
    Assignment.objects.all().delete()
    Experiment.objects.all().delete()
    many(51)
    with CaptureQueriesContext(connection) as more:
        client.get("/")

    assert len(more) == len(few)


def test_verdicts__with_figures__have_shares_effect_and_interval() -> None:
    figures = {
        "share": True,
        "outcome": "window:14-20",
        "control": "control",
        "variant": "nudge",
        "levels": {"control": {"mean": 0.225, "n": 1_000}, "nudge": {"mean": 0.249, "n": 1_010}},
        "nudge": {"estimate": 0.024, "low": 0.009, "high": 0.039},
        "behaviour": {"estimate": 0.13, "low": 0.068, "high": 0.187},
        "take_up": None,
    }
    tested = experiment(10, 0, "stopped")
    Analysis.objects.create(experiment=tested, status="done", verdict="CAUSES", final=True, figures=figures)

    (row,) = landing(person())["verdicts"]

    assert row["headline"].estimate.replace("\u00a0", " ") == "+13.0 points (6.8 to 18.7 points)"
    assert row["headline"].said == "control 22.5% → nudge 24.9% (+2.4 points)"


def test_home__many_rows__asks_the_database_as_often_as_for_few(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for n in range(6):
        AhaMoment.objects.create(
            key=f"m{n}", name="M", behaviour="a", times=1, days=1, signup_event="s", retention="window:7-13"
        )
        study(title=f"S{n}")
        experiment(10, 0, f"draft{n}")
    client.force_login(person())

    with django_assert_max_num_queries(26):
        client.get("/")


def test_home__with_rows__shows_them(client: Client) -> None:
    study()
    moment(status="confirmed")
    experiment(200, 50)
    client.force_login(person())

    text = client.get("/").content.decode()

    assert "Spring" in text
    assert "Three friends" in text
    assert '<progress max="100" value="0"' in text
    assert "0 of 200 planned users exposed (0%)" in text


def test_home__empty__says_so_without_an_error(client: Client) -> None:
    client.force_login(person())

    text = client.get("/").content.decode()

    assert "Send your first event" in text
    assert 'id="tour"' not in text
    assert "From events to a verdict" in text


def test_studies__of_the_same_title__say_how_they_differ() -> None:
    same = {**dump(INPUTS), "days": [7]}
    first = study(inputs=same)
    second = study(inputs={**same, "behaviours": ["friend_add", "browse"]})
    other = study(title="Autumn")

    found = {row["study"].pk: row["apart"] for row in landing(person())["studies"]}

    behaviours = "every event" if not same.get("behaviours") else f"{len(same['behaviours'])} behaviours"
    assert found == {
        first.pk: f"{behaviours} · study {first.pk}",
        second.pk: f"2 behaviours · study {second.pk}",
        other.pk: "",
    }
