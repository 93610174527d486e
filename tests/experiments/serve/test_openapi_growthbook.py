"""Real answers of the GrowthBook doors against the hand-written description."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.test import Client

from tests.experiments.make import IOS, running
from tests.experiments.serve.test_doors import a_key, post

pytestmark = pytest.mark.django_db
DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "docs" / "openapi-growthbook.yaml").read_text())


def check(name: str, value: Any) -> None:
    jsonschema.validate(
        value, {"$ref": f"#/components/schemas/{name}", **DOCUMENT}, cls=jsonschema.Draft202012Validator
    )


def test_payloads__of_both_doors__fit_the_description() -> None:
    running("in")
    running("some", audience=[{"segment_key": "ios", "rule": IOS}])
    key = a_key()

    local = Client().get(f"/api/features/{key}")
    remote = post(f"/api/eval/{key}", {"attributes": {"id": "u1"}})
    nobody = post(f"/api/eval/{key}", {"attributes": {}})

    for answer in (local, remote, nobody):
        check("Payload", answer.json())
    assert local.json()["features"]["in"]["rules"]


def test_errors__of_every_kind__fit_the_description() -> None:
    key = a_key()
    described = DOCUMENT["paths"]["/api/eval/{client_key}"]["post"]["responses"]
    answers = [
        post(f"/api/eval/{key}", b"{"),
        post(f"/api/eval/{key}", {"attributes": 1}),
        post(f"/api/eval/{key}", {"attributes": {"id": 5}}),
        post(f"/api/eval/{key}", b" " * 70_000),
        post("/api/eval/pk_unknown", {"attributes": {}}),
        Client().get(f"/api/eval/{key}"),
        post(f"/api/eval/{a_key('client', 'config:read')}", {"attributes": {}}),
    ]

    for answer in answers:
        check("Error", answer.json())
        assert str(answer.status_code) in described
