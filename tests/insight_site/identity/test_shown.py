"""Joined ids on pages, over REST and in the administration; erased and kept no longer than the person."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from events import data_retention
from events.models import IdLink, Source
from events.outbox.flush import flush_events
from insight_site.access import keys
from insight_site.privacy.erasure import perform_erasure
from insight_site.privacy.erasure_requests import request_erasure
from tests.insight_site.identity.test_world import counted
from tests.insight_site.identity.world import a_key, event, events, post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    keys.forget_cached_keys()
    cache.clear()


def rest(path: str, *scopes: str) -> Any:
    return Client().get(f"/api/v1/{path}", headers={"X-API-Key": a_key("admin", *scopes)})


def test_rest__counts_and_ids__are_those_of_the_world() -> None:
    post("/v1/batch", {"batch": events()}, a_key())

    assert rest("identity", "reports:read").json() == {
        "joined_ids": 7,
        "persons": 5,  # ann, bob, dan, e4 by way of e3, fay
        "shared_devices": 2,
        "two_users": 0,
        "circles": 1,
        "too_many": 0,
        "by_public_keys": 0,
    }
    assert rest("units/l/ids", "privacy:read").json() == {"counts_as": "ann", "ids": ["ann", "l", "p"]}
    assert rest("units/nobody/ids", "privacy:read").json() == {"counts_as": "nobody", "ids": ["nobody"]}
    assert rest("units/l/ids", "reports:read").status_code == 403


@pytest.mark.slow
def test_pages__of_a_site_with_logins__say_who_is_one(admin_client: Client) -> None:
    post("/v1/batch", {"batch": events()}, a_key())
    flush_events()

    page = admin_client.get("/data/").content.decode()
    found = admin_client.get("/segments/users/?id=l").content.decode()
    listed = admin_client.get("/admin/events/idlink/?state__exact=second_user").content.decode()

    assert 'id="identity"' in page
    assert "Shared devices" in page
    assert "This id counts as ‘ann’" in found
    assert "<code>p</code>" in found
    assert "cho" in listed


@pytest.mark.slow
def test_data_page__of_a_site_without_logins__says_nothing_of_them(admin_client: Client) -> None:
    post("/v1/batch", {"batch": [event(1, "v", None, "visit")]}, a_key())

    assert 'id="identity"' not in admin_client.get("/data/").content.decode()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_erasure__of_one_id__takes_all_and_what_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insight_site.privacy.erasure.DOORS_SECONDS", 0.0)
    post("/v1/batch", {"batch": events()}, a_key())
    flush_events()

    perform_erasure(request_erasure(ids=["l"], reference="").pk)
    post("/v1/batch", {"batch": [event(9, "p", None, "visit"), event(9, "p", "zoe", "open")]}, a_key())
    flush_events()

    left = counted()
    assert not {"ann", "p", "l"} & set(left)
    assert left["zoe"] == {"open": 1}
    assert not IdLink.objects.filter(visitor__in=["p", "l"]).exists()


def test_retention__keeps_a_link_as_long_as_the_person_has_an_event(settings: Settings) -> None:
    settings.RETENTION_DAYS = 100
    Source.objects.create(name="old")
    post("/v1/batch", {"batch": [event(1, "v", None, "visit"), event(2, "v", "u", "login")]}, a_key())
    flush_events()
    IdLink.objects.create(
        visitor="gone",
        user="as well",
        at=timezone.now(),
        received_at=timezone.now() - timedelta(days=200),
        state="holds",
    )
    IdLink.objects.update(received_at=timezone.now() - timedelta(days=200))

    data_retention.retain()

    assert list(IdLink.objects.values_list("visitor", flat=True)) == ["v"]
    assert counted() == {"u": {"visit": 1, "login": 1}}
