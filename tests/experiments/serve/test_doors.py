"""The OFREP and GrowthBook doors through the whole stack: shapes, codes, ETag, CORS, keys."""

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from structlog.testing import capture_logs

from events.models import OutboxEvent, Source
from experiments.models import Assignment
from experiments.serve import assign, config, overrides
from insight_site.access.keys import issue_key
from tests.experiments.make import IOS, cut_off, do, running

pytestmark = pytest.mark.django_db
BULK = "/ofrep/v1/evaluate/flags"
REASONS = {"STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED"}


def a_key(kind: str = "client", *scopes: str, **options: Any) -> str:
    source, _ = Source.objects.get_or_create(name="app")
    return issue_key(name="k", source=source, kind=kind, scopes=scopes or ["assign:read", "config:read"], **options)[1]


def post(path: str, body: Any, key: str | None = None, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    if key:
        headers["X-API-Key"] = key
    return Client().post(path, raw, content_type="text/plain", headers=headers)


def unit(name: str = "u1", **attributes: Any) -> dict[str, Any]:
    return {"context": {"targetingKey": name, **attributes}}


@pytest.mark.parametrize("slash", ["", "/"])
def test_single__of_a_running_flag__has_all_five_fields(slash: str) -> None:
    running(seed="9f2c41d07ab3", flag_key="guild-invite")

    answer = post(f"{BULK}/guild-invite{slash}", unit("user-1"), a_key())

    assert answer.status_code == 200
    assert answer.json() == {
        "key": "guild-invite",
        "value": "banner",
        "variant": "banner",
        "reason": "SPLIT",
        "metadata": {"experiment": "exp", "experimentVersion": 2, "bucket": 0.6863, "sticky": False},
    }


def test_single__with_a_server_key__names_segment_and_assignment_and_a_client_key_never_does() -> None:
    running(audience=[{"segment_key": "ios", "rule": IOS}])
    body = unit(platform="ios")

    server, client = (post(f"{BULK}/exp", body, a_key(kind)).json()["metadata"] for kind in ("server", "client"))

    assert (server["segment"], server["assignmentId"]) == ("ios", Assignment.objects.get().pk)
    assert not {"segment", "assignmentId"} & set(client)


def test_single__with_exposure_0__assigns_and_does_not_expose() -> None:
    running()

    assert post(f"{BULK}/exp?exposure=0", unit(), a_key()).status_code == 200
    assert (Assignment.objects.count(), OutboxEvent.objects.count()) == (1, 0)


def test_single__with_a_key_that_logs_no_exposure__assigns_alone() -> None:
    running()

    assert post(f"{BULK}/exp", unit(), a_key("server", log_exposures=False)).status_code == 200
    assert (Assignment.objects.count(), OutboxEvent.objects.count()) == (1, 0)


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize(
    "forced",
    [{"forcedVariations": {"exp": 1}}, {"forcedFeatures": [["exp", "banner"]]}, {"forcedFeatures": {"exp": "banner"}}],
)
def test_remote_eval__forced_values__count_for_preview_keys_and_track_nothing(
    forced: dict[str, Any], preview: bool
) -> None:
    running(seed="9f2c41d07ab3")
    key = a_key(preview=preview)
    control = next(f"u{n}" for n in range(99) if _arm(key, f"u{n}") == "none")

    answer = post(f"/api/eval/{key}", {"attributes": {"id": control}, **forced}).json()["features"]["exp"]

    assert answer["rules"][0]["force"] == ("banner" if preview else "none")
    assert ("tracks" in answer["rules"][0]) is not preview


@pytest.mark.parametrize("odd", [{"exp": 9}, {"exp": True}, {"exp": "1"}, [], 5, {"other": 1}])
def test_remote_eval__forced_by_what_is_none__is_ignored(odd: Any) -> None:
    running()
    key = a_key(preview=True)

    answer = post(f"/api/eval/{key}", {"attributes": {"id": "u"}, "forcedVariations": odd, "forcedFeatures": odd})

    rule = answer.json()["features"]["exp"]["rules"][0]
    assert rule["force"] in ("none", "banner") or odd == {"exp": rule["force"]}


def _arm(key: str, name: str) -> Any:
    return post(f"/api/eval/{key}", {"attributes": {"id": name}}).json()["features"]["exp"]["rules"][0]["force"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "PARSE_ERROR"),
        (b" ", 400, "PARSE_ERROR"),
        (b"\xff", 400, "PARSE_ERROR"),
        (b"[" * 20_000, 400, "PARSE_ERROR"),
        (b'{"context": {"targetingKey": "a", "x": NaN}}', 400, "PARSE_ERROR"),
        (b'{"context": {"targetingKey": "a", "x": 1e999}}', 400, "PARSE_ERROR"),
        (b'{"context": {"targetingKey": "a", "x": 9223372036854775808}}', 400, "PARSE_ERROR"),
        (b'{"context": {"targetingKey": "a\\u0000"}}', 400, "PARSE_ERROR"),
        (b'{"context": {"targetingKey": "a", "x": ["\\ud800"]}}', 400, "PARSE_ERROR"),
        (b"[]", 400, "INVALID_CONTEXT"),
        ({"context": []}, 400, "INVALID_CONTEXT"),
        ({"context": {"targetingKey": 5}}, 400, "INVALID_CONTEXT"),
        ({"context": {"targetingKey": "x" * 257}}, 400, "INVALID_CONTEXT"),
        ({"context": {}}, 400, "TARGETING_KEY_MISSING"),
        ({}, 400, "TARGETING_KEY_MISSING"),
        ({"context": {"targetingKey": ""}}, 400, "TARGETING_KEY_MISSING"),
        (b" " * 65_537, 413, "GENERAL"),
    ],
    ids=lambda value: str(value)[:40] if not isinstance(value, int) else "",
)
def test_request__that_names_no_unit__is_refused_in_the_shape_of_ofrep(body: Any, status: int, code: str) -> None:
    running()
    key = a_key()

    single, bulk = post(f"{BULK}/exp", body, key), post(BULK, body, key)

    assert (single.status_code, bulk.status_code) == (status, status)
    assert set(single.json()) == {"key", "errorCode", "errorDetails"}
    assert set(bulk.json()) == {"errorCode", "errorDetails"}
    assert single.json()["errorCode"] == bulk.json()["errorCode"] == code
    assert Assignment.objects.count() == 0


