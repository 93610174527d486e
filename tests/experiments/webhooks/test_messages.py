"""Webhooks without network: bodies, signatures, the day of tries, and where they may go."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from experiments.webhook_messages import (
    WAITS,
    check_url,
    headers,
    is_public,
    message_body,
    new_message_id,
    new_secret,
    wait_after,
)
from runs.refusals import Refused

AT = datetime(2026, 11, 24, 12, 0, 0, 900_000, tzinfo=UTC)


def test_headers__published_example__give_the_published_signature() -> None:
    # Secret, id, time, body and signature of the tests of the svix and standardwebhooks libraries.
    found = headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=datetime.fromtimestamp(1614265330.9, UTC),
        body=b'{"test": 2432232314}',
    )

    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_headers__two_secrets__have_both_signatures() -> None:
    old, new = new_secret(), new_secret()
    one, other = (headers([secret], message_id="m", at=AT, body=b"{}")["webhook-signature"] for secret in (new, old))

    assert headers([new, old], message_id="m", at=AT, body=b"{}")["webhook-signature"] == f"{one} {other}"


def test_secret_and_id__new__are_long_and_never_the_same() -> None:
    secret = new_secret()

    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret[6:])) == 32
    assert secret != new_secret()
    assert new_message_id() != new_message_id()
    assert len(new_message_id()) <= 40


def test_body__any_type__is_strict_json_in_utc() -> None:
    seoul = datetime(2026, 11, 24, 21, 0, 0, tzinfo=timezone(timedelta(hours=9)))

    body = message_body("experiment.started", {"key": "초대", "effect": 0.0}, seoul)

    assert json.loads(body) == {
        "type": "experiment.started",
        "timestamp": "2026-11-24T12:00:00Z",
        "data": {"key": "초대", "effect": 0.0},
    }


def test_body__nan__is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        message_body("experiment.started", {"effect": float("nan")}, AT)


def test_waits__eight_tries__take_about_a_day() -> None:
    waits = [wait_after(tries) for tries in range(1, 9)]

    assert waits[7] is None
    assert waits[:7] == list(WAITS)
    assert timedelta(hours=20) < sum(WAITS, timedelta()) < timedelta(hours=26)
    assert list(WAITS) == sorted(WAITS)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_address__public__may_be_connected_to(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:224.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::e000:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::1",
        "2001:0:7f00:1::",
        "localhost",
        "127.1",
        "",
    ],
)
def test_address__private_special_or_disguised__may_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://hooks.example.com", ("hooks.example.com", "/")),
        ("https://hooks.example.com:443/a/b?c=d", ("hooks.example.com", "/a/b?c=d")),
        ("HTTPS://Hooks.Example.com/A", ("hooks.example.com", "/A")),
        ("https://[2606:4700::1111]/", ("2606:4700::1111", "/")),
    ],
)
def test_url__https__is_split(url: str, parts: tuple[str, str]) -> None:
    assert check_url(url) == parts


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "//example.com/",
        "example.com",
        "",
        "https://",
        "https:///path",
        "https://example.com:80/",
        "https://example.com:8443/",
        "https://example.com:0/",
        "https://example.com:x/",
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://example.com/#part",
        "https://example.com/a b",
        "https://example.com/\r\nHost: inside",
        "https://exämple.com/",
        "https://[::1",
    ],
)
def test_url__anything_else__is_refused(url: str) -> None:
    with pytest.raises(Refused):
        check_url(url)
