"""From nothing to the first event: the form, the key, the snippets, the waiting part, made-up data."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django.utils.http import urlencode
from pytest_django import Settings

from events.catalogue import listing
from events.models import OutboxEvent, Rejected, Source
from events.outbox.flush import flush_events
from events.store import event_table
from insight_site.connect import first_day, newest_events, write_sample
from insight_site.connect.send_snippets import snippets
from insight_site.models import ApiKey
from runs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, settings: Settings) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    cache.clear()
    listing._read.clear()


def test_form__makes_source_and_key_and_shows_it_once(admin_client: Client) -> None:
    answer = admin_client.post("/data/connect/", {"name": " Shop ", "kind": "client"})

    key = ApiKey.objects.get()
    page = answer.content.decode()
    assert (key.source.name, key.kind, key.scopes) == ("Shop", "client", ["assign:read", "config:read", "events:write"])
    assert answer.context["key"] in page
    assert answer["Cache-Control"] == "no-store"
    assert answer.context["key"] not in admin_client.get("/data/connect/").content.decode()


def test_form__a_source_that_exists__gets_a_further_key(admin_client: Client) -> None:
    for _ in range(2):
        admin_client.post("/data/connect/", {"name": "Shop", "kind": "server"})

    assert (Source.objects.count(), ApiKey.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"name": "", "kind": "server"}, "name"),
        ({"name": "   ", "kind": "server"}, "name"),
        ({"name": "x" * 101, "kind": "server"}, "name"),
        ({"name": "Shop", "kind": "admin"}, "kind"),  # keys that may do everything are made elsewhere
    ],
)
def test_form__nonsense__is_told_beside_the_field(admin_client: Client, data: dict[str, str], field: str) -> None:
    answer = admin_client.post("/data/connect/", data)

    assert answer.context["form"].errors[field]
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("Analyst", 403), ("PM", 403), ("Service owner", 200), ("Admin", 200)])
def test_form__by_role__only_who_connects_services_makes_keys(role: str, status: int) -> None:
    user = User.objects.create_user("ann")
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)

    page = client.get("/data/connect/").content.decode()
    answer = client.post("/data/connect/", {"name": "Shop", "kind": "server"})

    assert (answer.status_code, ApiKey.objects.exists()) == (status, status == 200)
    assert ("Make the key" in page) == (status == 200)
    assert ("made by a service owner or an admin" in page) == (status == 403)
    assert client.post("/data/connect/sample/").status_code == (302 if status == 200 else 403)


def test_snippets__secret_keys__are_never_offered_for_a_browser() -> None:
    secret = snippets("https://host", "sk_x", public=False)
    public = snippets("https://host", "pk_x", public=True)

    languages = ["curl", "python", "node", "java", "kotlin", "swift", "go"]
    assert [row.slug for row in secret] == [*languages, "batch"]
    assert [row.slug for row in public] == ["curl", "browser", *languages[1:], "batch"]
    texts = [text for row in secret for text in (row.text, row.ask) if text]
    assert len(texts) == 2 * len(languages) + 1
    assert all("sk_x" in text and "https://host" in text for text in texts)
    assert not any(word in text for text in texts for word in ("$host", "$key", "$flag", "$path", "$body"))
    assert [row.slug for row in secret if not row.tried] == ["kotlin", "swift", "go"]
    compile(next(row.text for row in secret if row.slug == "python"), "snippet", "exec")


def test_received__only_this_sources_later_events_count() -> None:
    shop, other = Source.objects.create(name="shop"), Source.objects.create(name="other")

    def came(source: Source, name: str, number: int) -> None:
        OutboxEvent.objects.create(
            message_id=f"{source.pk}:s:{number}",
            user_id="user-0001",
            event=name,
            time=timezone.now(),
            properties="{}",
            received_at=timezone.now(),
        )

    came(shop, "before", 1)
    now, after = timezone.now(), newest_events.mark()
    empty = newest_events.received(shop, after=after, since=now)
    came(other, "elsewhere", 2)
    came(shop, "play", 3)
    waiting = newest_events.received(shop, after=after, since=now)
    flush_events()
    came(shop, "play", 4)
    Rejected.objects.create(source=shop, received_at=now, code="bad_number", message="x", payload="{}")

    found = newest_events.received(shop, after=after, since=now)

    assert (empty.number, empty.refused) == (0, 0)
    assert (waiting.number, waiting.names) == (1, (("play", 1),))
    assert (found.number, found.names, found.user, found.refused) == (2, (("play", 2),), "us…0001", 1)
    assert found.reason.startswith("numbers must be finite")


@pytest.mark.parametrize(
    "query",
    [{}, {"source": "x", "after": "0", "since": "2026-01-01T00:00:00+00:00"},
     {"source": "1", "after": "9" * 30, "since": "2026-01-01T00:00:00+00:00"},
     {"source": "1", "after": "0", "since": "2026-01-01T00:00:00"}, {"source": "1", "after": "0", "since": "never"}],
)  # fmt: skip
def test_received__of_nonsense__is_not_found(admin_client: Client, query: dict[str, str]) -> None:
    assert admin_client.get(f"/data/connect/received/?{urlencode(query)}").status_code == 404


@pytest.mark.slow
def test_sample__on_an_empty_site__writes_made_up_users(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_sample, "USERS", 200)

    admin_client.post("/data/connect/sample/")
    written = write_sample.write_sample()

    assert [job.task for job in Job.objects.all()] == [first_day.TASK]
    assert written == event_table.row_count()
    assert written > 200
    assert listing.catalogue().guess_signup() == "signup"
    assert write_sample.write_sample() == 0


def test_sample__where_events_are__is_refused_and_not_offered(admin_client: Client) -> None:
    OutboxEvent.objects.create(
        message_id="1:s:1", user_id="u", event="e", time=timezone.now(), properties="{}", received_at=timezone.now()
    )

    answer: Any = admin_client.post("/data/connect/sample/", follow=True)

    assert "This site has events already" in answer.content.decode()
    assert "Fill with made-up data" not in admin_client.get("/data/connect/").content.decode()
