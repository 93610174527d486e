"""The admin actions on keys: create a successor, revoke; by whom they may be called."""

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from events.models import Source
from insight_site.access import keys
from insight_site.models import ApiKey

pytestmark = pytest.mark.django_db
LIST = "/admin/insight_site/apikey/"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    keys.forget_cached_keys()
    yield
    keys.forget_cached_keys()


def issue(name: str) -> tuple[ApiKey, str]:
    source, _ = Source.objects.get_or_create(name="app")
    return keys.issue_key(name=name, source=source, kind="client", scopes=["events:write"], rate=7)


def act(client: Client, action: str, *rows: ApiKey) -> Any:
    return client.post(LIST, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


def staff(*codenames: str) -> Client:
    user = User.objects.create_user("ann", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def test_successor__of_two_keys__is_shown_once_and_the_old_ones_end_in_a_week(admin_client: Client) -> None:
    issued = [issue("web"), issue("app")]

    answer = act(admin_client, "create_successor", *(row for row, _ in issued))

    shown = re.findall(r"issued-key[^>]*>([^<]+)</code>", answer.content.decode())
    assert (answer.status_code, len(set(shown))) == (200, 2)
    assert "no-store" in answer["Cache-Control"]
    assert all(keys.find_caller(key) for key in shown)
    assert all(keys.find_caller(key) for _, key in issued)  # for a week
    for row, _ in issued:
        old, new = ApiKey.objects.filter(name=row.name).order_by("id")
        assert old.expires_at is not None
        assert 6.9 < (old.expires_at - timezone.now()).total_seconds() / 86_400 <= 7
        assert (new.scopes, new.rate, new.kind, new.expires_at) == (["events:write"], 7, "client", None)
        assert new.created_by is not None
    assert not any(key in admin_client.get(LIST).content.decode() for key in shown)


def test_revoke__of_one_of_two_keys__ends_it_now_and_says_so(admin_client: Client) -> None:
    (row, key), (_, other) = issue("web"), issue("app")
    assert keys.find_caller(key) is not None

    answer = act(admin_client, "revoke", row)

    row.refresh_from_db()
    assert row.revoked_at is not None
    assert keys.find_caller(key) is None
    assert keys.find_caller(other) is not None
    assert [str(message) for message in answer.context["messages"]] == ["1 key was revoked."]


def test_revoke__again__keeps_the_first_time(admin_client: Client) -> None:
    row, _ = issue("web")
    act(admin_client, "revoke", row)
    row.refresh_from_db()
    first = row.revoked_at

    act(admin_client, "revoke", row)

    row.refresh_from_db()
    assert row.revoked_at == first


@pytest.mark.parametrize("action", ["create_successor", "revoke"])
def test_action__by_someone_who_may_only_look__changes_nothing(action: str) -> None:
    row, key = issue("web")

    act(staff("view_apikey"), action, row)

    assert ApiKey.objects.count() == 1
    row.refresh_from_db()
    assert (row.revoked_at, row.expires_at) == (None, None)
    assert keys.find_caller(key) is not None


def test_key__in_the_admin__can_not_be_deleted(admin_client: Client) -> None:
    row, _ = issue("web")

    assert admin_client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ApiKey.objects.count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["users:write", "privacy:write", "privacy:read", "plans:draft"])
def test_service_owner__cannot_give_a_key_what_only_an_admin_may_do(scope: str) -> None:
    source, _ = Source.objects.get_or_create(name="app")
    row, _ = keys.issue_key(name="directory", source=source, kind="admin", scopes=[scope])
    form = {"name": "mine", "source": source.pk, "kind": "admin", "scopes": [scope], "origins": ""}
    for role, made in (("Service owner", 0), ("Admin", 2)):
        user = User.objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)

        client.post(f"{LIST}add/", form)
        act(client, "create_successor", row)

        assert ApiKey.objects.exclude(pk=row.pk).count() == made, role


# ── Assignments ───────────────────────────────────────────────────────────────
@pytest.mark.parametrize("other", ["plans:draft", "studies:start"])
def test_key__that_has_things_computed__may_not_read_assignments(admin_client: Client, other: str) -> None:
    source, _ = Source.objects.get_or_create(name="app")
    scopes = ["reports:read", "assignments:read", other]

    with pytest.raises(ValueError, match="assignments:read"):
        keys.issue_key(name="x", source=source, kind="server", scopes=scopes)
    page = admin_client.post(f"{LIST}add/", {"name": "x", "source": source.pk, "kind": "server", "scopes": scopes})

    assert f"A key with the scope {other} may not read assignments too" in page.content.decode()
    assert not ApiKey.objects.exists()


def test_upgrade__keeps_assignments_of_readers_and_names_those_that_compute() -> None:
    source, _ = Source.objects.get_or_create(name="app")
    given = {
        "reader": ["reports:read"],
        "sender": ["events:write"],
        "drafter": ["reports:read", "plans:draft"],
        "starter": ["reports:read", "studies:start"],
        "gone": ["reports:read"],
    }
    for name, scopes in given.items():
        row, _ = keys.issue_key(name=name, source=source, kind="server", scopes=scopes)
        if name == "gone":
            keys.revoke_key(row=row)

    migration = importlib.import_module("insight_site.migrations.0020_scope_of_assignments")
    with structlog.testing.capture_logs() as lines:
        migration.keep_assignments(apps, None)

    kept = {row.name for row in ApiKey.objects.all() if "assignments:read" in row.scopes}
    assert kept == {"reader"}
    assert [re.sub(r" .*", "", name) for name in lines[0]["keys"]] == ["drafter", "starter"]
