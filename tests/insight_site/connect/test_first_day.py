"""The list of the first day: its steps, who sees it, and that it asks nothing once it is over."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from aha.models import Study
from events.models import OutboxEvent, Source
from experiments.models import Assignment, Experiment
from insight_site.connect import first_day
from insight_site.models import Snapshot
from insight_site.pages.landing import landing
from tests.experiments.make import draft, running

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _cold() -> None:
    cache.clear()


def person(role: str) -> User:
    user = User.objects.create_user(role)
    user.groups.add(Group.objects.get(name=role))
    return user


def arrive() -> None:
    now = timezone.now()
    OutboxEvent.objects.create(message_id="1:s:1", user_id="u", event="e", time=now, properties="{}", received_at=now)


def expose(experiment: Experiment) -> None:
    now = timezone.now()
    Assignment.objects.create(
        unit="u", experiment=experiment, variant=experiment.variants.all()[0], bucket=1, assigned_at=now, exposed_at=now
    )


def state(user: User) -> dict[str, bool]:
    return {task.slug: task.done for task in landing(user)["first_day"]}


def test_steps__one_after_the_other__tick_and_end() -> None:
    boss, seen = person("Admin"), []
    steps: tuple[Any, ...] = (
        lambda: None,
        lambda: Source.objects.create(name="shop"),
        arrive,
        lambda: first_day.say_done(first_day.DATA),
        lambda: Study.objects.create(title="s", status="done"),
        lambda: draft("first"),
        lambda: expose(running("second")),
    )
    for step in steps:
        step()
        seen.append(sum(state(boss).values()))

    assert seen == [0, 1, 2, 3, 4, 5, 0]
    assert state(boss) == {}
    assert first_day.FINISHED in Snapshot.objects.get(name=first_day.NAME).value


def test_next__is_the_first_that_is_open() -> None:
    boss = person("Admin")
    arrive()
    draft("first")

    (task,) = [task for task in landing(boss)["first_day"] if task.is_next]

    assert (task.slug, task.url) == ("data", "/data/connect/check/")


@pytest.mark.parametrize(
    ("role", "before", "after"),
    [
        ("Analyst", set(), {"data", "study"}),
        ("PM", set(), {"data", "study", "plan"}),
        ("Service owner", {"source", "event"}, {"data"}),
        ("Admin", {"source", "event"}, {"data", "study", "plan"}),
    ],
)
def test_doors__by_role__are_for_those_who_may(role: str, before: set[str], after: set[str]) -> None:
    user = person(role)

    def open_doors() -> set[str]:
        return {task.slug for task in landing(user)["first_day"] if task.url and not task.done}

    empty = open_doors()
    arrive()

    assert (empty, open_doors()) == (before, after)


def test_list__of_nobody_who_may_do_a_thing__is_not_there() -> None:
    arrive()

    assert landing(User.objects.create_user("guest"))["first_day"] == ()


def test_home__once_it_is_over__asks_less_than_before() -> None:
    boss = User.objects.create_superuser("boss")
    client = Client()
    client.force_login(boss)
    arrive()
    running("first")
    client.get("/")

    def asked() -> list[str]:
        with CaptureQueriesContext(connection) as found:
            client.get("/")
        return [row["sql"] for row in found]

    open_ones = asked()
    first_day.say_done(first_day.FINISHED)
    over = asked()

    assert len(over) <= len(open_ones)
    assert any("events_source" in text for text in open_ones)
    assert not any("events_source" in text or "exposed_at" in text.split("WHERE")[0] for text in over)


@pytest.mark.parametrize(("role", "status"), [("Analyst", 302), ("Service owner", 302), ("PM", 302)])
def test_judging__by_role__is_kept_once(role: str, status: int) -> None:
    client = Client()
    client.force_login(person(role))

    assert client.post("/data/connect/check/").status_code == status
    assert first_day.DATA in first_day.said()
    assert "Somebody has checked the data" in client.get("/data/connect/check/").content.decode()


def test_judging__without_a_right_to_it__is_refused_and_changes_nothing(client: Client) -> None:
    from django.contrib.auth.models import Permission

    guest = User.objects.create_user("guest")
    guest.user_permissions.add(Permission.objects.get(codename="view_source"))
    client.force_login(guest)

    assert client.post("/data/connect/check/").status_code == 403
    assert first_day.said() == {}
    assert "The data are right</button>" not in client.get("/data/connect/check/").content.decode()


def test_part__while_nothing_came__is_the_list_and_then_the_whole_page(admin_client: Client) -> None:
    waiting = admin_client.get("/data/connect/first-day/")
    arrive()
    come = admin_client.get("/data/connect/first-day/")

    assert 'id="first-day"' in waiting.content.decode()
    assert ("HX-Refresh" in waiting, "HX-Refresh" in come) == (False, True)
