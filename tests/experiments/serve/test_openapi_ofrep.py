"""Real answers of the OFREP door against the hand-written description."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from experiments.serve import config, overrides
from tests.experiments.make import IOS, do, running
from tests.experiments.serve.test_doors import BULK, a_key, post, unit

pytestmark = pytest.mark.django_db
DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "docs" / "openapi-ofrep.yaml").read_text())


def check(name: str, value: Any) -> None:
    jsonschema.validate(
        value, {"$ref": f"#/components/schemas/{name}", **DOCUMENT}, cls=jsonschema.Draft202012Validator
    )


def test_answers__of_every_kind__fit_the_description() -> None:
    running("in", audience=[{"segment_key": "ios", "rule": IOS}])
    for flag, action in (("off", "pause"), ("shut", "close_enrolment")):
        running(flag)
        do(flag, action)
    overrides.set_override(key="in", unit="qa", variant="banner")
    config.forget()
    key = a_key("server")

    bulks = [post(BULK, unit(name, platform="ios"), key).json() for name in ("u1", "qa")]

    for bulk in bulks:
        check("Bulk", bulk)
        for flag in bulk["flags"]:
            check("Flag", flag)
    assert {flag["reason"] for bulk in bulks for flag in bulk["flags"]} == {
        "SPLIT",
        "STATIC",
        "DISABLED",
        "TARGETING_MATCH",
    }


def test_errors__of_every_kind__fit_the_description() -> None:
    running()
    key = a_key()
    described = DOCUMENT["paths"]["/ofrep/v1/evaluate/flags/{key}"]["post"]["responses"]

    answers = [
        post(f"{BULK}/exp", b"{", key),
        post(f"{BULK}/exp", {"context": 1}, key),
        post(f"{BULK}/none", unit(), key),
        post(f"{BULK}/exp", {"context": {}}, key),
        post(f"{BULK}/exp", unit()),
        post(f"{BULK}/exp", b" " * 70_000, key),
        post(f"{BULK}/exp", unit(), a_key("client", "config:read")),
        post(BULK, b"{", key),
    ]

    for answer in answers:
        check("Error", answer.json())
        assert str(answer.status_code) in described
