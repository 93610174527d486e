"""Accounts over HTTP: who may ask, what ends, what can't."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from events.models import Source
from insight_site.access import keys
from insight_site.models import SignIn
from tests.insight_site.signin.make import log_in, person, superuser

pytestmark = pytest.mark.django_db
USERS = "/api/v1/users"


def key(*scopes: str, kind: str = "admin") -> dict[str, str]:
    source, _new = Source.objects.get_or_create(name="directory")
    _row, secret = keys.issue_key(name="directory", source=source, kind=kind, scopes=scopes)
    return {"x-api-key": secret}


def patch(client: Client, user: User, body: Any, **headers: str) -> Any:
    return client.patch(f"{USERS}/{user.pk}", body, content_type="application/json", headers=headers)


def test_deactivate__by_key__ends_sessions_and_stands_on_record(client: Client) -> None:
    ann, there = person(), Client()
    log_in(there)
    secret = key("users:write")

    answer = patch(client, ann, {"active": False}, **secret)

    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert there.get("/account/").status_code == 302
    note = SignIn.objects.get(event="deactivated").note
    assert note == f"by key {secret['x-api-key'][:8]}"
    assert patch(client, ann, {"active": True}, **secret).json()["active"] is True


def test_roles__by_key__are_given_and_taken(client: Client) -> None:
    ann = person()
    ann.groups.add(Group.objects.get(name="PM"))

    answer = patch(client, ann, {"roles": ["Analyst", "Admin"]}, **key("users:write"))

    assert answer.json()["roles"] == ["Admin", "Analyst"]
    assert "+Admin +Analyst -PM" in SignIn.objects.get(event="roles").note


def test_last_superuser__stays(client: Client) -> None:
    root = superuser()

    answer = patch(client, root, {"active": False}, **key("users:write"))

    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert User.objects.get().is_active
    superuser("second")
    assert patch(client, root, {"active": False}, **key("users:write")).status_code == 200


@pytest.mark.parametrize("kind", ["client", "server"])
def test_scope__of_keys_of_services__is_not_given(kind: str) -> None:
    with pytest.raises(ValueError, match="may not have the scope"):
        key("users:write", kind=kind)


@pytest.mark.parametrize(("role", "wanted"), [("Analyst", 403), ("PM", 403), ("Service owner", 403), ("Admin", 200)])
def test_session__by_role(client: Client, role: str, wanted: int) -> None:
    ann, boss = person(), superuser()
    bob = person("bob")
    bob.groups.add(Group.objects.get(name=role))
    client.force_login(bob)

    assert client.get(USERS).status_code == wanted
    assert patch(client, ann, {"active": False}).status_code == wanted
    assert patch(client, boss, {"active": False}).status_code == 403
    assert User.objects.get(username="root").is_active


@pytest.mark.parametrize(
    "body", [{"roles": ["King"]}, {"roles": "PM"}, {"active": "perhaps"}, {"active": None}, [], {"roles": [None]}]
)
def test_change__that_makes_no_sense__is_refused_and_changes_nothing(client: Client, body: Any) -> None:
    ann = person()

    answer = patch(client, ann, body, **key("users:write"))

    assert answer.status_code == 400
    ann.refresh_from_db()
    assert (ann.is_active, ann.groups.count()) == (True, 0)


def test_fields__that_may_not_be_changed__are_not(client: Client) -> None:
    ann = person()

    patch(
        client, ann, {"superuser": True, "is_superuser": True, "username": "x", "password": "y"}, **key("users:write")
    )

    now = User.objects.get()
    assert (now.is_superuser, now.username, now.password) == (False, "ann", ann.password)


def test_list__by_cursor__names_everybody_once_and_no_secret(client: Client) -> None:
    for number in range(5):
        person(f"p{number}")
    headers = key("users:write")
    seen: list[str] = []
    address = f"{USERS}?page_size=2"
    while address:
        page = client.get(address, headers=headers).json()
        seen += [row["username"] for row in page["results"]]
        address = page["next"]

    assert seen == [f"p{number}" for number in range(5)]
    assert set(client.get(USERS, headers=headers).json()["results"][0]) == {
        *("id", "username", "email", "first_name", "last_name", "active", "superuser", "roles", "last_login")
    }
    assert [row["id"] for row in client.get(f"{USERS}?username=p3", headers=headers).json()["results"]] == [
        User.objects.get(username="p3").pk
    ]


@pytest.mark.slow
def test_document__describes_both(client: Client) -> None:
    client.force_login(superuser())

    paths = client.get("/api/schema/?format=json").json()["paths"]

    change = paths["/api/v1/users/{id}"]["patch"]
    assert set(paths["/api/v1/users"]) == {"get"}
    assert change["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("UserChangeRequest")
    assert {"200", "403", "404", "409"} <= set(change["responses"])
