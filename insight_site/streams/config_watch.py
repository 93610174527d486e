"""Watch the configuration for all streams of a process: one question of the database, however many are open.

On PostgreSQL a connection of its own listens for what `ConfigVersion.touch` says. Elsewhere, and where nothing is
heard, the number of the configuration is read four times a second. Steps of rollouts come by the clock.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from experiments.serve import config
from insight_site.streams.config_ears import ConfigEars

LOOK_SECONDS = 0.25
LISTENING_SECONDS = 5.0  # between looks while changes are heard: whether one was missed
AWAY_SECONDS = 1.0
# So long a web process may go on with what it has read: told earlier, a client would ask again and get the old answer.
SETTLE_SECONDS = config.CHECK_SECONDS + 0.1
log = structlog.get_logger()


@dataclass(frozen=True)
class Change:
    """What tells one state of what is served from every other.

    Attributes:
        tag: changes with every change of the configuration and with every step of a rollout; no site has it twice.
        at: when it changed.
    """

    tag: str
    at: datetime


def change_of(served: config.Config, now: datetime) -> Change:
    """The state at a moment."""
    changed = served.changed(now)
    return Change(f"{served.version}-{int(changed.timestamp() * 1000)}", changed)


class ConfigWatch:
    """Calls `announce` on the event loop: with the first state at once, with each change `SETTLE_SECONDS` later.

    Attributes:
        seen: the last state that was read; None before the first.
        away: the database didn't answer the last question.
    """

    def __init__(self, announce: Callable[[Change], None]) -> None:
        self.announce = announce
        self.seen: Change | None = None
        self.away = False
        self._served: config.Config | None = None
        self._heard = 0  # by the ears, when the last look began
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "insight-config-watch")  # it keeps one connection to the database

    async def begin(self) -> None:
        """Read the configuration once. A database that is away is asked again by `run`."""
        self.loop = asyncio.get_running_loop()
        self.ears = ConfigEars(self._tell)
        if connection.vendor == "postgresql":
            self.ears.begin()
        await self._look()

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await self._wait()
                await self._look()
        finally:
            self.ears.end()
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _wait(self) -> None:
        """Until something is heard, a look is due, or a step of a rollout has come."""
        for _ in range(round(LISTENING_SECONDS / LOOK_SECONDS) if self.ears.listening else 1):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), AWAY_SECONDS if self.away else LOOK_SECONDS)
            stepped = self._served is not None and change_of(self._served, timezone.now()) != self.seen
            if self._wake.is_set() or stepped or not self.ears.listening:
                break
        self._wake.clear()

    async def _look(self) -> None:
        heard_before, self._heard = self._heard, self.ears.heard
        try:
            served = await self.loop.run_in_executor(self._thread, _read)
        except (DatabaseError, InterfaceError) as trouble:
            if not self.away:
                log.warning("streams.database_away", error=type(trouble).__name__)
            self.away = True
            return
        self.away = False
        before, self._served = self._served, served
        change = change_of(served, timezone.now())
        if self.seen is None:
            self.announce(change)
        elif change != self.seen:
            self.loop.call_later(SETTLE_SECONDS, self.announce, change)
            written = before is not None and served.stamp != before.stamp
            if written and self.ears.listening and self._heard == heard_before:
                self.loop.call_later(SETTLE_SECONDS, self.ears.distrust, heard_before)
        self.seen = change

    def _tell(self) -> None:
        """From the thread that listens."""
        with suppress(RuntimeError):  # the loop has ended
            self.loop.call_soon_threadsafe(self._wake.set)


def _read() -> config.Config:
    try:
        return config.renewed()
    except (DatabaseError, InterfaceError):
        connection.close()  # of this thread; the next look makes another
        raise
