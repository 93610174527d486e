"""The catalogue over HTTP: verbs, scopes, cursors, refusals."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from events.models import Metric, MetricCheck
from experiments.models import Experiment
from tests.events.metric_catalogue.make import metric
from tests.experiments.api.make import PLAN, Api

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/metrics"
NEW = {"key": "revenue", "name_en": "Revenue", "name_ko": "매출", "definition": "sum:buy:price:0-6", "tags": ["b", "a"]}


def test_life__by_verbs__is_that_of_the_page(settings: Any) -> None:
    settings.EVENTS_URL = "/nonexistent/events"
    api = Api()

    made = api.ok("POST", ROOT, NEW)
    certified = api.ok("POST", f"{ROOT}/revenue/certify", {"version": 1})
    changed = api.ok("PATCH", f"{ROOT}/revenue", {"definition": "sum:buy:price:0-13", "why": "two weeks"})
    words = api.ok("PATCH", f"{ROOT}/revenue", {"description": "What users pay."})
    versions = api.ok("GET", f"{ROOT}/revenue/versions")["results"]
    deprecated = api.ok("POST", f"{ROOT}/revenue/deprecate", {"why": "old"})
    again = api.ok("POST", f"{ROOT}/revenue/take-up", {})

    assert (made["status"], made["version"], made["tags"], made["current"]["direction"]) == (
        "draft",
        1,
        ["a", "b"],
        "higher",
    )
    assert certified["status"] == "certified"
    assert certified["current"]["certified_at"] is not None
    assert (changed["status"], changed["version"], changed["name_ko"]) == ("draft", 2, "매출")
    assert (words["version"], words["description"]) == (2, "What users pay.")
    assert [(one["number"], one["definition"], one["why"]) for one in versions] == [
        (2, "sum:buy:price:0-13", "two weeks"),
        (1, "sum:buy:price:0-6", ""),
    ]
    assert (deprecated["status"], again["status"]) == ("deprecated", "draft")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", {**NEW, "key": "a b"}, 400),
        ("POST", "", {**NEW, "key": "new"}, 409),
        ("POST", "", {**NEW, "key": "taken"}, 409),
        ("POST", "", {**NEW, "definition": "nonsense"}, 409),
        ("POST", "", {**NEW, "margin": 0}, 409),
        ("POST", "", {**NEW, "direction": "up"}, 400),
        ("POST", "", {"key": "x"}, 400),
        ("POST", "/taken/certify", {"version": 2}, 409),
        ("POST", "/taken/certify", {}, 400),
        ("PATCH", "/nothing", {}, 404),
        ("GET", "/nothing", None, 404),
        ("GET", "/%00", None, 404),
        ("DELETE", "/taken", None, 405),
        ("GET", "?cursor=nonsense", None, 404),
        ("GET", "?status=nonsense", None, 400),
    ],
)
def test_refusals__each__has_its_status(method: str, path: str, body: Any, status: int) -> None:
    metric("taken")

    answer = Api()(method, f"{ROOT}{path}", body)

    assert answer.status_code == status, answer.content
    assert Metric.objects.get().version == 1


def test_list__by_cursor_tag_and_status__gives_each_once() -> None:
    for number in range(5):
        metric(f"m{number}", tags=("odd",) if number % 2 else ("even", "odd-ish"))
    api, url, found = Api(), f"{ROOT}?page_size=2", []
    while url:
        page = api.ok("GET", url)
        found += [row["key"] for row in page["results"]]
        url = page["next"] and page["next"].partition("testserver")[2]

    assert found == ["m0", "m1", "m2", "m3", "m4"]
    assert [row["key"] for row in api.ok("GET", f"{ROOT}?tag=odd")["results"]] == ["m1", "m3"]
    assert api.ok("GET", f"{ROOT}?status=certified")["results"] == []


def test_check__by_key__waits_for_the_worker(settings: Any) -> None:
    settings.EVENTS_URL = "/nonexistent/events"
    metric()

    answer = Api()("POST", f"{ROOT}/revenue/checks", {})

    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
    assert MetricCheck.objects.get().inputs["splits"] == 1_000
    assert Api().ok("GET", f"{ROOT}/revenue/checks")["results"][0]["result"] is None


def test_plan__by_key__names_a_metric_and_shows_its_version() -> None:
    metric(margin=0.5)

    made = Api().ok("POST", "", {**PLAN, "guardrail_metrics": ["metric:revenue"]})

    assert made["guardrail_metrics"] == ["sum:buy:price:0-6"]
    assert made["guardrail_rules"] == {"sum:buy:price:0-6": {"direction": "higher", "margin": 0.5}}
    assert made["metrics"] == [
        {"definition": "sum:buy:price:0-6", "key": "revenue", "version": 1, "newest": 1, "status": "draft"}
    ]
    answer = Api()("POST", "", {**PLAN, "key": "other", "primary_metrics": ["metric:nothing"]})
    assert (answer.status_code, Experiment.objects.count()) == (409, 1)


def test_roles__a_service_owner_reads_and_an_analyst_changes(client: Client) -> None:
    metric()
    for role, status in (("Service owner", 403), ("Analyst", 302)):
        person = User.objects.create_user(role)
        person.groups.add(Group.objects.get(name=role))
        client.force_login(person)
        assert client.get("/data/metrics/revenue/").status_code == 200
        assert client.post("/data/metrics/revenue/deprecate/").status_code == status
