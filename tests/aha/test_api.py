"""REST of studies and AHA moments: start, look, cancel, promote; who may, and what is refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from aha.models import AhaMoment, Study
from events.models import Source
from insight_site.access import keys
from stats.results import NotComputable, Reason
from tests.aha.make_report import candidate, report, result

pytestmark = pytest.mark.django_db
INPUTS = {"signup_event": "signup", "days": [7, 3], "retention": "window:14-20"}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    keys.forget_cached_keys()
    yield
    keys.forget_cached_keys()


def bearer(*scopes: str) -> dict[str, str]:
    source, _ = Source.objects.get_or_create(name="app")
    kind = "admin" if "admin:*" in scopes else "server"
    _, key = keys.issue_key(name="k", source=source, kind=kind, scopes=scopes)
    return {"authorization": f"Bearer {key}"}


def post(client: Client, path: str, body: Any, *scopes: str) -> Any:
    headers = bearer(*(scopes or ("admin:*",)))
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def done(**more: Any) -> Study:
    made = report(candidates=(candidate(e_value=NotComputable(Reason.NO_OVERLAP)),))
    return Study.objects.create(status="done", inputs=INPUTS, **result(made), **more)


@pytest.fixture
def log(settings: Any, tmp_path: Path) -> None:
    """Three users: two days of play, the last event 30 days later."""
    from tests.aha.store import load_file

    settings.EVENTS_URL = str(tmp_path / "store")
    rows = [f"u{k},{event},2026-01-0{k}T10:00:00Z" for k in (1, 2, 3) for event in ("signup", "chat")]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["user,event,time", *rows, "u1,chat,2026-02-20T10:00:00Z"]) + "\n")
    load_file(path, "--user", "user", "--event", "event", "--time", "time")


def test_start__valid__202_and_a_waiting_study(client: Client, log: None) -> None:
    answer = post(client, "/api/v1/studies", {"inputs": INPUTS, "title": "first", "seed": 5})

    assert answer.status_code == 202, answer.content
    row = Study.objects.get()
    assert answer.json()["id"] == row.pk
    assert (row.status, row.title, row.seed) == ("queued", "first", 5)
    assert row.inputs["days"] == [3, 7]


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"days": [15]}, 409, "--retention and --days"),
        ({"signup_event": "install"}, 409, "--signup-event: there is no event 'install'"),
        ({"behaviours": ["dance"]}, 409, "--behaviours"),
        ({"days": []}, 400, ""),
        ({"choose": "best"}, 400, ""),
        ({"retention": None}, 400, ""),
    ],
)
def test_start__bad_input__is_a_problem_and_nothing_is_kept(
    client: Client, log: None, change: dict[str, Any], status: int, detail: str
) -> None:
    answer = post(client, "/api/v1/studies", {"inputs": {**INPUTS, **change}})

    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["detail"].startswith(detail)
    assert not Study.objects.exists()


def test_start__bad_field__is_pointed_at(client: Client, log: None) -> None:
    problem = post(client, "/api/v1/studies", {"inputs": {**INPUTS, "signup_event": "install"}}).json()

    assert [(row["pointer"], row["code"]) for row in problem["errors"]] == [("/inputs/signup_event", "refused")]
    assert problem["errors"][0]["detail"].startswith("There is no event 'install'; the log has ")


def test_start__too_few_for_a_ranking__is_taken_for_its_counts(client: Client, log: None) -> None:
    answer = post(client, "/api/v1/studies", {"inputs": INPUTS})

    assert answer.status_code == 202  # three users: units, retention and cells are always given


def test_start__person__needs_the_permission(client: Client, log: None) -> None:
    user = User.objects.create_user("ann")
    client.force_login(user)
    body = json.dumps({"inputs": INPUTS})

    before = client.post("/api/v1/studies", body, content_type="application/json")
    user.user_permissions.add(Permission.objects.get(codename="add_study"))
    after = client.post("/api/v1/studies", body, content_type="application/json")

    assert (before.status_code, after.status_code) == (403, 202)
    assert Study.objects.get().created_by == user


def test_list_and_detail__missing_numbers_are_in_words(client: Client) -> None:
    row = done()

    listed = client.get("/api/v1/studies", headers=bearer("reports:read")).json()
    found = client.get(f"/api/v1/studies/{row.pk}", headers=bearer("reports:read")).json()

    assert [each["id"] for each in listed["results"]] == [row.pk]
    assert "report" not in listed["results"][0]
    assert found["report"]["candidates"][0]["e_value"] == {
        "not_computable": "Users who did it have too few comparable users who didn't."
    }
    assert found["report"]["candidates"][0]["pick_share"] == candidate().pick_share


def test_cancel__waiting_then_ended(client: Client) -> None:
    row = Study.objects.create(inputs=INPUTS)

    first = post(client, f"/api/v1/studies/{row.pk}/cancel", {})
    second = post(client, f"/api/v1/studies/{row.pk}/cancel", {})

    assert (first.status_code, first.json()["status"]) == (202, "cancelled")
    assert second.status_code == 409


def test_promote__a_candidate__201_then_it_is_listed(client: Client) -> None:
    row = done()
    body = {"behaviour": "friend_add", "times": 2, "days": 3, "name": "Talks"}

    first = post(client, f"/api/v1/studies/{row.pk}/promote", body)
    second = post(client, f"/api/v1/studies/{row.pk}/promote", body)

    assert first.status_code == 201
    assert second.status_code == 409
    assert first.json()["intact"] is True
    moment = AhaMoment.objects.get()
    found = client.get(f"/api/v1/moments/{moment.key}", headers=bearer("reports:read")).json()
    assert (found["name"], found["status"], found["study"]) == ("Talks", "candidate", row.pk)
    assert "not_computable" in found["evidence"]["e_value"]
    assert client.get("/api/v1/moments?status=confirmed", headers=bearer("reports:read")).json()["count"] == 0