def test_request__chunked__is_411_and_one_of_64_kib_is_read() -> None:
    running()
    whole = json.dumps(unit()).encode()

    assert post(f"{BULK}/exp", whole, a_key(), **{"Transfer-Encoding": "chunked"}).status_code == 411
    assert post(f"{BULK}/exp", whole + b" " * (65_536 - len(whole)), a_key()).status_code == 200


@pytest.mark.parametrize("flag", ["nothing", "a%2Fb", "-x", "x" * 129])
def test_flag__that_is_not_served__is_404(flag: str) -> None:
    answer = post(f"{BULK}/{flag}", unit(), a_key())

    assert answer.status_code == 404
    assert "errorDetails" in answer.json()
    if "%" not in flag:
        assert answer.json()["errorCode"] == "FLAG_NOT_FOUND"


def test_key__missing_unknown_without_scope_or_throttled__is_told_in_the_shape_of_ofrep() -> None:
    running()
    limited = a_key(rate=1)
    post(f"{BULK}/exp", unit(), limited)

    answers = [
        post(f"{BULK}/exp", unit()),
        post(f"{BULK}/exp", unit(), "pk_" + "x" * 43),
        post(f"{BULK}/exp", unit(), a_key("client", "events:write")),
        post(f"{BULK}/exp", unit(), limited),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 403, 429]
    assert all(answer.json()["errorCode"] == "GENERAL" and answer.json()["key"] == "exp" for answer in answers)
    assert answers[3]["Retry-After"].isdigit()
    got = Client().get(f"{BULK}/exp")
    assert (got.status_code, got["Allow"], got.json()["errorCode"]) == (405, "POST", "GENERAL")


