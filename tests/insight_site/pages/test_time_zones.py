"""The page of the site's time zone, the question of the first day, and one's own zone for times."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from insight_site.models import AuditEntry, Preference, Snapshot
from insight_site.pages.time_zones import COUNTED_ANEW
from runs.models import Job, SiteZone
from runs.queue.registry import find_task
from runs.site_zone import choose_site_zone, site_zone
from tests.experiments.make import running

pytestmark = pytest.mark.django_db
PAGE, OWN = "/settings/time-zone/", "/account/time-zone/"


def someone(role: str) -> tuple[User, Client]:
    user = User.objects.create_user("person", password="correct horse")
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return user, client


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_proposal__is_shown_with_what_changes__and_changes_nothing() -> None:
    _user, client = someone("Admin")
    experiment = running("keeps")

    shown = text(client.get(PAGE, {"zone": "Seoul"}))

    assert "Numbers by calendar days are counted anew" in shown
    assert "Count days in Asia/Seoul" in shown
    assert f'/experiments/{experiment.key}/">' in shown
    assert "UTC</span>" in shown
    assert site_zone() == "UTC"
    assert not SiteZone.objects.exists()


def test_choice__by_an_admin__is_stored_counted_anew_and_in_the_audit_log() -> None:
    user, client = someone("Admin")
    Snapshot.objects.create(name="retention", value={}, counted_at=datetime.now(UTC))

    response = client.post(PAGE, {"zone": "Asia/Seoul"})

    assert (response.status_code, response["Location"], site_zone()) == (302, PAGE, "Asia/Seoul")
    assert set(COUNTED_ANEW) <= set(Job.objects.values_list("task", flat=True))
    assert [find_task(name).name for name in COUNTED_ANEW] == list(COUNTED_ANEW)
    assert not Snapshot.objects.filter(name="retention").exists(), "a tile of the zone before"
    entry = AuditEntry.objects.filter(object_type="runs.SiteZone").latest("pk")
    assert (entry.actor, entry.before.get("name"), entry.after["name"]) == (user.username, "UTC", "Asia/Seoul")
    assert "Days are counted in <strong>Asia/Seoul</strong>" in text(client.get(PAGE))


def test_choice__of_no_zone__stays_on_the_page_and_says_so() -> None:
    _user, client = someone("Admin")

    response = client.post(PAGE, {"zone": "Mars"})

    assert "“Mars” is no time zone" in response.content.decode()
    assert not SiteZone.objects.exists()


@pytest.mark.parametrize("role", ["Analyst", "PM", "Service owner"])
def test_choice__without_the_role__is_refused(role: str) -> None:
    _user, client = someone(role)

    assert client.post(PAGE, {"zone": "Asia/Seoul"}).status_code == 403
    assert site_zone() == "UTC"


@pytest.mark.parametrize(("role", "asked"), [("Admin", True), ("Service owner", False)])
def test_first_day__asks_who_may_answer__until_somebody_did(role: str, asked: bool) -> None:
    _user, client = someone(role)
    assert ("data-guess-zone" in text(client.get("/data/connect/"))) is asked
    if not asked:
        return

    response = client.post(PAGE, {"zone": "Asia/Seoul", "next": "/data/connect/"})

    assert response["Location"] == "/data/connect/"
    assert "data-guess-zone" not in text(client.get("/data/connect/"))
    assert client.post(PAGE, {"zone": "UTC", "next": "https://elsewhere.example/"})["Location"] == PAGE


def test_own_zone__shows_times_in_it__and_days_stay_those_of_the_site() -> None:
    user, client = someone("Admin")
    choose_site_zone("Asia/Seoul")
    AuditEntry.objects.all().delete()

    client.post(OWN, {"zone": "America/New_York"})

    assert Preference.objects.get(user=user).time_zone == "America/New_York"
    page = text(client.get("/account/"))
    assert "Days are those of Asia/Seoul, times those of America/New_York." in page
    fresh = Client()  # another browser of the same account
    fresh.post("/login/", {"username": "person", "password": "correct horse"})
    assert fresh.cookies["zone"].value == "America/New_York"
    client.post(OWN, {"zone": ""})
    assert "Days and times are those of Asia/Seoul." in text(client.get("/account/"))


def test_own_zone__that_is_none__is_refused_and_a_forged_cookie_ignored() -> None:
    user, client = someone("Analyst")

    client.post(OWN, {"zone": "Mars"})

    assert not Preference.objects.filter(user=user).exclude(time_zone="").exists()
    client.cookies["zone"] = "../../etc/passwd"
    assert "Days and times are those of UTC." in text(client.get("/account/"))


def test_api__gives_the_same_instants__whatever_zone_the_site_and_the_person_have() -> None:
    _user, client = someone("Admin")
    running("steady")
    before = client.get("/api/v1/experiments/steady").json()
    choose_site_zone("Asia/Seoul")
    client.post(OWN, {"zone": "America/New_York"})

    after = client.get("/api/v1/experiments/steady").json()

    assert after == before
