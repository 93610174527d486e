"""The published OpenFeature clients for servers against the running site: every type, every row of the table."""

import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.clients.flags import arms, ask, create, evaluate, issue
from tests.clients.server import Site

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
TYPES = {"string": "x", "integer": 3, "number": 1, "boolean": True, "json": {"a": [1, "한글"]}}
RULE = {"all": [{"trait": "platform", "is": "ios"}]}
LANGUAGES = ("python", "node")


@pytest.fixture(scope="module")
def keys(site: Site) -> list[str]:
    defaults = {"string": "", "integer": 0, "number": 0, "boolean": False, "json": {}}
    typed = [
        {
            "key": f"type-{kind}",
            "value_type": kind,
            "variants": arms(5_000, 5_000, values=[value] * 2),
            "default_value": defaults[kind],
        }
        for kind, value in TYPES.items()
    ]
    create(
        site,
        *typed,
        {"key": "open", "variants": arms(3_400, 3_300, 3_300), "overrides": [{"unit": "qa", "variant": "arm2"}]},
        {"key": "paused", "variants": arms(5_000, 5_000), "actions": ["start", "pause"]},
        {"key": "ended", "variants": arms(5_000, 5_000), "actions": ["start", "stop"]},
        {"key": "shut", "variants": arms(5_000, 5_000), "actions": ["start", "close_enrolment"]},
        {"key": "new", "variants": arms(5_000, 5_000), "enrolment": "new_units"},
        {"key": "held", "variants": arms(5_000, 5_000), "holdout": "everyone"},
        {"key": "slice", "variants": arms(5_000, 5_000), "layer": "l", "layer_low": 0, "layer_high": 1},
        {"key": "ios", "variants": arms(5_000, 5_000), "audience": [{"segment_key": "ios", "rule": RULE}]},
        {"key": "nobody", "variants": arms(5_000, 5_000), "audience": [{"coverage": 0}]},
        {"key": "draft", "variants": arms(5_000, 5_000), "actions": []},
    )
    site.run(
        "from experiments.models import Holdout; Holdout.objects.filter(key='everyone').update(share=10000)\n"
        "from experiments.models import ConfigVersion; ConfigVersion.touch(); print('null')"
    )
    time.sleep(2)  # what another process writes is seen within two seconds
    return issue(site, ("server", 1_000_000, []), ("server", 3, []), ("server", 3, []))