def test_bulk__is_sorted_and_a_client_can_rely_on_its_tag() -> None:
    for name in ("b", "a"):
        running(name)
    key = a_key()

    first = post(BULK, unit(), key, Origin="https://game.example")
    second = post(BULK, unit(), key)
    tag = first["ETag"]
    answers = [post(BULK, unit(), key, **{"If-None-Match": sent}) for sent in (tag, f'"x", W/{tag}', "*", '"x"')]

    assert [flag["key"] for flag in first.json()["flags"]] == ["a", "b"]
    assert [flag["metadata"]["sticky"] for flag in second.json()["flags"]] == [True, True]
    assert second["ETag"] == tag
    assert [answer.status_code for answer in answers] == [304, 304, 304, 200]
    assert (answers[0].content, answers[0]["ETag"]) == (b"", tag)
    assert first["Access-Control-Allow-Origin"] == "*"
    assert "ETag" in first["Access-Control-Expose-Headers"]
    do("a", "pause")
    assert post(BULK, unit(), key, **{"If-None-Match": tag}).status_code == 200


def test_bulk__when_a_rule_starts_to_match__has_another_tag() -> None:
    running()
    overrides.set_override(key="exp", rule=IOS, variant="banner")
    config.forget()
    key = a_key()
    name = next(f"u{n}" for n in range(99) if assign.evaluate("exp", f"u{n}", {}).variant == "control")  # type: ignore[union-attr]

    before = post(BULK, unit(name), key)
    after = post(BULK, unit(name, platform="ios"), key, **{"If-None-Match": before["ETag"]})

    assert (after.status_code, after.json()["flags"][0]["reason"]) == (200, "TARGETING_MATCH")


def test_preflight__of_the_three_doors__is_answered_for_any_origin() -> None:
    for path in (BULK, "/api/features/pk_x", "/api/eval/pk_x"):
        answer = Client().options(
            path,
            headers={
                "Origin": "https://game.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type, if-none-match, x-api-key",
            },
        )

        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (204, "*")
        assert {"content-type", "if-none-match", "x-api-key"} <= set(
            answer["Access-Control-Allow-Headers"].replace(" ", "").split(",")
        )


def test_database__away__is_500_in_the_shape_of_ofrep_and_an_entry_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    running("a")
    running("b", audience=[{"segment_key": "ios", "rule": IOS}])
    key = a_key()

    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError

    cut_off(monkeypatch, away)
    single, bulk = post(f"{BULK}/b", unit(), key), post(BULK, unit(), key)

    assert (single.status_code, single.json()["errorCode"]) == (500, "GENERAL")
    assert bulk.status_code == 200
    fine, failed = bulk.json()["flags"]
    assert (fine["key"], fine["metadata"]["sticky"]) == ("a", False)
    assert set(failed) == {"key", "errorCode", "errorDetails"}


def test_trouble__of_our_own__is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    running()
    key = a_key()

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(assign, "evaluate_all", broken)
    monkeypatch.setattr(assign, "evaluate", broken)

    assert post(f"{BULK}/exp", unit(), key).json()["errorCode"] == "GENERAL"
    answer = post(f"/api/eval/{key}", {"attributes": {"id": "u"}})
    assert (answer.status_code, answer.json()["status"]) == (500, 500)


def test_payload__has_headers_for_caches_and_answers_304() -> None:
    running()
    path = f"/api/features/{a_key()}"

    first = Client().get(path)
    again = Client().get(path, headers={"If-None-Match": first["ETag"]})

    assert (first.status_code, first.json()["status"], list(first.json()["features"])) == (200, 200, ["exp"])
    assert first.json()["dateUpdated"].endswith("Z")
    assert first["Cache-Control"] == "public, max-age=30, stale-while-revalidate=3600"
    assert (again.status_code, again.content) == (304, b"")
    assert "x-sse-support" not in first
    assert Client().post(path).status_code == 405


