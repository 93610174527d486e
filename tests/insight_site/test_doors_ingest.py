"""The ingest door and the keys in front of it, through the whole stack of middlewares."""

import base64
import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from prometheus_client import REGISTRY

from events.models import FormerOutboxEvent, OutboxEvent, Rejected, Source, UnitTraits
from events.outbox import accept, pressure
from events.schema import unmarked
from insight_site.access import keys, permissions
from insight_site.machine.dispatch import constant_headers
from insight_site.models import ApiKey

pytestmark = pytest.mark.django_db
EVENT = {"type": "track", "userId": "u1", "event": "invite", "messageId": "m1"}
KINDS = ("batch", "import", "track", "identify", "page", "screen", "group", "alias")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    for forget in (keys.forget_cached_keys, cache.clear, pressure.forget):
        forget()
    yield
    for forget in (keys.forget_cached_keys, cache.clear, pressure.forget):
        forget()


def make_key(**options: Any) -> tuple[ApiKey, str]:
    source, _ = Source.objects.get_or_create(name="app")
    given: dict[str, Any] = {"name": "k", "source": source, "kind": "client", "scopes": ["events:write"], **options}
    return keys.issue_key(**given)


def post(body: Any, key: str | None = None, path: str = "/v1/batch", **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    if key:
        headers.setdefault("Authorization", "Basic " + base64.b64encode(f"{key}:".encode()).decode())
    return Client().post(path, raw, content_type="text/plain", headers=headers)


def test_batch__with_good_bad_and_repeated_events__answers_for_each() -> None:
    _, key = make_key()

    answer = post({"batch": [EVENT, EVENT, {**EVENT, "userId": "", "messageId": "m2"}]}, key)

    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "accepted": 1,
        "duplicates": 1,
        "rejectedCount": 1,
        "rejected": [
            {"index": 2, "messageId": "m2", "code": "missing_identity", "message": "userId or anonymousId is required"}
        ],
    }
    assert OutboxEvent.objects.count() == 1
    assert Rejected.objects.get().payload.startswith('{"type": "track"')


def test_identify__arriving_late__does_not_undo_a_newer_trait() -> None:
    _, key = make_key(kind="server")
    for plan, time in (("pro", "2026-11-02T00:00:00Z"), ("free", "2026-11-01T00:00:00Z")):
        post({"userId": "u1", "traits": {"plan": plan}, "timestamp": time}, key, "/v1/identify")

    assert UnitTraits.objects.get().traits == {"plan": "pro"}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("kind", KINDS)
