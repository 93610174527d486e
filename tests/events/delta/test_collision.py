"""A server that lets the second of two commits replace the first is found out, and nothing of the trial stays."""

import pytest
from pytest_django import Settings

from events.store import event_table, object_store
from insight_site.operate import doctor
from tests import object_store as servers

pytestmark = pytest.mark.engines


def findings(place: str, settings: Settings) -> list[tuple[str, bool]]:
    settings.EVENTS_URL = place
    return [(one.state, "If-None-Match" in one.text) for one in doctor._server()]


def test_trial__of_a_server_that_refuses_a_taken_name__passes(bucket: str, settings: Settings) -> None:
    assert not event_table.loses_commits(bucket)
    assert findings(bucket, settings) == [(doctor.OK, False)]
    assert list(object_store.names(bucket, "")) == []


def test_trial__of_a_server_that_passes_over_the_condition__fails(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with servers.server("--deaf") as address:
        place = servers.new_bucket(address, monkeypatch.setenv)

        assert event_table.loses_commits(place)
        assert findings(place, settings) == [(doctor.WRONG, True)]
        assert list(object_store.names(place, "")) == []


def test_trial__of_a_server_that_is_away__says_so(
    bucket: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    assert findings(bucket, settings) == [(doctor.WRONG, False)]


def test_trial__with_keys_that_may_only_read__says_so(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    with servers.server("--read-only") as address:
        place = servers.new_bucket(address, monkeypatch.setenv)

        assert findings(place, settings) == [(doctor.WRONG, False)]
