"""The dispatcher of machine doors: every row of its table is guarded, and every trouble has the shape of its door."""

import json
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.test import Client

from events.models import Source
from events.outbox import pressure
from experiments.serve import config
from insight_site.access import keys
from insight_site.machine import dispatch
from insight_site.machine.doors import DOORS, Door
from tests.experiments.make import running

pytestmark = pytest.mark.django_db
PATHS = {
    "/ofrep/v1/evaluate/flags": "evaluation",
    "/ofrep/v1/evaluate/flags/some": "evaluation",
    "/v1/batch": "ingest",
    "/v1/track": "ingest",
    "/api/features/pk_x": "payload",
    "/api/eval/pk_x": "evaluation",
    "/ofrep/v1/streams/pk_x": "streams",
}


def door_at(path: str) -> Door:
    return next(door for door in DOORS if door.path.fullmatch(path))


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", PATHS)
def test_door__without_a_good_key__is_401_in_both_forms_of_its_path(path: str, slash: str) -> None:
    door = door_at(path + slash)

    answer = Client().generic(door.rule.methods[0], path + slash, "{}", headers={"X-API-Key": "no"})

    assert (door.rule.door, answer.status_code) == (PATHS[path], 401)
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.path.pattern)
def test_table__each_row__asks_for_a_scope_that_some_key_can_have(door: Door) -> None:
    assert door.rule.scope in keys.SCOPES["admin"]
    assert door.rule.methods


@pytest.mark.parametrize("path", ["/v1/batches", "/v1/batch//", "/ofrep/v1/evaluate/flags//", "/api/features/a/b"])
def test_path__that_is_no_door__is_404_in_json(path: str) -> None:
    answer = Client().post(path, headers={"Origin": "https://shop.example"})

    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (404, "*")
    assert answer["Content-Type"] == "application/json"


def test_host__that_is_not_ours__is_400_in_json() -> None:
    answer = Client().post("/v1/batch", headers={"Host": "other.example"})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_fault_in_a_door__is_500_that_a_browser_may_read(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.INTERNAL_NETWORKS = ["127.0.0.0/8"]

    def broken(request: HttpRequest, **_: Any) -> Any:
        raise RuntimeError("bug")

    door = door_at("/metrics")
    monkeypatch.setattr(dispatch, "DOORS", (replace(door, handler=broken),))

    answer = Client(raise_request_exception=False).get("/metrics", headers={"Origin": "https://shop.example"})

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Length"] == str(len(answer.content))


def events(count: int) -> dict[str, Any]:
    row = {"type": "track", "event": "e", "userId": "u"}
    return {"batch": [{**row, "messageId": f"{count}-{at}"} for at in range(count)]}


def unit(name: str) -> dict[str, Any]:
    return {"context": {"targetingKey": name}, "attributes": {"id": name}}


# One more query here is one more for each batch and each evaluation of the services that use this site.
FLAGS = "/ofrep/v1/evaluate/flags"
POSTGRESQL = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
ONE = 0 if POSTGRESQL else 1  # its one statement goes past the cursors that Django counts
QUERIES: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "one event": ("POST", "/v1/batch", events(1), ONE and 2),  # SQLite: the events, then their ids
    "fifty events": ("POST", "/v1/batch", events(50), ONE and 2),
    "a flag of a known unit": ("POST", f"{FLAGS}/exp0", unit("known"), ONE),
    "a flag of a new unit": ("POST", f"{FLAGS}/exp0", unit("new"), ONE and 7),
    "all flags of a known unit": ("POST", FLAGS, unit("known"), 1),
    "remote evaluation": ("POST", "/api/eval/{key}", unit("known"), 1),
    "configuration": ("GET", "/api/features/{key}", {}, 0),
}


@pytest.mark.parametrize("what", QUERIES)
def test_door__called_before__asks_no_more_queries(
    what: str, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(keys, "FRESH_SECONDS", 1e9)  # on a slow machine the key and the flags would be read again
    monkeypatch.setattr(config, "CHECK_SECONDS", 1e9)
    monkeypatch.setattr(pressure, "LOOK_SECONDS", 1e9)
    source, scopes = Source.objects.create(name="app"), ["events:write", "assign:read", "config:read"]
    key = keys.issue_key(name="k", source=source, kind="client", scopes=scopes)[1]
    for number in range(3):
        running(f"exp{number}")
    for before in (FLAGS, f"{FLAGS}/exp0"):
        Client().post(before, unit("known"), content_type="application/json", headers={"X-API-Key": key})
    Client().post("/v1/batch", events(2), content_type="application/json", headers={"X-API-Key": key})
    Client().get(f"/api/features/{key}")  # who asks for which flag is noted every 20 seconds
    method, path, body, queries = QUERIES[what]

    with django_assert_num_queries(queries):
        answer = Client().generic(method, path.format(key=key), json.dumps(body), headers={"X-API-Key": key})

    assert answer.status_code == 200
