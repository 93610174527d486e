"""Changes of the configuration and steps of rollouts, as one watch sees them on the database of the tests."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from experiments.models import ConfigVersion
from experiments.serve import config, shipping
from insight_site.machine import config_watch
from insight_site.machine.config_watch import Change, ConfigEars, ConfigWatch, change_of
from tests.experiments.make import do, running
from tests.loops import in_a_loop

pytestmark = pytest.mark.django_db(transaction=True)


def watched(play: Any) -> list[Change]:
    """What a watch announces while `play` goes on; the first is the state that it began with."""
    config.forget()
    found: list[Change] = []

    async def run() -> None:
        watch = ConfigWatch(found.append)
        await watch.begin()
        task = asyncio.create_task(watch.run())
        try:
            await play(watch, found)
        finally:
            await watch.loop.run_in_executor(watch._thread, lambda: connection.close())
            task.cancel()

    in_a_loop(run)
    return found


async def until(found: list[Change], number: int, seconds: float = 10.0) -> float:
    """Seconds until there are so many announcements."""
    began = time.monotonic()
    while len(found) < number:
        assert time.monotonic() - began < seconds
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def test_watch__of_a_change__announces_it_when_no_web_process_can_have_the_old_one() -> None:
    took = []

    async def play(_watch: ConfigWatch, found: list[Change]) -> None:
        await asyncio.to_thread(touch)
        took.append(await until(found, 2))

    found = watched(play)

    assert found[0].tag != found[1].tag
    assert took[0] > config.CHECK_SECONDS


def touch() -> None:
    ConfigVersion.touch()
    connection.close()


def test_watch__of_a_dated_step__announces_it_without_a_new_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_watch, "SETTLE_SECONDS", 0.0)
    at = datetime.now(UTC) + timedelta(seconds=1.5)
    running("dated")
    do("dated", "stop")
    rows = [{"segment": None, "steps": [{"share": 1}, {"share": 10_000, "at": at}]}]
    shipping.ship(key="dated", arm="banner", rows=rows, proved=True, asked=shipping.Asked())

    async def play(_watch: ConfigWatch, found: list[Change]) -> None:
        await until(found, 2)

    first, second = watched(play)

    assert second.at == at
    assert first.tag.split("-")[0] == second.tag.split("-")[0]


def test_watch__while_the_database_is_away__keeps_what_it_knows_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_watch, "AWAY_SECONDS", 0.05)
    monkeypatch.setattr(config_watch, "SETTLE_SECONDS", 0.0)
    seen = []

    def away() -> Any:
        raise OperationalError("gone")

    async def play(watch: ConfigWatch, found: list[Change]) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(config, "renewed", away)
            await asyncio.sleep(0.6)
            seen.append((watch.away, len(found)))
        await asyncio.to_thread(touch)
        await until(found, 2)
        seen.append((watch.away, len(found)))

    watched(play)

    assert seen == [(True, 1), (False, 2)]


def test_change__of_the_same_moment__has_the_same_tag_in_every_process() -> None:
    now = datetime.now(UTC)
    running("same")
    config.forget()
    served = config.renewed()

    assert change_of(served, now) == change_of(config.renewed(), now + timedelta(seconds=5))


def test_ears__of_a_commit__hear_it_and_nothing_that_was_rolled_back() -> None:
    if connection.vendor != "postgresql":  # nothing is said there, and nobody listens: the watch looks
        with CaptureQueriesContext(connection) as asked:
            ConfigVersion.touch()
        assert [row["sql"] for row in asked if "notify" in row["sql"].lower()] == []
        return
    heard: list[float] = []
    ears = ConfigEars(lambda: heard.append(time.monotonic()))
    ears.begin()
    try:
        deadline = time.monotonic() + 10
        while not ears.listening:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        connection.set_autocommit(False)
        ConfigVersion.touch()
        connection.rollback()
        connection.set_autocommit(True)
        time.sleep(0.3)
        before = len(heard)
        ConfigVersion.touch()
        while len(heard) == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        ears.end()
    assert before == 1  # its own beginning
    ears.distrust(ears.heard)
    assert not ears.listening