@pytest.mark.parametrize("language", LANGUAGES)
def test_client__of_every_type__gets_its_value(language: str, site: Site, keys: list[str]) -> None:
    calls = [{"flag": f"type-{kind}", "type": kind, "unit": "u1"} for kind in TYPES]

    answers = evaluate(language, "ofrep", site, keys[0], calls=calls)

    assert [answer["value"] for answer in answers] == list(TYPES.values())
    assert [answer["error"] for answer in answers] == [None] * 5
    assert {answer["reason"] for answer in answers} == {"SPLIT"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_client__in_every_situation__gets_the_row_of_the_table(language: str, site: Site, keys: list[str]) -> None:
    expected: dict[str, tuple[str, str, dict[str, Any]]] = {
        "paused": ("DISABLED", "default", {"state": "paused"}),
        "ended": ("DISABLED", "default", {"state": "stopped"}),
        "shut": ("STATIC", "default", {"excludedBy": "enrolment"}),
        "new": ("STATIC", "default", {"excludedBy": "anchor"}),
        "held": ("STATIC", "default", {"excludedBy": "holdout"}),
        "slice": ("STATIC", "default", {"excludedBy": "layer"}),
        "ios": ("STATIC", "default", {"excludedBy": "segment"}),
        "nobody": ("STATIC", "default", {"excludedBy": "coverage"}),
    }
    attributes = {"createdAt": "2020-01-01T00:00:00Z"}
    calls: list[dict[str, Any]] = [{"flag": flag, "unit": "u1", "attributes": attributes} for flag in expected]
    calls += [{"flag": "open", "unit": "qa"}, *({"flag": "open", "unit": f"first-{language}"} for _ in range(2))]
    calls += [{"flag": "ios", "unit": f"i-{language}", "attributes": {"platform": "ios"}}]

    answers = evaluate(language, "ofrep", site, keys[0], calls=calls)

    for (flag, (reason, variant, extra)), answer in zip(expected.items(), answers, strict=False):
        assert (answer["reason"], answer["variant"], answer["value"]) == (reason, variant, "none"), flag
        assert extra.items() <= answer["metadata"].items()
        assert answer["metadata"]["experiment"] == flag
    forced, first, again, segment = answers[len(expected) :]
    assert (forced["reason"], forced["value"]) == ("TARGETING_MATCH", "arm2")
    assert (first["metadata"]["sticky"], again["metadata"]["sticky"]) == (False, True)
    assert (first["value"], first["metadata"]["bucket"]) == (again["value"], again["metadata"]["bucket"])
    assert (segment["reason"], segment["metadata"]["segment"]) == ("SPLIT", "ios")


@pytest.mark.parametrize("language", LANGUAGES)
def test_client__with_a_bad_request__reports_the_right_code(language: str, site: Site, keys: list[str]) -> None:
    calls: list[dict[str, Any]] = [{"flag": "nothing", "unit": "u"}, {"flag": "draft", "unit": "u"}, {"flag": "open"}]

    answers = evaluate(language, "ofrep", site, keys[0], calls=calls)
    refused = evaluate(language, "ofrep", site, "sk_" + "x" * 43, calls=[{"flag": "open", "unit": "u"}])

    assert [answer["error"] for answer in answers] == ["FLAG_NOT_FOUND", "FLAG_NOT_FOUND", "TARGETING_KEY_MISSING"]
    assert (refused[0]["error"], refused[0]["value"]) == ("GENERAL", "")


def test_clients__for_200_units__agree(site: Site, keys: list[str]) -> None:
    calls = [{"flag": "open", "unit": f"한글-{n}" if n % 5 == 0 else f"unit-{n}"} for n in range(200)]

    python, node = (evaluate(language, "ofrep", site, keys[0], calls=calls) for language in LANGUAGES)

    assert [answer["value"] for answer in python] == [answer["value"] for answer in node]
    assert {answer["value"] for answer in python} == {"arm0", "arm1", "arm2"}


def test_clients__after_a_429__pause_and_resume(site: Site, keys: list[str]) -> None:
    time.sleep((36 - time.time()) % 60)  # soon the counters' next minute begins, so that the pause is short
    call = {"flag": "open", "unit": "u"}
    calls: list[Any] = [*[call] * 12, {"pause": 26}, call]  # three a minute for each of the two workers

    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda n: evaluate(LANGUAGES[n], "ofrep", site, keys[1 + n], calls=calls), (0, 1)))

    for answers in both:
        assert answers[0]["error"] is None
        assert answers[11]["error"] == "GENERAL"
        assert (answers[-1]["error"], answers[-1]["value"]) == (None, answers[0]["value"])


def test_site__whose_database_is_away__answers_by_hash_and_later_keeps_the_same_arm(
    site: Site, keys: list[str]
) -> None:
    path = "/ofrep/v1/evaluate/flags/"
    units = [f"away-{n}" for n in range(6)]
    for _ in range(8):  # both workers know the key and the configuration
        ask(site, keys[0], path + "open", {"context": {"targetingKey": "warm"}})

    with site.database_away():
        away = [ask(site, keys[0], path + "open", {"context": {"targetingKey": unit}}) for unit in units]
    later = [ask(site, keys[0], path + "open", {"context": {"targetingKey": unit}}) for unit in units]

    assert [(status, body["metadata"]["sticky"]) for status, _, body in away] == [(200, False)] * 6
    assert [body["variant"] for _, _, body in away] == [body["variant"] for _, _, body in later]
    with urllib.request.urlopen(site.url + "/metrics", timeout=10) as answer:
        line = next(
            row for row in answer.read().decode().splitlines() if row.startswith("insight_assignments_unsticky")
        )
    assert float(line.split()[-1]) >= 6
