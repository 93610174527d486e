"""Audiences over HTTP and as pages: who may, what they are told."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from aha.moments.promote import create_moment
from events.models import Source
from experiments.models import Experiment
from insight_site import tasks
from insight_site.access import keys
from insight_site.audiences import audience_services
from insight_site.models import Audience
from runs.models import Job
from tests.insight_site.audiences.make import HOOK, audience, place, segment

pytestmark = pytest.mark.django_db
API = "/api/v1/audiences"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    keys.forget_cached_keys()
    yield
    keys.forget_cached_keys()


def key(kind: str, *scopes: str) -> dict[str, str]:
    source, _ = Source.objects.get_or_create(name="app")
    return {"authorization": f"Bearer {keys.issue_key(name='k', source=source, kind=kind, scopes=scopes)[1]}"}


def analyst() -> Client:
    user = User.objects.create_user("ana", password="x")
    user.groups.add(Group.objects.get(name="Analyst"))
    client = Client()
    client.force_login(user)
    return client


def test_rest__made_counted_and_followed__to_the_last_change(client: Client) -> None:
    group, admin, reader = segment(), key("admin", "admin:*"), key("server", "segments:read")
    body = {"key": "vip", "name": "VIP", "who": "segment", "segment_model": "style", "segment_key": "g1"}

    made = client.post(API, {**body, "way": "fetched"}, content_type="application/json", headers=admin)
    place(group, [f"u{n:03d}" for n in range(30)])
    audience_services.count(Audience.objects.get().pk)
    first = client.get(f"{API}/vip/members?page_size=20", headers=reader).json()
    second = client.get(first["next"], headers=reader).json()
    place(group, [f"u{n:03d}" for n in range(1, 30)])
    audience_services.count(Audience.objects.get().pk)
    changes = client.get(f"{API}/vip/changes?after=29", headers=reader).json()

    assert made.status_code == 201, made.content
    assert [row["unit"] for row in first["results"] + second["results"]] == [f"u{n:03d}" for n in range(30)]
    assert [(row["unit"], row["is_in"], row["change"]) for row in changes] == [("u029", True, 30), ("u000", False, 31)]


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=99999999999999999999999", "most=5001"])
def test_rest__number_that_is_none__is_one_sentence(client: Client, query: str) -> None:
    audience(segment())

    answer = client.get(f"{API}/fighters/changes?{query}", headers=key("server", "segments:read"))

    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert "whole number" in answer.json()["detail"]


def test_rest__secret__is_told_by_rotate_alone(client: Client) -> None:
    audience(segment(), way="webhook", url=HOOK)
    admin = key("admin", "admin:*")

    told = client.post(f"{API}/fighters/rotate", headers=admin)

    secret = Audience.objects.get().secret
    assert told.json() == {"key": "fighters", "secret": secret}
    assert told["Cache-Control"] == "no-store"
    assert secret not in client.get(f"{API}/fighters", headers=admin).content.decode()


def test_pages__made_changed_and_ended_by_an_analyst() -> None:
    group, person = segment(), analyst()
    filled = {
        "name": "Kämpfer 한글",
        "who": "segment",
        "segment": "style/g1",
        "way": "webhook",
        "url": HOOK,
        "hours": 6,
    }

    made = person.post("/audiences/new/", {**filled, "enabled": "on"})
    row = Audience.objects.get()
    place(group, ["<b>u</b>"])
    audience_services.count(row.pk)
    page = person.get(made.headers["Location"]).content.decode()
    person.post(f"/audiences/{row.key}/change/", {**filled, "hours": "24"})
    row.refresh_from_db()
    ended = person.post(f"/audiences/{row.key}/delete/")

    assert "&lt;b&gt;u&lt;/b&gt;" in page
    assert (row.hours, row.enabled) == (24, False)
    assert (ended.status_code, Audience.objects.count()) == (302, 0)


def test_page__of_a_list_that_would_empty__asks_and_a_worker_does_what_is_meant() -> None:
    group, person = segment(), analyst()
    row = audience(group)
    place(group, [f"u{n}" for n in range(200)])
    audience_services.count(row.pk)
    place(group, ["u1"])
    audience_services.count(row.pk)
    page = person.get("/audiences/fighters/").content.decode()
    Job.objects.all().delete()

    person.post("/audiences/fighters/count/", {"although": "1"})

    assert "199 of 200 users would go." in page
    assert Audience.objects.get().members == 200
    job = Job.objects.get(task=audience_services.TASK)
    assert tasks.count_audience(*job.arguments)
    assert Audience.objects.get().members == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"segment": ""}, "Choose a segment."),
        ({"who": "reached"}, "Choose an AHA moment."),
        ({"way": "file", "url": "s3://x/y"}, "names no place for them"),
        ({"url": "http://x"}, "https"),
    ],
)
def test_form__with_a_gap__says_it_at_the_field_and_makes_nothing(change: dict[str, str], sentence: str) -> None:
    segment()
    filled = {"name": "A", "who": "segment", "segment": "style/g1", "way": "webhook", "url": HOOK, "hours": 24}

    page = analyst().post("/audiences/new/", {**filled, **change})

    assert page.status_code == 200
    assert sentence in page.content.decode()
    assert not Audience.objects.exists()


def test_page__of_a_moment_under_test__says_that_messages_disturb_it() -> None:
    moment = create_moment(
        name="Guild", behaviour="chat", times=1, days=7, signup_event="signup", retention="window:14-20"
    )
    audience(segment(), key="talk", who="reached", moment=moment)
    Experiment.objects.create(key="nudge", name="Nudge", flag_key="nudge", moment=moment, status="running")

    page = analyst().get("/audiences/talk/").content.decode()

    assert "a second nudge toward it" in page
    assert "/experiments/nudge/" in page
