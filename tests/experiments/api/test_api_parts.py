"""Layers, holdouts and webhooks over REST, and the committed OpenAPI document."""

import io
from pathlib import Path

import pytest
from django.core.management import call_command

from experiments.models import Holdout, WebhookEndpoint
from tests.experiments.api.make import PLAN, Api

pytestmark = pytest.mark.django_db
HOOKS = "/api/v1/webhook-endpoints"
DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.yaml"


def test_layer__made__can_be_used_and_its_slice_is_guarded() -> None:
    api = Api()
    api.ok("POST", "/api/v1/layers", {"key": "onboarding", "name": "Onboarding"})
    for key, low, high in (("a", 0, 5_000), ("b", 4_000, 9_000)):
        api.ok("POST", "", {**PLAN, "key": key, "layer": "onboarding", "layer_low": low, "layer_high": high})

    assert api("POST", "a/start").status_code == 200
    assert "overlaps" in api("POST", "b/start").json()["detail"]
    assert api("POST", "/api/v1/layers", {"key": "onboarding"}).status_code == 400
    assert api("POST", "/api/v1/layers", {"key": "a b"}).status_code == 409


def test_holdout__made_active__is_kept_by_new_drafts_alone() -> None:
    api = Api()
    api.ok("POST", "", {**PLAN, "key": "before"})
    api.ok("POST", "/api/v1/holdouts", {"key": "2026h1", "share": 500, "active": True})
    api.ok("POST", "/api/v1/holdouts", {"key": "2026h2", "share": 300, "active": True})

    kept = [api.ok("POST", "", {**PLAN, "key": "after"})["holdout"], api.ok("GET", "before")["holdout"]]
    off = api.ok("POST", "/api/v1/holdouts/2026h2/set-active", {"active": False})

    assert kept == ["2026h2", None]
    assert list(Holdout.objects.filter(active=True)) == []
    assert off["active"] is False
    assert api("PATCH", "/api/v1/holdouts/2026h2", {"share": 1}).status_code == 405
    assert api("POST", "/api/v1/holdouts", {"key": "all", "share": 10_000}).status_code == 409


def test_webhook__made__shows_its_secret_once() -> None:
    api = Api()

    made = api("POST", HOOKS, {"name": "slack", "url": "https://hooks.example/x"})
    again = api("POST", f"{HOOKS}/{made.json()['id']}/rotate")

    assert made["Cache-Control"] == "no-store"
    assert made.json()["secret"] != again.json()["secret"]
    assert WebhookEndpoint.objects.get().secret == again.json()["secret"]
    assert "secret" not in api.ok("GET", f"{HOOKS}/{made.json()['id']}")
    assert "secret" not in api("GET", HOOKS).content.decode()


def test_webhook__off_and_on__forgets_why_it_was_off() -> None:
    api = Api()
    row = WebhookEndpoint.objects.create(name="x", url="https://a.example", enabled=False, disabled_reason="gone")

    on = api.ok("PATCH", f"{HOOKS}/{row.pk}", {"enabled": True})
    bad = api("PATCH", f"{HOOKS}/{row.pk}", {"url": "http://a.example"})

    assert (on["enabled"], on["disabled_reason"]) == (True, "")
    assert bad.status_code == 409
    row.refresh_from_db()
    assert row.url == "https://a.example"


def test_webhook__deliveries__tell_what_was_sent() -> None:
    api = Api()
    made = api.ok("POST", HOOKS, {"name": "slack", "url": "https://hooks.example/x"})
    api.ok("POST", "", PLAN)
    api.ok("POST", "guild/start")

    found = api.ok("GET", f"{HOOKS}/{made['id']}/deliveries")["results"]

    assert [row["type"] for row in found] == ["experiment.started"]


@pytest.mark.slow
def test_document__committed__is_what_the_code_says() -> None:
    made = io.StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", stdout=made)

    assert made.getvalue() == DOCUMENT.read_text(), "manage.py spectacular --validate --file docs/openapi.yaml"