def test_path__in_both_slash_forms__takes_post_and_refuses_get(kind: str, slash: str) -> None:
    _, key = make_key()
    body: dict[str, Any] = (
        {"batch": []} if kind in ("batch", "import") else {**EVENT, "groupId": "g", "previousId": "p"}
    )

    got = Client().get(f"/v1/{kind}{slash}")

    assert (got.status_code, got["Allow"], got.json()["code"]) == (405, "POST", "method_not_allowed")
    assert post(body, key, f"/v1/{kind}{slash}").status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "bad_json"),
        (b"[" * 100_000, {}, 400, "bad_json"),
        (b"[]", {}, 400, "bad_batch"),
        (b" " * 512_001, {}, 413, "body_too_large"),
        (json.dumps({"batch": [1] * 2_501}).encode(), {}, 413, "batch_too_long"),
        (gzip.compress(b"0" * 200_000_000)[:], {"Content-Encoding": "gzip"}, 413, "body_too_large"),
        (gzip.compress(b'{"batch":[]}')[:-3], {"Content-Encoding": "gzip"}, 400, "bad_gzip"),
        (b"{}", {"Content-Encoding": "gzip"}, 400, "bad_gzip"),
        (b"{}", {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
        (b"{}", {"Content-Encoding": "gzip, gzip"}, 415, "unsupported_encoding"),
        (b"{}", {"Transfer-Encoding": "chunked"}, 411, "length_required"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_request__that_can_not_be_read__is_refused_as_json(
    body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    _, key = make_key()

    answer = post(body, key, **headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert OutboxEvent.objects.count() == 0


def test_key__in_each_place__is_accepted_and_the_first_found_decides() -> None:
    _, key = make_key()
    body: dict[str, Any] = {"batch": []}

    assert post(body, None, Authorization=f"Bearer {key}").status_code == 200
    assert post(body, None, **{"X-API-Key": key}).status_code == 200
    assert post({**body, "writeKey": key}).status_code == 200
    assert post({**body, "writeKey": key}, "sk_wrong").status_code == 401
    assert post(body)["WWW-Authenticate"].startswith("Basic")


def test_key__revoked_expired_or_without_the_scope__is_refused() -> None:
    revoked, first = make_key()
    _, expired = make_key(expires_at=timezone.now() - timedelta(seconds=1))
    _, reader = make_key(scopes=["config:read"])
    assert post({"batch": []}, first).status_code == 200

    keys.revoke_key(row=revoked)

    assert [post({"batch": []}, key).status_code for key in (first, expired, reader)] == [401, 401, 403]


def test_key__revoked_by_another_process__ends_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    row, key = make_key()
    clock = [1000.0]
    monkeypatch.setattr("insight_site.access.keys.time.monotonic", lambda: clock[0])
    assert keys.find_caller(key) is not None
    ApiKey.objects.filter(pk=row.pk).update(revoked_at=timezone.now())

    clock[0] += 1.9
    remembered = keys.find_caller(key)
    clock[0] += 0.1

    assert remembered is not None
    assert keys.find_caller(key) is None


def test_key__rotated__has_a_successor_and_ends_in_a_week() -> None:
    row, old = make_key(allowed_origins=["https://a.example"])

    successor, new = keys.rotate_key(row=row)

    row.refresh_from_db()
    assert row.expires_at is not None
    assert timedelta(days=6, hours=23) < row.expires_at - timezone.now() <= timedelta(days=7)
    assert (successor.scopes, successor.allowed_origins) == (row.scopes, row.allowed_origins)
    assert keys.find_caller(old) is not None
    assert keys.find_caller(new) is not None
    assert new not in json.dumps(list(ApiKey.objects.values()), default=str)


def test_key__of_a_kind_without_the_scope__is_not_issued() -> None:
    with pytest.raises(ValueError, match="reports:read"):
        make_key(scopes=["reports:read"])
    assert ApiKey.objects.count() == 0


def test_rate__of_the_key__answers_429_just_beyond_it() -> None:
    _, key = make_key(rate=3)

    answers = [post({"batch": []}, key) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60


@pytest.mark.slow
def test_bad_keys__more_than_twenty_a_minute__are_429_and_a_good_key_still_works() -> None:
    _, key = make_key()

    codes = [post({"batch": []}, "sk_bad").status_code for _ in range(21)]

    assert codes == [401] * 20 + [429]
    assert post({"batch": []}, key).status_code == 200


def test_id_of_a_purchase__taken_first_with_a_public_key__keeps_the_servers_event() -> None:
    _, public = make_key()
    _, secret = make_key(kind="server")
    order = {"type": "track", "userId": "buyer", "event": "purchase", "messageId": "order-10042"}

    forged = post(
        {"batch": [{**order, "userId": "x", "event": "nothing"}, {**order, "messageId": "s:order-10042"}]}, public
    )
    kept = post({"batch": [order]}, secret)
    again = post({"batch": [order, {**order, "messageId": "c:order-10042"}]}, secret)

    assert [answer.json()["accepted"] for answer in (forged, kept, again)] == [2, 1, 1]
    assert [answer.json()["duplicates"] for answer in (forged, kept, again)] == [0, 0, 1]
    source = Source.objects.get().pk
    names = OutboxEvent.objects.filter(event="purchase", user_id="buyer").values_list("message_id", flat=True)
    assert {unmarked(name) for name in names} == {
        f"{source}:c:s:order-10042",
        f"{source}:s:order-10042",
        f"{source}:s:c:order-10042",
    }


@pytest.mark.parametrize("kind", ["client", "server", "admin"])
def test_id_that_version_03_accepted__of_either_kind__is_a_repeat(kind: str) -> None:
    row, key = make_key(kind=kind)
    moment = timezone.now()
    FormerOutboxEvent.objects.create(
        message_id=f"{row.source_id}:m1", user_id="u1", event="invite", time=moment, properties="{}", received_at=moment
    )

    answer = post({"batch": [EVENT, {**EVENT, "messageId": None}]}, key)

    assert (answer.json()["accepted"], answer.json()["duplicates"]) == (1, 1)


def test_origin__not_listed__is_refused_with_cors_headers() -> None:
    _, key = make_key(allowed_origins=["https://a.example"])

    bad = post({"batch": []}, key, Origin="https://b.example")
    good = post({"batch": []}, key, Origin="https://a.example")

    assert (bad.status_code, bad["Access-Control-Allow-Origin"]) == (403, "https://b.example")
    assert (good.status_code, good["Access-Control-Allow-Origin"]) == (200, "https://a.example")


def test_database__away__answers_503_and_never_401(monkeypatch: pytest.MonkeyPatch) -> None:
    _, key = make_key()

    def away(**_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(accept, "accept_events", away)
    answer = post({"batch": [EVENT]}, key)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    ("setting", "limit", "code", "seconds"),
    [("OUTBOX_ROWS", 0, "outbox_full", "30"), ("DISK_FREE_MB", 10**9, "disk_full", "60")],
)
def test_site__that_can_take_no_more__answers_429_until_it_can(
    setting: str, limit: int, code: str, seconds: str, settings: Any
) -> None:
    _, key = make_key()
    assert post({"batch": [EVENT]}, key).status_code == 200
    before = refused(code)
    pressure.forget()
    settings.OUTBOX_ROWS, settings.DISK_FREE_MB = {"OUTBOX_ROWS": (limit, 0), "DISK_FREE_MB": (9, limit)}[setting]
    more = {"batch": [{**EVENT, "messageId": "m2"}]}

    answers = [post(more, key), post({**more, "writeKey": key}), post(EVENT, key, "/v1/track")]
    stranger = post(more, "sk_bad")
    pressure.forget()
    settings.OUTBOX_ROWS, settings.DISK_FREE_MB = 9, 0
    again = post(more, key)

    assert [(answer.status_code, answer["Retry-After"], answer.json()["code"]) for answer in answers] == [
        (429, seconds, code)
    ] * 3
    assert stranger.status_code == 401
    assert refused(code) - before == 3
    assert again.json()["accepted"] == 1
    assert OutboxEvent.objects.count() == 2


def refused(code: str) -> float:
    return REGISTRY.get_sample_value("insight_ingest_refused_total", {"reason": code}) or 0.0


def test_plain_http__in_production__is_refused_and_not_redirected(settings: Any) -> None:
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = True
    constant_headers.cache_clear()  # as in a process whose first request this is
    answer = post({"batch": []})

    assert (answer.status_code, answer.json()["code"]) == (403, "https_required")


def test_machine_door__in_a_korean_site__speaks_english(settings: Any) -> None:
    settings.LANGUAGE_CODE = "ko"
    answer = Client().post("/v1/nothing", headers={"Accept-Language": "ko"})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(("sent", "kept"), [("abc-1.2_X", True), ("a b", False), ("x" * 129, False)])
def test_request_id__is_echoed_only_when_it_is_clean(sent: str, kept: bool) -> None:
    assert (Client().get("/healthz", headers={"X-Request-ID": sent})["X-Request-ID"] == sent) == kept


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "203.0.113.9"])
def test_metrics__by_default__need_a_key_also_on_this_machine(address: str) -> None:
    """A proxy here that sends no X-Forwarded-For makes every visitor look like this machine."""
    for path in ("/metrics", "/healthz/parts", "/healthz/parts/disk"):
        assert Client(REMOTE_ADDR=address).get(path).status_code == 401


def test_metrics__from_outside__needs_a_key(settings: Any) -> None:
    settings.INTERNAL_NETWORKS = ["127.0.0.0/8"]
    _, key = make_key(kind="admin", scopes=["metrics:read"])

    assert Client(REMOTE_ADDR="203.0.113.9").get("/metrics").status_code == 401
    assert Client(REMOTE_ADDR="203.0.113.9").get("/metrics", headers={"X-API-Key": key}).status_code == 200
    lines = Client(REMOTE_ADDR="127.0.0.1").get("/metrics").content.decode().splitlines()
    assert [line for line in lines if line.startswith(("insight_outbox_rows", "# TYPE insight_outbox_rows"))] == [
        "# TYPE insight_outbox_rows_limit gauge",
        "insight_outbox_rows_limit 5e+06",
        "# TYPE insight_outbox_rows gauge",
        "insight_outbox_rows 0.0",
    ]


@pytest.mark.parametrize("path", ["/metrics", "/healthz/parts/disk"])
def test_metrics__of_a_site_in_production__answer_monitoring_that_asks_web_itself(settings: Any, path: str) -> None:
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = settings.BEHIND_PROXY = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    constant_headers.cache_clear()
    _, key = make_key(kind="admin", scopes=["metrics:read"])
    shown = {"Authorization": f"Bearer {key}"}

    assert Client().get(path).status_code == 401
    assert Client().get(path, headers=shown).status_code == 200
    assert Client().get(path, headers={**shown, "X-Forwarded-Proto": "http"}).status_code == 403
    assert Client().post("/v1/batch", headers=shown).status_code == 403


def test_routes__of_the_site__all_have_a_rule() -> None:
    names = [name for name in get_resolver().reverse_dict if isinstance(name, str)]
    for space, (_, resolver) in get_resolver().namespace_dict.items():
        listed = [name for name in resolver.reverse_dict if isinstance(name, str)]
        names += ["admin:any"] if space == "admin" else [f"{space}:{name}" for name in listed]

    assert [name for name in names if permissions.rule_for(name) is None] == []


def test_admin__adding_a_key__shows_it_once(admin_client: Client) -> None:
    source = Source.objects.create(name="shop")
    form = {"name": "k", "source": source.pk, "kind": "client", "scopes": ["events:write"], "origins": ""}

    answer = admin_client.post("/admin/insight_site/apikey/add/", form)

    row = ApiKey.objects.get()
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    shown = answer.context["issued"][0][1]
    assert shown in answer.content.decode()
    assert shown.startswith(row.prefix)
    caller = keys.find_caller(shown)
    assert caller is not None
    assert caller.source_id == source.pk
    assert shown not in admin_client.get(f"/admin/insight_site/apikey/{row.pk}/change/").content.decode()
    assert admin_client.get("/admin/events/rejected/").status_code == 200


@pytest.mark.parametrize(
    ("language", "said"), [("en", "userId or anonymousId is required"), ("ko", "userId 또는 anonymousId가 필요합니다")]
)
def test_quarantine__a_reason__is_in_the_readers_language(admin_client: Client, language: str, said: str) -> None:
    row = Rejected.objects.create(received_at=timezone.now(), code="missing_identity", message="as sent", payload="{}")

    pages = [
        admin_client.get(f"/admin/events/rejected/{path}", headers={"accept-language": language}).content.decode()
        for path in ("", f"{row.pk}/change/")
    ]

    assert all(said in page for page in pages)
