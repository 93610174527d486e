"""Real answers of the events' door against the hand-written description."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.db import OperationalError

from events.outbox import accept, pressure
from events.schema import ERRORS
from tests.insight_site.test_doors_ingest import EVENT, _fresh, make_key, post

pytestmark = pytest.mark.django_db
fresh = _fresh  # runs by itself, as there
DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "docs" / "openapi-events.yaml").read_text())
DESCRIBED = DOCUMENT["paths"]["/v1/{kind}"]["post"]["responses"]


def check(name: str, value: Any) -> None:
    jsonschema.validate(
        value, {"$ref": f"#/components/schemas/{name}", **DOCUMENT}, cls=jsonschema.Draft202012Validator
    )


def test_receipt__of_good_repeated_and_bad_events__fits_the_description() -> None:
    _, key = make_key()
    body = {"batch": [EVENT, EVENT, {**EVENT, "userId": None}, 7]}

    answer = post(body, key)

    check("Batch", {"batch": [EVENT]})
    check("Receipt", answer.json())
    assert answer.json()["rejectedCount"] == 2


def test_codes__of_refused_events__are_all_described() -> None:
    listed = DOCUMENT["components"]["schemas"]["Receipt"]["properties"]["rejected"]["items"]["properties"]["code"]

    assert set(listed["enum"]) == set(ERRORS)


def test_refusals__of_every_kind__fit_the_description(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, key = make_key()
    _, reader = make_key(scopes=["config:read"])
    _, slow = make_key(rate=1)
    answers = [
        post(b"{", key),
        post(b"[]", key),
        post(b"{}", key, **{"Content-Encoding": "gzip"}),
        post(EVENT),
        post(EVENT, reader),
        post(b" " * 512_001, key),
        post({"batch": [1] * 2_501}, key),
        post(b"{}", key, **{"Content-Encoding": "br"}),
        post(b"{}", key, **{"Transfer-Encoding": "chunked"}),
        *[post({"batch": []}, slow) for _ in range(2)][1:],
    ]
    post({"batch": [EVENT]}, key)
    for setting, value in (("OUTBOX_ROWS", 0), ("DISK_FREE_MB", 10**9)):
        pressure.forget()
        setattr(settings, setting, value)
        answers.append(post({"batch": [EVENT]}, key))
    settings.OUTBOX_ROWS, settings.DISK_FREE_MB = 9, 0
    pressure.forget()

    def away(**_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(accept, "accept_events", away)
    answers.append(post({"batch": [EVENT]}, key))

    for answer in answers:
        check("Error", answer.json())
        described = DESCRIBED[str(answer.status_code)]["$ref"].split("/")[-1]
        assert (described == "Later") == ("Retry-After" in answer)
    assert {answer.status_code for answer in answers} == {400, 401, 403, 411, 413, 415, 429, 503}