@pytest.mark.parametrize("asker", [{}, {"Origin": "https://good.example"}, {"Origin": "https://evil.example"}])
def test_payload__kept_by_a_cache__serves_other_askers_too(asker: dict[str, str]) -> None:
    """A cache gives its answer to whoever asks next: so it has what a browser needs, whoever asked first."""
    running()

    answer = Client().get(f"/api/features/{a_key()}", headers=asker)

    assert (answer["Access-Control-Allow-Origin"], answer["Access-Control-Expose-Headers"]) == (
        "*",
        "ETag, Retry-After, X-Request-ID",
    )
    assert "Vary" not in answer
    assert answer["Cache-Control"].startswith("public")


@pytest.mark.parametrize(
    ("asker", "status", "allowed"),
    [
        ({}, 200, None),
        ({"Origin": "https://good.example"}, 200, "https://good.example"),
        ({"Origin": "null"}, 403, "null"),
    ],
)
def test_payload__of_a_key_with_origins__is_kept_by_no_shared_cache(
    asker: dict[str, str], status: int, allowed: str | None
) -> None:
    running()

    answer = Client().get(f"/api/features/{a_key(allowed_origins=['https://good.example'])}", headers=asker)

    assert (answer.status_code, answer.get("Access-Control-Allow-Origin")) == (status, allowed)
    if status == 200:
        assert answer["Vary"] == "Origin"
        assert answer["Cache-Control"] == "private, max-age=30, stale-while-revalidate=3600"


@pytest.mark.parametrize("kind", ["server", "admin"])
def test_payload__with_a_secret_key_in_the_path__is_401(kind: str) -> None:
    for path in ("/api/features/", "/api/eval/"):
        key = a_key(kind)
        with capture_logs() as said:
            answer = Client().get(path + key) if "features" in path else post(path + key, {"attributes": {"id": "u"}})

        assert "access.secret_key_in_path" in [line["event"] for line in said]  # whoever reads logs has the key now
        assert (answer.status_code, set(answer.json())) == (401, {"status", "error"})
    assert Client().get("/api/features/pk_unknown").json()["status"] == 401


def test_remote_eval__answers_sticky_without_exposing() -> None:
    running(seed="9f2c41d07ab3")
    path = f"/api/eval/{a_key()}"

    answer = post(
        path, {"attributes": {"id": "user-1"}, "forcedVariations": {"exp": 0}, "forcedFeatures": [], "url": ""}
    )

    (rule,) = answer.json()["features"]["exp"]["rules"]
    assert (answer.status_code, answer["Cache-Control"], rule["force"]) == (200, "no-store", "banner")
    assert rule["tracks"][0]["result"]["key"] == "banner"
    assert (Assignment.objects.count(), OutboxEvent.objects.count()) == (1, 0)
    assert post(path, {"attributes": {}}).json()["features"] == {"exp": {"defaultValue": "none"}}
    assert post(path, {"attributes": {"id": 5}}).status_code == 400
    assert post(path, b"{").json()["status"] == 400
    assert post(path, {}).status_code == 400


def test_answers__of_every_situation__have_a_reason_that_clients_know() -> None:
    running("in")
    running("out", audience=[{"segment_key": "x", "rule": IOS}])
    running("off")
    do("off", "pause")
    overrides.set_override(key="in", unit="qa", variant="banner")
    config.forget()

    flags = [flag for name in ("u1", "qa") for flag in post(BULK, unit(name), a_key()).json()["flags"]]

    assert {flag["reason"] for flag in flags} == REASONS
    assert all(set(flag) == {"key", "value", "variant", "reason", "metadata"} for flag in flags)
    assert all(not isinstance(value, dict | list | None.__class__) for f in flags for value in f["metadata"].values())


def test_key__that_cannot_be_looked_up__is_500_for_ofrep_which_knows_no_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(key: str) -> Any:
        raise OperationalError

    monkeypatch.setattr("insight_site.access.permissions.find_caller", away)

    answer = post(f"{BULK}/exp", unit(), "pk_" + "x" * 43)

    assert (answer.status_code, answer.json()["errorCode"]) == (500, "GENERAL")
    assert Client().get("/api/features/pk_x").status_code == 503
