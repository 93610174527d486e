"""S9: one visitor can't use up what a public key's other visitors need, nor fill the quarantine."""

from unittest.mock import patch

import pytest
from django.test import override_settings

from events.models import Rejected, Source
from events.outbox import accept
from tests.attacks.doors import event, key_of, send

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insight_site.access.limits.time.time", lambda: 600.0)


@pytest.mark.slow
def test_public_key__called_without_end_from_one_address__works_for_everybody_else() -> None:
    key = key_of("client")
    answers = [send(key, {}, "/v1/track").status_code for _ in range(640)]

    honest = [send(key, event(), "/v1/track", address="198.51.100.7").status_code for _ in range(40)]

    assert (answers.count(200), answers.count(429)) == (600, 40)
    assert honest == [200] * 40  # 0 of 40 before


@pytest.mark.slow
def test_public_key__from_very_many_addresses__ends_at_its_total() -> None:
    key = key_of("client", rate=200)

    answers = [send(key, event(), "/v1/track", address=f"198.51.100.{n}").status_code for n in range(220)]

    assert answers == [200] * 200 + [429] * 20


@pytest.mark.slow
def test_ipv6__addresses_of_one_line__count_as_one_visitor() -> None:
    key = key_of("client", rate=100)
    with override_settings(RATES={"visitor": 20, "client key": 100}):
        answers = [send(key, event(), "/v1/track", address=f"2001:db8:1:1::{n:x}").status_code for n in range(25)]
        other = send(key, event(), "/v1/track", address="2001:db8:1:2::1").status_code

    assert (answers, other) == ([200] * 20 + [429] * 5, 200)


def test_server_key__from_several_addresses__has_one_limit() -> None:
    key = key_of("server", rate=10)

    answers = [send(key, event(), "/v1/track", address=f"198.51.100.{n}").status_code for n in range(12)]

    assert answers == [200] * 10 + [429] * 2


def test_quarantine__of_a_source__takes_so_many_rows_an_hour_and_keeps_half_for_secret_keys() -> None:
    client, server, other = key_of("client"), key_of("server"), key_of("server", source="other")
    with patch.object(accept, "QUARANTINE_AN_HOUR", 100):
        flood = [send(client, {"batch": ["x"] * 60}).json()["rejectedCount"] for _ in range(3)]
        send(server, {"batch": ["y"] * 30})
        send(other, {"batch": ["z"] * 30})
        kept = {
            source.name: Rejected.objects.filter(source=source).count() for source in Source.objects.order_by("name")
        }
        Rejected.objects.update(received_at="2026-01-01T00:00:00Z")
        send(client, {"batch": ["x"] * 60})

    assert flood == [60] * 3  # the sender is told of each
    assert kept == {"app": 50 + 30, "other": 30}  # 180 + 30 before
    assert Rejected.objects.filter(source__name="app", received_at__year__gte=2026).count() == 80 + 50
