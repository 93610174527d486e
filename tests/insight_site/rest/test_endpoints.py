"""The management API: who may call, and the one shape of its errors."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client

from events.models import Source
from insight_site.access import keys
from segments.models import SegmentModel

pytestmark = pytest.mark.django_db
PATH = "/api/v1/segment-models"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    keys.forget_cached_keys()
    yield
    keys.forget_cached_keys()


def bearer(kind: str, *scopes: str) -> dict[str, str]:
    source, _ = Source.objects.get_or_create(name="app")
    _, key = keys.issue_key(name="k", source=source, kind=kind, scopes=scopes)
    return {"authorization": f"Bearer {key}"}


def test_list__without_key_or_session__401_as_problem(client: Client) -> None:
    answer = client.get(PATH)

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert "Bearer" in answer["WWW-Authenticate"]
    assert answer.json()["code"] == "unauthorized"
    assert answer.json()["instance"] == PATH


def test_list__key_without_scope__403_as_problem(client: Client) -> None:
    answer = client.get(PATH, headers=bearer("server", "events:write"))

    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


@pytest.mark.parametrize("who", ["key", "person"])
def test_list__key_or_person__pages_of_rows(client: Client, who: str) -> None:
    SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    headers = bearer("server", "reports:read") if who == "key" else {}
    if who == "person":
        client.force_login(User.objects.create_user("ann"))

    answer = client.get(PATH, headers=headers)

    assert answer.status_code == 200
    assert answer.json()["count"] == 1
    assert answer.json()["results"][0]["key"] == "style"


def test_detail__unknown__404_as_problem_in_english(client: Client) -> None:
    headers = {**bearer("server", "reports:read"), "accept-language": "ko"}

    answer = client.get(PATH + "/nothing", headers=headers)

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"].isascii()


def test_docs__swagger__has_no_inline_script_and_no_other_host(client: Client) -> None:
    text = client.get("/api/docs/").content.decode()

    assert "<script>" not in text
    assert 'src="/api/docs/' in text or "swagger-ui" in text
    assert "https://" not in text.replace('"https://www.w3.org', "")


@pytest.mark.slow
def test_schema__for_a_person__is_openapi_31(client: Client) -> None:
    client.force_login(User.objects.create_user("ann"))

    answer = client.get("/api/schema/")

    assert answer.status_code == 200
    assert b"openapi: 3.1" in answer.content
